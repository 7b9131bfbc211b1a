// A worker at its work: what runs, what is recorded, what is tried again, what is refused.

import { describe, expect, test } from "@jest/globals";
import { z } from "zod";
import { AttemptAborted } from "../../../workers/attempt-aborted.ts";
import { defineJob } from "../../../workers/define-job.ts";
import { greet } from "../../../workers/handlers/greet.ts";
import { NonRetryableError } from "../../../workers/non-retryable-error.ts";
import { createWorkerOn } from "../../../workers/worker.ts";
import { startPipeline } from "../../support/pipeline.ts";

const QUICK = { initialMs: 10, multiplier: 2, maxMs: 100, jitter: 0.5 };
const pipeline = await startPipeline();
const { quorum, submit, until, result, job } = pipeline;
const anything = z.object({});

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

describe("a job", () => {
  test("is run and its result recorded", async () => {
    await pipeline.startWorker([greet], { id: "w-greet" });
    const jobId = await submit("greet", { name: "world" });
    expect(await result(jobId)).toEqual({ message: "Hello world" });
    const { attempts } = job(jobId);
    expect(attempts).toHaveLength(1);
    expect(attempts[0]).toMatchObject({ number: 1, worker: "w-greet", outcome: "succeeded" });
  });

  test("gets its context: id, kind, attempt, and the token of its start", async () => {
    const seen: unknown[] = [];
    const look = defineJob({
      kind: "look",
      queue: "look",
      input: z.object({ n: z.number().default(5) }),
      handler(input, { jobId, kind, attempt, fencingToken, signal }) {
        seen.push({ input, jobId, kind, attempt, fencingToken, aborted: signal.aborted });
      },
    });
    await pipeline.startWorker([look]);
    const jobId = await submit("look", {});
    expect(await result(jobId)).toBeNull();
    const token = job(jobId).attempts[0]?.token ?? 0;
    expect(token).toBeGreaterThan(job(jobId).logIndex);
    const context = { jobId, kind: "look", attempt: 1, fencingToken: BigInt(token) };
    expect(seen).toEqual([{ input: { n: 5 }, ...context, aborted: false }]);
  });

  test("that fails is tried again after its backoff, with a higher token", async () => {
    const flaky = defineJob({
      kind: "flaky",
      queue: "flaky",
      input: anything,
      retry: { maxAttempts: 3, backoff: QUICK },
      handler: (_input, { attempt }) => {
        if (attempt < 3) throw new RangeError(`not at attempt ${attempt}`);
        return attempt;
      },
    });
    await pipeline.startWorker([flaky]);
    const jobId = await submit("flaky", {});
    expect(await result(jobId)).toBe(3);
    const { attempts, dispatch } = job(jobId);
    expect(attempts.map(({ outcome }) => outcome)).toEqual(["failed", "failed", "succeeded"]);
    expect(attempts[0]?.error).toEqual({
      code: "RangeError",
      message: "not at attempt 1",
      retryable: true,
    });
    const tokens = attempts.map(({ token }) => token);
    expect(tokens).toEqual(tokens.toSorted((a, b) => a - b));
    expect(dispatch).toBe(3);
  });

  test("that has used up its attempts has failed, with the last error", async () => {
    const doomed = defineJob({
      kind: "doomed",
      queue: "doomed",
      input: anything,
      retry: { maxAttempts: 2, backoff: QUICK },
      handler: (): never => {
        throw new Error("never");
      },
    });
    await pipeline.startWorker([doomed]);
    const failed = await until(await submit("doomed", {}), "failed");
    expect(failed.attempts).toHaveLength(2);
    expect(failed.error).toEqual({ code: "Error", message: "never", retryable: true });
  });

  test("is not tried again after a NonRetryableError, whose code is kept", async () => {
    const declined = defineJob({
      kind: "declined",
      queue: "declined",
      input: anything,
      handler: (): never => {
        throw new NonRetryableError("no", { code: "CARD_DECLINED" });
      },
    });
    await pipeline.startWorker([declined]);
    const failed = await until(await submit("declined", {}), "failed");
    expect(failed.attempts).toHaveLength(1);
    expect(failed.error).toEqual({ code: "CARD_DECLINED", message: "no", retryable: false });
  });

  test("whose payload the schema refuses fails at once and never reaches the handler", async () => {
    let calls = 0;
    const strict = defineJob({
      kind: "strict",
      queue: "strict",
      input: z.object({ amount: z.number() }),
      handler: () => {
        calls += 1;
      },
    });
    await pipeline.startWorker([strict]);
    const failed = await until(await submit("strict", { amount: "many" }), "failed");
    expect(failed.error).toMatchObject({ code: "PAYLOAD_REFUSED", retryable: false });
    expect(failed.error?.message).toMatch(/^amount: /);
    expect([failed.attempts.length, calls]).toEqual([1, 0]);
  });

  test("whose result is not what its schema says fails", async () => {
    const promise = defineJob({
      kind: "wrong-result",
      queue: "wrong-result",
      input: anything,
      output: z.object({ total: z.number().positive() }),
      handler: () => ({ total: -1 }),
    });
    await pipeline.startWorker([promise]);
    const failed = await until(await submit("wrong-result", {}), "failed");
    expect(failed.error).toMatchObject({ code: "RESULT_REFUSED", retryable: false });
  });

  test("that runs too long is timed out: its signal is aborted and the attempt ends", async () => {
    const reasons: unknown[] = [];
    const slow = defineJob({
      kind: "slow",
      queue: "slow",
      input: anything,
      timeoutMs: 100,
      retry: { maxAttempts: 2, backoff: QUICK },
      async handler(_input, { signal, attempt }) {
        if (attempt === 2) return "quick this time";
        return await untilAborted(signal).finally(() => reasons.push(signal.reason));
      },
    });
    await pipeline.startWorker([slow]);
    const jobId = await submit("slow", {});
    expect(await result(jobId)).toBe("quick this time");
    expect(job(jobId).attempts[0]).toMatchObject({
      outcome: "timed-out",
      error: { code: "ATTEMPT_TIMED_OUT" },
    });
    expect(reasons).toEqual([new AttemptAborted("timed-out")]);
    // Reported by the worker, before the ledger had to: nothing was refused.
    expect(job(jobId).refusedCount).toBe(0);
  });

  test("that ignores its timeout does not occupy the worker for ever", async () => {
    const never = Promise.withResolvers<void>();
    const deaf = defineJob({
      kind: "deaf",
      queue: "deaf",
      input: z.object({ isDeaf: z.boolean() }),
      timeoutMs: 100,
      retry: { maxAttempts: 1 },
      handler: ({ isDeaf }) => (isDeaf ? never.promise : undefined),
    });
    await pipeline.startWorker([deaf], { concurrency: 1 });
    const first = await submit("deaf", { isDeaf: true });
    const second = await submit("deaf", { isDeaf: false });
    expect(await result(second)).toBeNull();
    expect(job(first)).toMatchObject({ state: "failed", error: { code: "ATTEMPT_TIMED_OUT" } });
    never.resolve();
  });

  test("that is cancelled while it runs has its signal aborted, and records nothing", async () => {
    const started = Promise.withResolvers<void>();
    const aborted = Promise.withResolvers<unknown>();
    const long = defineJob({
      kind: "long",
      queue: "long",
      input: anything,
      async handler(_input, { signal }) {
        started.resolve();
        return await untilAborted(signal).finally(() => aborted.resolve(signal.reason));
      },
    });
    await pipeline.startWorker([long], { leaseMs: 300 });
    const jobId = await submit("long", {});
    await started.promise;
    quorum.apply({ kind: "cancel-job", jobId, reason: "not needed" });
    expect(await aborted.promise).toEqual(new AttemptAborted("cancelled"));
    expect(job(jobId)).toMatchObject({ state: "cancelled", refusedCount: 0, result: null });
  });
});

describe("a worker", () => {
  test("that is closed while its kinds are being registered takes no jobs", async () => {
    const early = defineJob({ kind: "early", queue: "early", input: anything, handler: () => 1 });
    const gate = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    const propose = quorum.propose.bind(quorum);
    quorum.propose = async (body, options) => {
      const outcome = await propose(body, options);
      asked.resolve();
      await gate.promise;
      return outcome;
    };
    const worker = createWorkerOn(quorum, {
      jobs: [early],
      id: "w-early",
      redis: { url: pipeline.redis.url, cluster: "pipeline" },
    });
    const run = worker.run();
    await asked.promise;
    quorum.propose = propose;
    await worker.close();
    gate.resolve();
    await run;
    expect(await pipeline.raw.client("LIST")).not.toContain("w-early:take");
  });

  test("passes a job of a kind that it does not know on to one that does", async () => {
    const one = defineJob({ kind: "one", queue: "shared", input: anything, handler: () => 1 });
    const two = defineJob({ kind: "two", queue: "shared", input: anything, handler: () => 2 });
    await pipeline.startWorker([one]);
    quorum.apply({
      kind: "register-kinds",
      kinds: [
        {
          kind: "two",
          queue: "shared",
          maxAttempts: 1,
          backoff: QUICK,
          attemptTimeoutMs: 0,
          totalTimeoutMs: 0,
          lockTemplates: [],
          concurrencyTemplates: [],
        },
      ],
    });
    const jobId = await submit("two", {});
    await pipeline.startWorker([two]);
    expect(await result(jobId)).toBe(2);
    expect(job(jobId).attempts).toHaveLength(1);
  });

  test("waits for a leader before it takes jobs, and is then ready", async () => {
    const late = defineJob({ kind: "late", queue: "late", input: anything, handler: () => "ok" });
    quorum.interrupt({ kind: "unavailable", reason: "no-leader" });
    const starting = pipeline.startWorker([late]);
    quorum.restore();
    const worker = await starting;
    expect(await result(await submit("late", {}))).toBe("ok");
    expect(worker.isReady()).toBe(true);
    await worker.close();
    expect(worker.isReady()).toBe(false);
  });

  test("records a result although the quorum was away when the handler ended", async () => {
    const gate = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const patient = defineJob({
      kind: "patient",
      queue: "patient",
      input: anything,
      async handler() {
        begun.resolve();
        await gate.promise;
        return "kept";
      },
    });
    await pipeline.startWorker([patient], { leaseMs: 60_000 });
    const jobId = await submit("patient", {});
    await begun.promise;
    quorum.interrupt({ kind: "unknown" });
    const asked = new Promise<void>((resolve) => {
      const propose = quorum.propose.bind(quorum);
      quorum.propose = (body, options) => {
        if (body.kind === "finish-attempt") resolve();
        return propose(body, options);
      };
    });
    gate.resolve();
    await asked;
    expect(job(jobId).state).toBe("running");
    quorum.restore();
    expect(await result(jobId)).toBe("kept");
    expect(job(jobId).attempts).toHaveLength(1);
  });
});
