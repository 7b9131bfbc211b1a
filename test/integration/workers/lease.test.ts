// Leases, locks and drains: who may run, who has to stop, and what is recorded of who was late.

import { describe, expect, test } from "@jest/globals";
import { z } from "zod";
import { AttemptAborted } from "../../../workers/attempt-aborted.ts";
import { defineJob } from "../../../workers/define-job.ts";
import { startPipeline } from "../../support/pipeline.ts";

const QUICK = { initialMs: 10, multiplier: 2, maxMs: 100 };
const pipeline = await startPipeline();
const { quorum, submit, until, result, job, raw } = pipeline;
const anything = z.object({});

function untilAborted(signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(signal.reason), { once: true });
  });
}

describe("two jobs with one lock key", () => {
  test("never overlap, whichever worker runs them, and each gets its turn", async () => {
    let running = 0;
    let most = 0;
    const order: number[] = [];
    const charge = defineJob({
      kind: "charge",
      queue: "charge",
      input: z.object({ account: z.string(), n: z.number() }),
      lock: "account:{account}",
      async handler({ n }, { fencingToken }) {
        running += 1;
        most = Math.max(most, running);
        expect(await raw.get("{quorumq:pipeline}:lock:account:a")).toBe(String(fencingToken));
        await new Promise((resolve) => setTimeout(resolve, 5));
        order.push(n);
        running -= 1;
      },
    });
    const workers = [
      await pipeline.startWorker([charge], { concurrency: 4 }),
      await pipeline.startWorker([charge], { concurrency: 4 }),
    ];
    const jobIds: string[] = [];
    for (let n = 0; n < 12; n += 1) jobIds.push(await submit("charge", { account: "a", n }));
    await Promise.all(jobIds.map(result));
    expect(most).toBe(1);
    expect(order.toSorted((a, b) => a - b)).toEqual([...Array(12).keys()]);
    expect(jobIds.some((jobId) => job(jobId).dispatch > 1)).toBe(true);
    const attempts = jobIds.map((jobId) => job(jobId).attempts.length);
    expect(attempts).toEqual(Array(12).fill(1));
    await Promise.all(workers.map((worker) => worker.close()));
    expect(await raw.exists("{quorumq:pipeline}:lock:account:a")).toBe(0);
  });

  test.each([
    ["is cancelled", 0],
    ["runs into its timeout", 100],
  ])("do not overlap when the first %s: its handler is waited for", async (how, timeoutMs) => {
    const events: string[] = [];
    const begun = Promise.withResolvers<void>();
    const kind = `tidy-${timeoutMs}`;
    const tidy = defineJob({
      kind,
      queue: kind,
      input: z.object({ name: z.string() }),
      lock: kind,
      timeoutMs,
      retry: { maxAttempts: 1 },
      async handler({ name }, { signal }) {
        events.push(`${name} begins`);
        if (name === "first") {
          begun.resolve();
          await untilAborted(signal);
          // What it has under way is brought to an end.
          await new Promise((resolve) => setTimeout(resolve, 300));
        }
        events.push(`${name} ends`);
        signal.throwIfAborted();
      },
    });
    await pipeline.startWorker([tidy]);
    const first = await submit(kind, { name: "first" });
    await begun.promise;
    const second = await submit(kind, { name: "second" });
    if (how === "is cancelled") quorum.apply({ kind: "cancel-job", jobId: first, reason: "" });
    await result(second);
    expect(events).toEqual(["first begins", "first ends", "second begins", "second ends"]);
    const [attempt] = job(first).attempts;
    expect(attempt?.outcome).toBe(how === "is cancelled" ? "cancelled" : "timed-out");
    expect(job(first)).toMatchObject({ refusedCount: 0 });
  });

  test("take each other's place in Redis only with a higher token", async () => {
    const seen: unknown[] = [];
    const blocked = defineJob({
      kind: "blocked",
      queue: "blocked",
      input: anything,
      lock: "contested",
      retry: { maxAttempts: 1 },
      handler: () => {
        seen.push("ran");
      },
    });
    await raw.set("{quorumq:pipeline}:lock:contested", "9000000000");
    await pipeline.startWorker([blocked]);
    const failed = await until(await submit("blocked", {}), "failed");
    expect(failed.attempts[0]).toMatchObject({ outcome: "fenced", error: { code: "LOCK_LOST" } });
    expect(seen).toEqual([]);
  });
});

describe("an attempt whose lease is not renewed", () => {
  test("is aborted before the job is given away, and its late result is refused", async () => {
    const leaseMs = 300;
    const gate = Promise.withResolvers<void>();
    const reasons: unknown[] = [];
    const zombie = defineJob({
      kind: "zombie",
      queue: "zombie",
      input: anything,
      retry: { maxAttempts: 3, backoff: QUICK },
      async handler(_input, { attempt, signal }) {
        if (attempt > 1) return "second";
        reasons.push(await untilAborted(signal));
        await gate.promise;
        return "first, too late";
      },
    });
    const refused = new Promise<void>((resolve) => {
      const propose = quorum.propose.bind(quorum);
      quorum.propose = async (body, options) => {
        // This worker's renewals get lost on their way.
        if (body.kind === "renew-leases" && body.worker === "w-zombie") return { kind: "unknown" };
        const outcome = await propose(body, options);
        const isRefused = outcome.kind === "applied" && outcome.applied.result?.$case === "fenced";
        if (isRefused && body.kind === "finish-attempt") resolve();
        return outcome;
      };
    });
    await pipeline.startWorker([zombie], { id: "w-zombie", leaseMs });
    const jobId = await submit("zombie", {});
    expect(await result(jobId)).toBe("second");
    gate.resolve();
    await refused;
    expect(reasons).toEqual([new AttemptAborted("lease-lapsed")]);
    const { attempts, receipts, refusedCount } = job(jobId);
    expect(attempts.map(({ outcome }) => outcome)).toEqual(["lost", "succeeded"]);
    expect(refusedCount).toBe(1);
    expect(receipts[0]).toMatchObject({ token: attempts[0]?.token, tried: "succeeded" });
    expect(await result(jobId)).toBe("second");
  });

  test("is told so when it asks for a renewal itself", async () => {
    const beats: unknown[] = [];
    const begun = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    const beating = defineJob({
      kind: "beating",
      queue: "beating",
      input: anything,
      async handler(_input, { heartbeat }) {
        await heartbeat();
        begun.resolve();
        await gate.promise;
        await heartbeat().catch((error: unknown) => beats.push(error));
        ended.resolve();
      },
    });
    await pipeline.startWorker([beating], { leaseMs: 60_000 });
    const jobId = await submit("beating", {});
    await begun.promise;
    quorum.apply({ kind: "cancel-job", jobId, reason: "" });
    gate.resolve();
    await ended.promise;
    expect(beats).toEqual([new AttemptAborted("cancelled")]);
  });

  test("lives on as long as it is renewed", async () => {
    const gate = Promise.withResolvers<void>();
    const steady = defineJob({
      kind: "steady",
      queue: "steady",
      input: anything,
      handler: async () => {
        await gate.promise;
      },
    });
    await pipeline.startWorker([steady], { leaseMs: 200, id: "w-steady" });
    const jobId = await submit("steady", {});
    let renewals = 0;
    await new Promise<void>((resolve) => {
      const propose = quorum.propose.bind(quorum);
      quorum.propose = (body, options) => {
        if (body.kind === "renew-leases" && body.worker === "w-steady") renewals += 1;
        // Six thirds: twice the lease.
        if (renewals === 6) resolve();
        return propose(body, options);
      };
    });
    gate.resolve();
    expect(await result(jobId)).toBeNull();
    expect(job(jobId).attempts).toHaveLength(1);
  });
});

describe("a lock that a newer attempt has taken", () => {
  test("aborts the handler of the older one", async () => {
    const begun = Promise.withResolvers<void>();
    const reasons: unknown[] = [];
    const robbed = defineJob({
      kind: "robbed",
      queue: "robbed",
      input: anything,
      lock: "robbed",
      retry: { maxAttempts: 1 },
      async handler(_input, { signal }) {
        begun.resolve();
        reasons.push(await untilAborted(signal));
        signal.throwIfAborted();
      },
    });
    await pipeline.startWorker([robbed], { leaseMs: 300 });
    const jobId = await submit("robbed", {});
    await begun.promise;
    await raw.set("{quorumq:pipeline}:lock:robbed", "9000000000");
    const failed = await until(jobId, "failed");
    expect(reasons).toEqual([new AttemptAborted("lock-lost")]);
    expect(failed.attempts[0]).toMatchObject({ outcome: "fenced", error: { code: "LOCK_LOST" } });
    expect(await raw.get("{quorumq:pipeline}:lock:robbed")).toBe("9000000000");
  });
});

describe("a worker that closes", () => {
  test("lets an attempt end within the grace, and takes nothing new", async () => {
    const begun = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    const last = defineJob({
      kind: "last",
      queue: "last",
      input: anything,
      async handler() {
        begun.resolve();
        await gate.promise;
        return "done";
      },
    });
    const worker = await pipeline.startWorker([last], { concurrency: 1 });
    const first = await submit("last", {});
    await begun.promise;
    const second = await submit("last", {});
    const closed = worker.close({ graceMs: 10_000 });
    gate.resolve();
    await closed;
    expect(job(first)).toMatchObject({ state: "succeeded" });
    expect(job(second)).toMatchObject({ state: "queued", attempts: [] });
    await pipeline.startWorker([last]);
    expect(await result(second)).toBe("done");
  });

  test("keeps its leases while it drains, for longer than one lasts", async () => {
    const begun = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    const slow = defineJob({
      kind: "slow-to-leave",
      queue: "slow-to-leave",
      input: anything,
      async handler() {
        begun.resolve();
        await gate.promise;
        return "in time";
      },
    });
    const worker = await pipeline.startWorker([slow], { leaseMs: 300, id: "w-draining" });
    const jobId = await submit("slow-to-leave", {});
    await begun.promise;
    let renewals = 0;
    const renewed = new Promise<void>((resolve) => {
      const propose = quorum.propose.bind(quorum);
      quorum.propose = (body, options) => {
        if (body.kind === "renew-leases" && body.worker === "w-draining") renewals += 1;
        if (renewals === 6) resolve();
        return propose(body, options);
      };
    });
    const closed = worker.close({ graceMs: 60_000 });
    // Six thirds: twice the lease.
    await renewed;
    gate.resolve();
    await closed;
    expect(job(jobId)).toMatchObject({ state: "succeeded", attemptsUsed: 1 });
    expect(job(jobId).attempts).toHaveLength(1);
  });

  test("hands back what has not ended within the grace: not counted, run by another", async () => {
    const begun = Promise.withResolvers<void>();
    const reasons: unknown[] = [];
    const heavy = defineJob({
      kind: "heavy",
      queue: "heavy",
      input: anything,
      retry: { maxAttempts: 1 },
      async handler(_input, { attempt, signal }) {
        if (attempt > 1) return "by another";
        begun.resolve();
        reasons.push(await untilAborted(signal));
        throw signal.reason;
      },
    });
    const worker = await pipeline.startWorker([heavy], { id: "w-leaving" });
    const jobId = await submit("heavy", {});
    await begun.promise;
    await worker.close({ graceMs: 20 });
    expect(reasons).toEqual([new AttemptAborted("shutdown")]);
    expect(job(jobId)).toMatchObject({ state: "queued", attemptsUsed: 0 });
    await pipeline.startWorker([heavy], { id: "w-staying" });
    expect(await result(jobId)).toBe("by another");
    const ends = job(jobId).attempts.map(({ worker: by, outcome }) => [by, outcome]);
    expect(ends).toEqual([
      ["w-leaving", "handed-back"],
      ["w-staying", "succeeded"],
    ]);
  });
});
