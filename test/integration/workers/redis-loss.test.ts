// Redis is disposable: wiped, away or full of another ledger's jobs, nothing accepted is lost.

import { describe, expect, test } from "@jest/globals";
import { z } from "zod";
import { createBullJobQueue } from "../../../transport/redis/job-queue.ts";
import { silentLogger } from "../../../transport/telemetry/logger.ts";
import { defineJob } from "../../../workers/define-job.ts";
import { startPipeline } from "../../support/pipeline.ts";

const pipeline = await startPipeline({ reconcileMs: 500 });
const { quorum, submit, until, result, job, raw, redis } = pipeline;
const numbered = z.object({ n: z.number() });

describe("a worker that closes while Redis is away", () => {
  test("does not wait for it, and records what it was running", async () => {
    const gate = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const leaving = defineJob({
      kind: "leaving",
      queue: "leaving",
      input: numbered,
      async handler({ n }) {
        begun.resolve();
        await gate.promise;
        return n;
      },
    });
    const worker = await pipeline.startWorker([leaving]);
    const jobId = await submit("leaving", { n: 7 });
    await begun.promise;
    await redis.stop();
    const closed = worker.close({ graceMs: 10_000 });
    gate.resolve();
    await closed;
    expect(await result(jobId)).toBe(7);
    await redis.start();
  }, 30_000);
});

describe("a Redis that is wiped under load", () => {
  test("costs no job: each is run and recorded once", async () => {
    const count = 300;
    const runs = new Map<number, number>();
    const quarter = Promise.withResolvers<void>();
    const load = defineJob({
      kind: "load",
      queue: "load",
      input: numbered,
      lock: "slot:{n}",
      async handler({ n }) {
        runs.set(n, (runs.get(n) ?? 0) + 1);
        if (runs.size === count / 4) quarter.resolve();
        await new Promise((resolve) => setTimeout(resolve, 5));
        return n;
      },
    });
    const jobIds: string[] = [];
    await pipeline.startWorker([load], { concurrency: 5 });
    for (let n = 0; n < count; n += 1) jobIds.push(await submit("load", { n }));
    await quarter.promise;
    expect(jobIds.filter((jobId) => job(jobId).state === "queued").length).toBeGreaterThan(50);
    await raw.flushall();
    expect(await Promise.all(jobIds.map(result))).toEqual(jobIds.map((_id, n) => n));
    for (const jobId of jobIds) expect(job(jobId)).toMatchObject({ refusedCount: 0 });
    expect([...runs.values()].every((times) => times === 1)).toBe(true);
  }, 30_000);
});

describe("a Redis that is away", () => {
  test("when a worker starts and the leader changes costs waiting, not jobs", async () => {
    const late = defineJob({
      kind: "late",
      queue: "late",
      input: numbered,
      lock: "late",
      handler: ({ n }) => n,
    });
    await redis.stop();
    const worker = await pipeline.startWorker([late]);
    const jobIds = [await submit("late", { n: 0 }), await submit("late", { n: 1 })];
    pipeline.dispatcher.stop();
    expect(pipeline.dispatcher.pendingCount()).toBe(0);
    pipeline.dispatcher.start();
    await redis.start();
    expect(await Promise.all(jobIds.map(result))).toEqual([0, 1]);
    expect(worker.isReady()).toBe(true);
    await worker.close();
  }, 30_000);

  test("keeps no job from being accepted, and gets them all when it is back", async () => {
    const patient = defineJob({
      kind: "patient",
      queue: "patient",
      input: numbered,
      handler: ({ n }) => n,
    });
    await pipeline.startWorker([patient]);
    expect(await result(await submit("patient", { n: -1 }))).toBe(-1);
    await redis.stop();
    const jobIds = [await submit("patient", { n: 0 }), await submit("patient", { n: 1 })];
    expect(pipeline.dispatcher.pendingCount()).toBe(2);
    await redis.start();
    expect(await Promise.all(jobIds.map(result))).toEqual([0, 1]);
    expect(pipeline.dispatcher.pendingCount()).toBe(0);
  }, 30_000);

  test("while a handler runs: the ledger holds its lock, the result is kept", async () => {
    const gate = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const locked = defineJob({
      kind: "locked",
      queue: "locked",
      input: numbered,
      lock: "one",
      async handler({ n }) {
        begun.resolve();
        if (n === 0) await gate.promise;
        return n;
      },
    });
    await pipeline.startWorker([locked], { concurrency: 2 });
    const first = await submit("locked", { n: 0 });
    await begun.promise;
    await redis.stop();
    await redis.start();
    const second = await submit("locked", { n: 1 });
    // Redis has no lock left to stop it; the ledger does.
    await new Promise<void>((resolve) => {
      const forget = quorum.onChanges(() => {
        if (job(second).parkedFor !== "one") return;
        forget();
        resolve();
      });
    });
    expect(job(first).state).toBe("running");
    gate.resolve();
    expect(await Promise.all([result(first), result(second)])).toEqual([0, 1]);
    expect(job(second).attempts[0]?.startMs).toBeGreaterThanOrEqual(job(first).endMs);
  }, 30_000);
});

describe("a Redis that cuts all its clients off, again and again", () => {
  test("keeps no worker from taking what comes next", async () => {
    const cut = defineJob({
      kind: "cut-off",
      queue: "cut-off",
      input: numbered,
      lock: "cut-off",
      handler: ({ n }) => n,
    });
    const worker = await pipeline.startWorker([cut]);
    const rounds = [0, 1, 2, 3, 4];
    for (const n of rounds) {
      const early = await submit("cut-off", { n });
      const count = await raw.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
      expect(Number(count)).toBeGreaterThan(2);
      const late = await submit("cut-off", { n: n + 100 });
      expect(await Promise.all([early, late].map(result))).toEqual([n, n + 100]);
    }
    while (!worker.isReady()) await new Promise((resolve) => setTimeout(resolve, 20));
    await worker.close();
  }, 30_000);
});

describe("a Redis that hangs", () => {
  test("costs no running attempt its lease, however short that is", async () => {
    const begun = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    const steadfast = defineJob({
      kind: "steadfast",
      queue: "steadfast",
      input: numbered,
      lock: "steadfast",
      async handler({ n }, { signal }) {
        begun.resolve();
        await gate.promise;
        signal.throwIfAborted();
        return n;
      },
    });
    const leaseMs = 600;
    await pipeline.startWorker([steadfast], { id: "w-steadfast", leaseMs });
    const jobId = await submit("steadfast", { n: 3 });
    await begun.promise;
    await redis.kill("SIGSTOP");
    try {
      // Five leases long.
      await new Promise((resolve) => setTimeout(resolve, 5 * leaseMs));
      gate.resolve();
      expect(await result(jobId)).toBe(3);
    } finally {
      await redis.kill("SIGCONT");
    }
    expect(job(jobId).attempts.map(({ outcome }) => outcome)).toEqual(["succeeded"]);
  }, 30_000);
});

describe("a Redis that has seen another ledger", () => {
  test("is not believed: unknown jobs are dropped, and a wrong kind is not run", async () => {
    const kinds: string[] = [];
    const define = (kind: string) =>
      defineJob({
        kind,
        queue: "mixed",
        input: numbered,
        handler: () => {
          kinds.push(kind);
        },
      });
    const stale = createBullJobQueue({
      url: redis.url,
      cluster: "pipeline",
      id: "stale",
      logger: silentLogger(),
    });
    await new Promise<void>((resolve) => {
      stale.onReady(resolve);
    });
    const left = { dispatch: 1, kind: "old", queue: "mixed", priority: 0, traceparent: "" };
    await pipeline.startWorker([define("old"), define("new")], { concurrency: 1 });
    // The same id as a job of the ledger before: what is dispatched now is a duplicate of it.
    pipeline.dispatcher.stop();
    const jobId = await submit("new", { n: 1 });
    await stale.addMany([
      { ...left, jobId: "j-999999" },
      { ...left, jobId },
    ]);
    pipeline.dispatcher.start();
    await until(jobId, "succeeded");
    expect(kinds).toEqual(["new"]);
    await stale.close();
  }, 30_000);
});
