// quorumq/testing: a user's jobs against the real ledger in virtual time.

import { afterEach, describe, expect, test } from "@jest/globals";
import { z } from "zod";
import { JobState } from "../../../protos/gen/quorumq/v1/job.ts";
import type { AbortWhy } from "../../../workers/attempt-aborted.ts";
import {
  type AttemptContext,
  child,
  childResults,
  defineJob,
  NonRetryableError,
} from "../../../workers/index.ts";
import { createTestPipeline, type TestPipeline } from "../../../workers/testing/index.ts";
import { failureOf } from "../../support/edge.ts";

const SECOND_MS = 1_000;
const anything = z.object({});

const double = defineJob({
  kind: "double",
  input: z.object({ n: z.number() }),
  handler: ({ n }) => n * 2,
});
const why: AbortWhy[] = [];
const hang = defineJob({
  kind: "hang",
  input: anything,
  timeoutMs: 30 * SECOND_MS,
  retry: { maxAttempts: 2 },
  handler: (_input, { signal, attempt }) =>
    attempt === 2
      ? "at last"
      : new Promise<string>((_resolve, reject) => {
          signal.addEventListener("abort", () => {
            why.push(signal.reason.why);
            reject(signal.reason);
          });
        }),
});

let pipeline: TestPipeline;
const jobs = [double, hang];

afterEach(() => pipeline.close());

describe("a test pipeline", () => {
  test("runs a job and gives its typed result", async () => {
    pipeline = createTestPipeline({ jobs });
    const result: number = await pipeline.client.run(double, { n: 21 });
    expect(result).toBe(42);
    expect(pipeline.now()).toEqual(new Date("2025-01-01T00:00:00Z"));
  });

  test("refuses what the gateway refuses, with the same errors", async () => {
    pipeline = createTestPipeline({ jobs });
    const { client } = pipeline;
    // @ts-expect-error The compiler says so too.
    expect(await failureOf(client.submit(double, { n: "x" }))).toMatchObject({
      reason: "INVALID_FIELD",
    });
    const long = client.submit(double, { n: 1 }, { priority: 1_001 });
    expect(await failureOf(long)).toMatchObject({ violations: [{ field: "job.priority" }] });
    expect(await failureOf(client.get("j-99"))).toMatchObject({ code: "NOT_FOUND" });
    const first = await client.submit(double, { n: 1 }, { idempotencyKey: "k" });
    expect(await client.submit(double, { n: 1 }, { idempotencyKey: "k" })).toMatchObject({
      id: first.id,
      deduplicated: true,
    });
  });

  test("keeps a delayed job until its time has come", async () => {
    pipeline = createTestPipeline({ jobs, startTime: new Date("2030-02-03T04:05:06Z") });
    const { client } = pipeline;
    const handle = await client.submit(double, { n: 1 }, { delayMs: 60 * SECOND_MS });
    await pipeline.advance(59 * SECOND_MS);
    expect((await client.get(handle.id)).state).toBe(1);
    await pipeline.advance(SECOND_MS);
    expect(await client.get(handle.id)).toMatchObject({
      state: 4,
      endTime: new Date("2030-02-03T04:06:06Z"),
    });
  });

  test("tries again after the backoff, as often as the job says", async () => {
    const seen: number[] = [];
    const flaky = defineJob({
      kind: "flaky",
      input: anything,
      retry: { maxAttempts: 3, backoff: { initialMs: 1_000, multiplier: 10, maxMs: 60_000 } },
      handler: (_input, { attempt, fencingToken }) => {
        seen.push(Number(fencingToken));
        if (attempt < 3) throw new Error("not yet");
        return attempt;
      },
    });
    pipeline = createTestPipeline({ jobs: [flaky] });
    const startMs = pipeline.now().getTime();
    expect(await pipeline.client.run(flaky, {})).toBe(3);
    expect(seen).toEqual(seen.toSorted((one, other) => one - other));
    const tookMs = pipeline.now().getTime() - startMs;
    expect(tookMs).toBeGreaterThanOrEqual(500 + 5_000);
    expect(tookMs).toBeLessThanOrEqual(1_000 + 10_000);
  });

  test("runs all there is until nothing is left", async () => {
    pipeline = createTestPipeline({ jobs });
    const { client } = pipeline;
    for (let n = 0; n < 25; n += 1) await client.submit(double, { n }, { delayMs: n * SECOND_MS });
    await pipeline.runUntilIdle();
    expect((await client.cluster()).counts).toMatchObject({ succeeded: 25, queued: 0 });
  });

  test("aborts a handler whose time is over, and runs its next attempt", async () => {
    pipeline = createTestPipeline({ jobs });
    const { client } = pipeline;
    const handle = await client.submit(hang, {});
    await pipeline.advance(29 * SECOND_MS);
    expect((await client.get(handle.id)).state).toBe(3);
    await pipeline.advance(SECOND_MS);
    expect(why.splice(0)).toEqual(["timed-out"]);
    expect(await handle.result()).toBe("at last");
    const { attempts } = await client.get(handle.id);
    expect(attempts.map(({ error }) => error?.code)).toEqual(["ATTEMPT_TIMED_OUT", undefined]);
  });

  test("lets a cancellation reach a handler that runs", async () => {
    pipeline = createTestPipeline({ jobs });
    const { client } = pipeline;
    const handle = await client.submit(hang, {});
    await pipeline.advance(0);
    await client.cancel(handle.id, "enough");
    await pipeline.advance(0);
    expect(why.splice(0)).toEqual(["cancelled"]);
    await expect(handle.result()).rejects.toMatchObject({ state: "CANCELLED" });
  });

  test("fails attempts on demand", async () => {
    pipeline = createTestPipeline({ jobs });
    const { client } = pipeline;
    pipeline.failNext(double, new RangeError("the disk is full"), 2);
    const handle = await client.submit(double, { n: 4 });
    expect(await handle.result()).toBe(8);
    const { attempts } = await client.get(handle.id);
    expect(attempts.map(({ error }) => error?.code)).toEqual([
      "RangeError",
      "RangeError",
      undefined,
    ]);
    pipeline.failNext(double, new NonRetryableError("never", { code: "NEVER" }));
    await expect(client.run(double, { n: 4 })).rejects.toMatchObject({ code: "NEVER" });
  });

  test("loses a worker: its attempt ends with its lease, and another runs the job", async () => {
    pipeline = createTestPipeline({ jobs, leaseMs: 5_000 });
    const { client } = pipeline;
    const handle = await client.submit(hang, {});
    await pipeline.advance(20 * SECOND_MS);
    pipeline.loseWorker(handle.id);
    await pipeline.advance(2_999);
    expect((await client.get(handle.id)).state).toBe(3);
    expect(await handle.result()).toBe("at last");
    const { attempts } = await client.get(handle.id);
    expect(attempts.map(({ worker, error }) => [worker, error?.code])).toEqual([
      ["worker-1", "LEASE_EXPIRED"],
      ["worker-2", undefined],
    ]);
    // Its handler was never told: its process is gone.
    expect(why.splice(0)).toEqual([]);
    expect(() => pipeline.loseWorker(handle.id)).toThrow("no worker runs");
  });

  test("freezes a worker: what it says when it is thawed is refused, and kept as a receipt", async () => {
    const { promise: opened, resolve: open } = Promise.withResolvers<void>();
    const writes: [string, bigint][] = [];
    const write = defineJob({
      kind: "write",
      input: anything,
      handler: async (_input, { attempt, fencingToken, signal }) => {
        if (attempt === 1) await opened;
        writes.push([signal.aborted ? "late" : "in time", fencingToken]);
        return `attempt ${attempt}`;
      },
    });
    pipeline = createTestPipeline({ jobs: [write] });
    const { client } = pipeline;
    const handle = await client.submit(write, {});
    await pipeline.advance(0);
    const thaw = pipeline.freezeWorker(handle.id);
    expect(await handle.result()).toBe("attempt 2");
    open();
    await pipeline.advance(0);
    thaw();
    await pipeline.advance(10 * SECOND_MS);
    const job = await client.get(handle.id);
    expect(job.result.toString()).toBe('"attempt 2"');
    expect(job.attempts.map(({ worker }) => worker)).toEqual(["worker-1", "worker-2"]);
    expect(job.receipts).toMatchObject([{ worker: "worker-1", tried: "succeeded" }]);
    // The store would have refused it by its token: it is lower than one that wrote before.
    const [[, later], [, earlier]] = writes as [[string, bigint], [string, bigint]];
    expect(earlier < later).toBe(true);
  });

  test("runs one job a lock key at a time, first come, first served", async () => {
    const log: string[] = [];
    const locked = defineJob({
      kind: "locked",
      input: z.object({ name: z.string(), key: z.string() }),
      lock: "key:{key}",
      handler: async ({ name }) => {
        log.push(`${name} begins`);
        await new Promise((resolve) => setTimeout(resolve, 1));
        log.push(`${name} ends`);
      },
    });
    pipeline = createTestPipeline({ jobs: [locked] });
    for (const name of ["a", "b", "c"]) await pipeline.client.submit(locked, { name, key: "k" });
    await pipeline.runUntilIdle();
    expect(log).toEqual(["a", "b", "c"].flatMap((name) => [`${name} begins`, `${name} ends`]));
  });

  test("has locks outside jobs, in one line with them", async () => {
    const order: string[] = [];
    const locked = defineJob({
      kind: "locked",
      input: anything,
      lock: "account:7",
      handler: () => {
        order.push("job");
      },
    });
    pipeline = createTestPipeline({ jobs: [locked] });
    const { client } = pipeline;
    const held = await client.locks.acquire("account:7", { ttlMs: 5_000 });
    const handle = await client.submit(locked, {});
    await pipeline.advance(60 * SECOND_MS);
    expect(held.signal.aborted).toBe(false);
    order.push("released");
    await held.release();
    await handle.result();
    expect(order).toEqual(["released", "job"]);
  });

  test("runs no more jobs of a concurrency key at a time than it allows", async () => {
    let [now, most] = [0, 0];
    const counted = defineJob({
      kind: "counted",
      input: anything,
      handler: async () => {
        now += 1;
        most = Math.max(most, now);
        await new Promise((resolve) => setTimeout(resolve, 1));
        now -= 1;
      },
    });
    pipeline = createTestPipeline({ jobs: [counted] });
    const concurrencyKeys = [{ key: "customer:7", limit: 2 }];
    for (let n = 0; n < 7; n += 1) await pipeline.client.submit(counted, {}, { concurrencyKeys });
    await pipeline.runUntilIdle();
    expect(most).toBe(2);
    expect((await pipeline.client.cluster()).counts?.succeeded).toBe(7);
  });

  test("runs higher priorities first, and no more at a time than it may", async () => {
    const order: number[] = [];
    let [now, most] = [0, 0];
    const noted = defineJob({
      kind: "noted",
      input: z.object({ priority: z.number() }),
      handler: async ({ priority }) => {
        order.push(priority);
        now += 1;
        most = Math.max(most, now);
        await new Promise((resolve) => setTimeout(resolve, 1));
        now -= 1;
      },
    });
    pipeline = createTestPipeline({ jobs: [noted], concurrency: 2 });
    for (const priority of [0, 5, 9, 1]) {
      await pipeline.client.submit(noted, { priority }, { priority });
    }
    await pipeline.runUntilIdle();
    expect([order, most]).toEqual([[9, 5, 1, 0], 2]);
  });

  test("runs parents after their children", async () => {
    const sum = defineJob({
      kind: "sum",
      input: anything,
      handler: async (_input, context) => {
        const doubled = await childResults(context, double);
        return doubled.reduce((total, one) => total + one, 0);
      },
    });
    pipeline = createTestPipeline({ jobs: [double, sum] });
    const children = [child(double, { n: 1 }), child(double, { n: 2 }, { delayMs: SECOND_MS })];
    const flow = await pipeline.client.submitFlow(sum, {}, { children });
    expect(await flow.result()).toBe(6);
  });

  test("has schedules: a job for each slot, as time passes", async () => {
    pipeline = createTestPipeline({ jobs });
    const { client } = pipeline;
    const rule = { id: "nightly", cron: "0 3 * * *", timeZone: "Europe/Berlin" };
    await client.schedules.create(double, { n: 3 }, rule);
    await pipeline.advance(48 * 3_600_000);
    const { jobs: made } = await client.list({ kind: "double" });
    expect(made.map(({ runAt, state }) => [runAt?.toISOString(), state])).toEqual([
      ["2025-01-02T02:00:00.000Z", 4],
      ["2025-01-01T02:00:00.000Z", 4],
    ]);
  });

  test("tells a handler its slot, and that a job was triggered: then the slot is the moment", async () => {
    const seen: AttemptContext["schedule"][] = [];
    const tell = defineJob({
      kind: "tell",
      input: anything,
      handler: (_input, { schedule }) => {
        seen.push(schedule);
        return null;
      },
    });
    pipeline = createTestPipeline({ jobs: [tell] });
    const { client } = pipeline;
    await client.schedules.create(tell, {}, { id: "hourly", everyMs: 3_600_000 });
    await pipeline.advance(1_800_000);
    const { jobId } = await client.schedules.trigger("hourly");
    await pipeline.advance(1_800_000);
    const made = await client.list({ scheduleId: "hourly" });
    const [byHand, slot] = [made.jobs.at(-1), made.jobs.at(0)];
    expect(byHand?.id).toBe(jobId);
    expect(seen).toEqual([
      { id: "hourly", slotTime: byHand?.createTime, isTriggered: true },
      { id: "hourly", slotTime: slot?.slotTime, isTriggered: false },
    ]);
  });

  test("lets a handler run a job of its own and wait for it, over backoffs", async () => {
    const outer = defineJob({
      kind: "outer",
      input: anything,
      handler: async () => (await pipeline.client.run(double, { n: 8 })) + 1,
    });
    pipeline = createTestPipeline({ jobs: [double, outer] });
    pipeline.failNext(double);
    const handle = await pipeline.client.submit(outer, {});
    await pipeline.runUntilIdle();
    expect(await handle.result()).toBe(17);
    pipeline.failNext(double);
    expect(await pipeline.client.run(outer, {})).toBe(17);
  });

  test("waits no longer for a result than it was told, in its own time", async () => {
    pipeline = createTestPipeline({ jobs });
    const handle = await pipeline.client.submit(double, { n: 1 }, { delayMs: 3_600_000 });
    const startMs = pipeline.now().getTime();
    const late = handle.result({ deadlineMs: 60_000 });
    expect(await failureOf(late)).toMatchObject({ code: "DEADLINE_EXCEEDED" });
    expect(pipeline.now().getTime() - startMs).toBe(60_000);
    expect(await handle.result()).toBe(2);
  });

  test("lets a job be watched while time is moved", async () => {
    pipeline = createTestPipeline({ jobs });
    const { id } = await pipeline.client.submit(double, { n: 2 }, { delayMs: SECOND_MS });
    const seen: JobState[] = [];
    for await (const { state } of pipeline.client.watch(id)) {
      seen.push(state);
      if (state === JobState.JOB_STATE_SCHEDULED) await pipeline.advance(SECOND_MS);
    }
    expect(seen[0]).toBe(JobState.JOB_STATE_SCHEDULED);
    expect(seen.at(-1)).toBe(JobState.JOB_STATE_SUCCEEDED);
  });

  test("takes its time from one at a time", async () => {
    pipeline = createTestPipeline({ jobs });
    const handle = await pipeline.client.submit(double, { n: 1 }, { delayMs: 5_000 });
    const [result] = await Promise.all([
      handle.result(),
      pipeline.advance(2_000),
      pipeline.advance(2_000),
    ]);
    expect(result).toBe(2);
    await pipeline.close();
    await expect(pipeline.advance(1)).rejects.toThrow("closed");
  });

  test("gives and lists jobs as the gateway does", async () => {
    pipeline = createTestPipeline({ jobs });
    const handle = await pipeline.client.submit(double, { n: 1 });
    await pipeline.runUntilIdle();
    expect((await pipeline.client.wait(handle.id)).attempts).toHaveLength(1);
    const { jobs: listed } = await pipeline.client.list({ kind: "double" });
    expect(listed.map(({ id }) => id)).toEqual([handle.id]);
  });
});
