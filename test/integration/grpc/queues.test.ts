// ListQueues, PauseQueue, ResumeQueue, ConfigureQueue and DrainQueue over gRPC, and what limits do
// to submissions.

import { beforeAll, describe, expect, jest, test } from "@jest/globals";
import type { JobSpec } from "../../../protos/gen/quorumq/v1/job.ts";
import type { Queue, QueueLimits } from "../../../protos/gen/quorumq/v1/job_service.ts";
import { type Edge, failureOf, startEdge } from "../../support/edge.ts";
import { jobSpec } from "../../support/job-spec.ts";

jest.setTimeout(30_000);

const KIND = {
  maxAttempts: 3,
  backoff: { initialMs: 0, multiplier: 1, maxMs: 0, jitter: 0 },
  attemptTimeoutMs: 0,
  totalTimeoutMs: 0,
  lockTemplates: [],
  concurrencyTemplates: [],
};
const CALL = { timeoutMs: 5_000, traceparent: "" };

let edge: Edge;

beforeAll(async () => {
  edge = await startEdge();
  const kinds = ["listed", "paused", "full", "drained"].map((name) => ({
    ...KIND,
    kind: name,
    queue: name,
  }));
  await edge.quorum.propose({ kind: "register-kinds", kinds }, CALL);
});

async function submit(kind: string, change: Partial<JobSpec> = {}): Promise<string> {
  return (await edge.jobs.submitJob({ job: jobSpec({ kind, ...change }) })).jobId;
}

async function queueNamed(name: string): Promise<Queue | undefined> {
  const { queues } = await edge.jobs.listQueues({});
  return queues.find((queue) => queue.name === name);
}

function limits(change: Partial<QueueLimits>): QueueLimits {
  return { maxRunning: undefined, rate: undefined, maxWaiting: undefined, ...change };
}

describe("ListQueues", () => {
  test("has each registered queue by name, its counts, and all of them together", async () => {
    const first = await submit("listed");
    await submit("listed");
    await submit("listed", { runAt: new Date(Date.now() + 60_000) });
    await edge.jobs.cancelJob({ jobId: first, reason: "" });
    const { queues, allQueues } = await edge.jobs.listQueues({});
    expect(queues.map(({ name }) => name)).toEqual(["drained", "full", "listed", "paused"]);
    expect(queues[2]).toMatchObject({
      paused: false,
      scheduledCount: 1,
      queuedCount: 1,
      runningCount: 0,
      cancelledCount: 1,
      heldBackCount: 0,
      limits: { maxRunning: 0, rate: undefined, maxWaiting: 0 },
    });
    expect(queues[2]?.oldestWaitingAge).toBeDefined();
    expect(queues[3]?.oldestWaitingAge).toBeUndefined();
    expect(allQueues).toMatchObject({ name: "*", queuedCount: 1, scheduledCount: 1 });
  });
});

describe("PauseQueue and ResumeQueue", () => {
  test("hold jobs back and let them go on, and may be called again", async () => {
    for (const _ of ["once", "again"]) {
      const { queue } = await edge.jobs.pauseQueue({ queue: "paused" });
      expect(queue).toMatchObject({ name: "paused", paused: true });
    }
    const jobId = await submit("paused");
    const { job } = await edge.jobs.getJob({ jobId });
    expect(job?.heldBackBy).toBe("queue");
    expect(await queueNamed("paused")).toMatchObject({ queuedCount: 1, heldBackCount: 1 });
    for (const _ of ["once", "again"]) {
      const { queue } = await edge.jobs.resumeQueue({ queue: "paused" });
      expect(queue).toMatchObject({ paused: false, heldBackCount: 0 });
    }
  });

  test("of a queue that nobody knows are NOT_FOUND; of no name, INVALID_ARGUMENT", async () => {
    const unknown = await failureOf(edge.jobs.pauseQueue({ queue: "emial" }));
    expect(unknown).toMatchObject({ code: "NOT_FOUND", reason: "QUEUE_NOT_FOUND" });
    expect(unknown.metadata).toMatchObject({ queue: "emial" });
    const nameless = await failureOf(edge.jobs.resumeQueue({ queue: "a:b" }));
    expect(nameless).toMatchObject({ code: "INVALID_ARGUMENT", reason: "INVALID_FIELD" });
  });
});

describe("ConfigureQueue", () => {
  test("sets what is given, keeps the rest, and makes a queue known", async () => {
    const rate = { count: 10, period: { seconds: 60, nanos: 0 } };
    await edge.jobs.configureQueue({ queue: "new", limits: limits({ maxRunning: 3, rate }) });
    await edge.jobs.configureQueue({ queue: "new", limits: limits({ maxWaiting: 7 }) });
    expect((await queueNamed("new"))?.limits).toEqual({ maxRunning: 3, rate, maxWaiting: 7 });
    const none = limits({ maxRunning: 0, rate: { count: 0, period: undefined } });
    const { queue } = await edge.jobs.configureQueue({ queue: "new", limits: none });
    expect(queue?.limits).toEqual({ maxRunning: 0, rate: undefined, maxWaiting: 7 });
  });

  test("tells all that is wrong at once", async () => {
    const rate = { count: 10_001, period: { seconds: 0, nanos: 0 } };
    const wrong = limits({ maxRunning: 2_000_000, rate });
    const error = await failureOf(edge.jobs.configureQueue({ queue: "a b", limits: wrong }));
    expect(error.violations.map(({ field }) => field)).toEqual([
      ...["queue", "limits.max_running", "limits.rate.count", "limits.rate.period"],
    ]);
    const nothing = await failureOf(edge.jobs.configureQueue({ queue: "q", limits: undefined }));
    expect(nothing.message).toMatch("has no limit");
    const all = await failureOf(
      edge.jobs.configureQueue({ queue: "*", limits: limits({ maxWaiting: 1 }) }),
    );
    expect(all.violations.map(({ field }) => field)).toEqual(["limits.max_waiting"]);
  });

  test("of a backlog refuses what comes beyond it, to be sent again later", async () => {
    await edge.jobs.configureQueue({ queue: "full", limits: limits({ maxWaiting: 1 }) });
    const idempotencyKey = "first";
    const jobId = await submit("full", { idempotencyKey });
    const error = await failureOf(submit("full", { idempotencyKey: "second" }));
    expect(error).toMatchObject({
      code: "RESOURCE_EXHAUSTED",
      reason: "BACKLOG_FULL",
      retry: "safe",
      retryDelayMs: 1_000,
    });
    expect(error.metadata).toMatchObject({ queue: "full", field: "job.queue" });
    // What was accepted has its answer, however full the queue is.
    expect(await submit("full", { idempotencyKey })).toBe(jobId);
    await edge.jobs.cancelJob({ jobId, reason: "" });
    expect(await submit("full", { idempotencyKey: "second" })).not.toBe(jobId);
  });
});

describe("DrainQueue", () => {
  test("cancels all who wait, more than one command takes, and says how many", async () => {
    await edge.jobs.pauseQueue({ queue: "drained" });
    for (let batch = 0; batch < 3; batch += 1) {
      const jobs = Array.from({ length: 700 }, () => jobSpec({ kind: "drained" }));
      await edge.jobs.batchSubmitJobs({ jobs });
    }
    const later = await submit("drained", { runAt: new Date(Date.now() + 60_000) });
    const drain = { queue: "drained", includeScheduled: false, reason: "not needed" };
    expect(await edge.jobs.drainQueue(drain)).toEqual({ cancelledCount: 2_100 });
    expect(await queueNamed("drained")).toMatchObject({
      queuedCount: 0,
      scheduledCount: 1,
      cancelledCount: 2_100,
    });
    expect(await edge.jobs.drainQueue({ ...drain, includeScheduled: true })).toEqual({
      cancelledCount: 1,
    });
    const { job } = await edge.jobs.getJob({ jobId: later });
    expect(job?.error).toMatchObject({ code: "CANCELLED", message: "not needed" });
    const unknown = await failureOf(edge.jobs.drainQueue({ ...drain, queue: "no" }));
    expect(unknown.reason).toBe("QUEUE_NOT_FOUND");
  });
});

describe("concurrency keys", () => {
  test("are checked with the rest of the job, all at once", async () => {
    const concurrencyKeys = [
      { key: "", limit: 0 },
      { key: "a", limit: 1_001 },
      { key: "a", limit: 1 },
    ];
    const error = await failureOf(submit("listed", { concurrencyKeys }));
    expect(error.violations.map(({ field }) => field)).toEqual([
      "job.concurrency_keys[0].key",
      "job.concurrency_keys[0].limit",
      "job.concurrency_keys[1].limit",
      "job.concurrency_keys[2].key",
    ]);
  });

  test("are shown with the job", async () => {
    const concurrencyKeys = [{ key: "customer:42", limit: 3 }];
    const jobId = await submit("listed", { concurrencyKeys });
    expect((await edge.jobs.getJob({ jobId })).job?.concurrencyKeys).toEqual(concurrencyKeys);
  });
});
