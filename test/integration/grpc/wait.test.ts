// WaitJob, RunJob and WatchJob over gRPC: never a missed end, never a wait without end.

import { afterEach, beforeAll, describe, expect, jest, test } from "@jest/globals";
import { type Job, JobState } from "../../../protos/gen/quorumq/v1/job.ts";
import type { JobEvent } from "../../../transport/quorum.ts";
import { all, type Edge, failureOf, startEdge, toldByGateway } from "../../support/edge.ts";
import { jobSpec } from "../../support/job-spec.ts";
import { SoloQuorum } from "../../support/solo-quorum.ts";
import { registerKinds, runTinyExecutor, type TinyExecutor } from "../../support/tiny-executor.ts";

jest.setTimeout(30_000);

/** Loses the gateway's events on demand, as a broker fault would. */
class LossyQuorum extends SoloQuorum {
  isLossy = false;
  readonly #gaps = new Set<() => void>();

  override onEvent(listener: (event: JobEvent) => void): () => void {
    return super.onEvent((event) => {
      if (!this.isLossy) listener(event);
    });
  }

  override onEventGap(listener: () => void): () => void {
    this.#gaps.add(listener);
    return super.onEventGap(listener);
  }

  gap(): void {
    for (const listener of this.#gaps) listener();
  }
}

let edge: Edge;
let quorum: LossyQuorum;
let executor: TinyExecutor;
const held = new Map<string, () => void>();

beforeAll(async () => {
  quorum = new LossyQuorum();
  edge = await startEdge(quorum);
  executor = await runTinyExecutor(quorum, {
    echo: (input) => ({ result: input }),
    fail: () => ({ error: { code: "TypeError", message: "no", retryable: false } }),
    hold: (input, jobId) =>
      new Promise((resolve) => held.set(jobId, () => resolve({ result: input }))),
  });
  await registerKinds(quorum, ["idle"]);
});

afterEach(() => {
  quorum.isLossy = false;
});

async function submit(kind: string): Promise<string> {
  return (await edge.jobs.submitJob({ job: jobSpec({ kind }) })).jobId;
}

async function release(jobId: string): Promise<void> {
  while (!held.has(jobId)) await new Promise((resolve) => setImmediate(resolve));
  held.get(jobId)?.();
}

/** Ends a job without a worker: no event of another kind comes in between. */
async function end(jobId: string): Promise<void> {
  await quorum.propose(
    { kind: "cancel-job", jobId, reason: "" },
    { timeoutMs: 1_000, traceparent: "" },
  );
}

describe("WaitJob", () => {
  test("answers with the job when it has ended, also if that was long ago", async () => {
    const jobId = await submit("echo");
    const { job } = await edge.jobs.waitJob({ jobId });
    expect(job).toMatchObject({ id: jobId, state: JobState.JOB_STATE_SUCCEEDED });
    expect(job?.result.toString()).toBe("{}");
    expect((await edge.jobs.waitJob({ jobId })).job).toEqual(job);
  });

  test("answers with a failed job as with any other that has ended", async () => {
    const { job } = await edge.jobs.waitJob({ jobId: await submit("fail") });
    expect(job).toMatchObject({
      state: JobState.JOB_STATE_FAILED,
      error: { code: "TypeError", message: "no" },
    });
  });

  test("stays until the job ends", async () => {
    const jobId = await submit("hold");
    const waiting = Promise.all([1, 2, 3].map(() => edge.jobs.waitJob({ jobId })));
    await release(jobId);
    for (const { job } of await waiting) expect(job?.state).toBe(JobState.JOB_STATE_SUCCEEDED);
  });

  test("ends with OUTCOME_UNKNOWN at the deadline, and a later wait succeeds", async () => {
    const jobId = await submit("hold");
    const waiting = () => edge.jobs.waitJob({ jobId }, { timeoutMs: 1_000 });
    const error = await toldByGateway(waiting);
    expect(error).toMatchObject({ code: "DEADLINE_EXCEEDED", reason: "OUTCOME_UNKNOWN" });
    expect(error.metadata).toEqual({ job_id: jobId });
    await release(jobId);
    expect((await edge.jobs.waitJob({ jobId })).job?.state).toBe(JobState.JOB_STATE_SUCCEEDED);
  });

  test("sees the end although every event is lost", async () => {
    const jobId = await submit("idle");
    quorum.isLossy = true;
    const waiting = edge.jobs.waitJob({ jobId });
    await new Promise((resolve) => setTimeout(resolve, 50));
    await end(jobId);
    expect((await waiting).job?.state).toBe(JobState.JOB_STATE_CANCELLED);
  });

  test("reads again at once when events may have been missed", async () => {
    const jobId = await submit("idle");
    quorum.isLossy = true;
    const waiting = edge.jobs.waitJob({ jobId });
    await new Promise((resolve) => setTimeout(resolve, 50));
    await end(jobId);
    const startMs = performance.now();
    quorum.gap();
    await waiting;
    expect(performance.now() - startMs).toBeLessThan(800);
  });

  test("outlives a time without a leader", async () => {
    const jobId = await submit("hold");
    const waiting = edge.jobs.waitJob({ jobId });
    quorum.interrupt({ kind: "unavailable", reason: "no-leader" });
    await new Promise((resolve) => setTimeout(resolve, 50));
    quorum.restore();
    await release(jobId);
    expect((await waiting).job?.state).toBe(JobState.JOB_STATE_SUCCEEDED);
  });

  test("an unknown job is NOT_FOUND, an empty id INVALID_ARGUMENT", async () => {
    expect(await failureOf(edge.jobs.waitJob({ jobId: "j-999999" }))).toMatchObject({
      code: "NOT_FOUND",
      reason: "JOB_NOT_FOUND",
      metadata: { job_id: "j-999999" },
    });
    expect((await failureOf(edge.jobs.waitJob({ jobId: "" }))).reason).toBe("INVALID_FIELD");
  });

  test("reads for a thousand callers in a few questions", async () => {
    const ids = await Promise.all(Array.from({ length: 1_000 }, () => submit("idle")));
    let reads = 0;
    const read = quorum.read.bind(quorum);
    quorum.read = (question, options) => {
      reads += 1;
      return read(question, options);
    };
    const waiting = Promise.all(ids.map((jobId) => edge.jobs.waitJob({ jobId })));
    for (const jobId of ids) await end(jobId);
    const ended = await waiting;
    quorum.read = read;
    expect(new Set(ended.map(({ job }) => job?.id))).toEqual(new Set(ids));
    expect(reads).toBeLessThan(500);
  });
});

test("jobs that do not fit into one answer are all seen to end", async () => {
  const payload = Buffer.from(JSON.stringify("x".repeat(250_000)));
  const ids: string[] = [];
  for (let i = 0; i < 30; i++) {
    ids.push((await edge.jobs.submitJob({ job: jobSpec({ kind: "idle", payload }) })).jobId);
  }
  const waiting = Promise.all(ids.map((jobId) => edge.jobs.waitJob({ jobId })));
  for (const jobId of ids) await end(jobId);
  expect((await waiting).map(({ job }) => job?.id)).toEqual(ids);
});

describe("RunJob", () => {
  test("submits and answers with the ended job", async () => {
    const { job } = await edge.jobs.runJob({ job: jobSpec({ payload: Buffer.from("[1,2]") }) });
    expect(job?.result.toString()).toBe("[1,2]");
    expect(executor.started).toContain(job?.id);
  });

  test("names the key when the time is over, and the same key gets the result", async () => {
    const job = jobSpec({ kind: "hold" });
    const error = await failureOf(edge.jobs.runJob({ job }, { timeoutMs: 1_000 }));
    expect(error).toMatchObject({ reason: "OUTCOME_UNKNOWN", retry: "same-key" });
    const idempotencyKey = error.metadata["idempotency_key"] ?? "";
    expect(error.rawMessage).toContain(idempotencyKey);
    await release(error.metadata["job_id"] ?? "");
    const again = await edge.jobs.runJob({ job: { ...job, idempotencyKey } });
    expect(again.job?.id).toBe(error.metadata["job_id"]);
  });

  test("of a key that has outlived its job says that the result is gone, and runs nothing", async () => {
    const job = jobSpec({ payload: Buffer.from("[3]"), idempotencyKey: "outlives" });
    const first = await edge.jobs.runJob({ job });
    const foreverMs = 2 * Date.now();
    const all = { endedBeforeMs: foreverMs, spareBeforeMs: foreverMs, keyMs: foreverMs };
    quorum.apply({ kind: "forget-jobs", ...all, keptMax: 0, limit: 10_000 });
    const startedCount = executor.started.length;
    const error = await failureOf(edge.jobs.runJob({ job }));
    const metadata = { job_id: first.job?.id, idempotency_key: "outlives" };
    expect(error).toMatchObject({ reason: "JOB_NOT_FOUND", metadata });
    expect(error.rawMessage).toContain("forgotten with its result");
    expect(executor.started).toHaveLength(startedCount);
  });
});

describe("WatchJob", () => {
  const states = (jobs: readonly { job: Job | undefined }[]): (number | undefined)[] =>
    jobs.map(({ job }) => job?.state);

  test("gives the job as it is, then each change, and ends with the job", async () => {
    const jobId = await submit("hold");
    const seen: (number | undefined)[] = [];
    for await (const { job } of edge.jobs.watchJob({ jobId, afterIndex: 0 })) {
      seen.push(job?.state);
      if (job?.state === JobState.JOB_STATE_RUNNING) await release(jobId);
    }
    expect(seen.at(-1)).toBe(JobState.JOB_STATE_SUCCEEDED);
    expect(seen).toContain(JobState.JOB_STATE_RUNNING);
  });

  test("resumes after an index", async () => {
    const jobId = await submit("echo");
    const { job } = await edge.jobs.waitJob({ jobId });
    const last = job?.changeIndex ?? 0;
    expect(states(await all(edge.jobs.watchJob({ jobId, afterIndex: last - 1 })))).toEqual([
      JobState.JOB_STATE_SUCCEEDED,
    ]);
    expect(await all(edge.jobs.watchJob({ jobId, afterIndex: last }))).toEqual([]);
    // Of another ledger, before a restored backup say: not a reason to hide how the job ended.
    expect(states(await all(edge.jobs.watchJob({ jobId, afterIndex: last + 1_000 })))).toEqual([
      JobState.JOB_STATE_SUCCEEDED,
    ]);
  });

  test("sees the end although every event is lost", async () => {
    const jobId = await submit("idle");
    quorum.isLossy = true;
    const seen: (number | undefined)[] = [];
    for await (const { job } of edge.jobs.watchJob({ jobId, afterIndex: 0 })) {
      seen.push(job?.state);
      if (job?.state === JobState.JOB_STATE_QUEUED) await end(jobId);
    }
    expect(seen).toEqual([JobState.JOB_STATE_QUEUED, JobState.JOB_STATE_CANCELLED]);
  });

  test("of an unknown job is NOT_FOUND", async () => {
    const watching = all(edge.jobs.watchJob({ jobId: "j-999999", afterIndex: 0 }));
    expect((await failureOf(watching)).reason).toBe("JOB_NOT_FOUND");
  });

  test("ends with OUTCOME_UNKNOWN at its deadline, if it has one", async () => {
    const jobId = await submit("idle");
    const watching = () => all(edge.jobs.watchJob({ jobId, afterIndex: 0 }, { timeoutMs: 1_000 }));
    expect(await toldByGateway(watching)).toMatchObject({ reason: "OUTCOME_UNKNOWN" });
  });

  test("can be left and aborted by the caller", async () => {
    const jobId = await submit("idle");
    for await (const { job } of edge.jobs.watchJob({ jobId, afterIndex: 0 })) {
      expect(job?.id).toBe(jobId);
      break;
    }
    const abort = new AbortController();
    const watching = failureOf(
      all(edge.jobs.watchJob({ jobId, afterIndex: 0 }, { signal: abort.signal })),
    );
    abort.abort();
    expect(await watching).toMatchObject({ code: "CANCELLED", reason: "CALL_CANCELLED" });
  });
});
