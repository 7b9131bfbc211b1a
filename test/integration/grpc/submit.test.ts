// SubmitJob, BatchSubmitJobs and SubmitJobs over gRPC: what is accepted, what is refused and how.

import { setTimeout as delay } from "node:timers/promises";
import { beforeAll, describe, expect, jest, test } from "@jest/globals";
import { JobState } from "../../../protos/gen/quorumq/v1/job.ts";
import { BATCH_JOBS_MAX, PAYLOAD_BYTES_MAX } from "../../../transport/limit.ts";
import { all, type Edge, each, failureOf, startEdge } from "../../support/edge.ts";
import { jobSpec } from "../../support/job-spec.ts";
import { registerKinds } from "../../support/tiny-executor.ts";

jest.setTimeout(30_000);

let edge: Edge;

function payloadOf(jobId: string): string {
  const job = edge.quorum.ledger.jobs.get(jobId);
  return Buffer.from(job?.payload ?? []).toString("utf8");
}

beforeAll(async () => {
  edge = await startEdge();
  await registerKinds(edge.quorum, ["echo", "other"]);
});

describe("SubmitJob", () => {
  test("answers with the job's id and log index, and the job can be read", async () => {
    const payload = Buffer.from('{"amount":5}');
    const spec = jobSpec({ payload, priority: 7, lockKeys: ["account:1"] });
    const submitted = await edge.jobs.submitJob({ job: spec });
    expect(submitted.jobId).toBe(`j-${submitted.logIndex}`);
    expect(submitted.deduplicated).toBe(false);
    const { job } = await edge.jobs.getJob({ jobId: submitted.jobId });
    expect(job).toMatchObject({
      id: submitted.jobId,
      kind: "echo",
      queue: "default",
      payload,
      priority: 7,
      lockKeys: ["account:1"],
      state: JobState.JOB_STATE_QUEUED,
      logIndex: submitted.logIndex,
    });
  });

  test("fills in an idempotency key when the caller gave none", async () => {
    const { jobId } = await edge.jobs.submitJob({ job: jobSpec() });
    const { job } = await edge.jobs.getJob({ jobId });
    expect(job?.idempotencyKey).toMatch(/^[0-9a-f-]{36}$/);
  });

  test("gives the first job's id for the same key and job", async () => {
    const job = jobSpec({ idempotencyKey: "once" });
    const first = await edge.jobs.submitJob({ job });
    const second = await edge.jobs.submitJob({ job });
    expect(second).toEqual({ ...first, deduplicated: true });
  });

  test("refuses the same key with another job, and names both", async () => {
    const first = await edge.jobs.submitJob({ job: jobSpec({ idempotencyKey: "twice" }) });
    const other = jobSpec({ idempotencyKey: "twice", payload: Buffer.from("[]") });
    const error = await failureOf(edge.jobs.submitJob({ job: other }));
    expect(error).toMatchObject({ code: "ALREADY_EXISTS", reason: "IDEMPOTENCY_KEY_REUSED" });
    expect(error.metadata).toMatchObject({ idempotency_key: "twice", job_id: first.jobId });
    expect(error.rawMessage).toContain("twice");
    expect(error.rawMessage).toContain(first.jobId);
  });

  test.each([
    ["no job", undefined, "INVALID_FIELD", "job"],
    ["a kind that nobody registered", { kind: "nobody" }, "INVALID_FIELD", "job.kind"],
    ["a queue that nobody serves", { queue: "nowhere" }, "INVALID_FIELD", "job.queue"],
    ["an empty kind", { kind: "" }, "INVALID_FIELD", "job.kind"],
    ["a payload that is not JSON", { payload: Buffer.from("no") }, "INVALID_FIELD", "job.payload"],
    ["a negative priority", { priority: -5 }, "INVALID_FIELD", "job.priority"],
    [
      "a payload over the limit",
      { payload: Buffer.alloc(PAYLOAD_BYTES_MAX + 1, "1") },
      "PAYLOAD_TOO_LARGE",
      "job.payload",
    ],
  ])("refuses %s", async (_what, change, reason, field) => {
    const job = change === undefined ? undefined : jobSpec(change);
    const before = edge.quorum.ledger.jobs.length;
    const error = await failureOf(edge.jobs.submitJob({ job }));
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT", reason, retry: "never" });
    expect(error.violations.map((violation) => violation.field)).toEqual([field]);
    expect(edge.quorum.ledger.jobs.length).toBe(before);
  });

  test("a message over 4 MiB is RESOURCE_EXHAUSTED and does not end the connection", async () => {
    const job = jobSpec({ payload: Buffer.alloc(5 * 1024 * 1024, "1") });
    expect(
      await failureOf(edge.greeter.sayHello({ name: "x".repeat(5 * 1024 * 1024) })),
    ).toMatchObject({ code: "RESOURCE_EXHAUSTED", retry: "never" });
    expect(await failureOf(edge.jobs.submitJob({ job }))).toMatchObject({
      code: "RESOURCE_EXHAUSTED",
      retry: "never",
    });
    await edge.jobs.submitJob({ job: jobSpec() });
  });
});

describe("BatchSubmitJobs", () => {
  test("accepts all jobs with one entry", async () => {
    const { jobs } = await edge.jobs.batchSubmitJobs({ jobs: [jobSpec(), jobSpec(), jobSpec()] });
    const [first] = jobs;
    expect(jobs.map(({ jobId }) => jobId)).toEqual(
      [1, 2, 3].map((n) => `j-${first?.logIndex}-${n}`),
    );
  });

  test("accepts none if one is wrong, and tells which", async () => {
    const before = edge.quorum.ledger.jobs.length;
    const jobs = [jobSpec(), jobSpec({ kind: "nobody" })];
    const error = await failureOf(edge.jobs.batchSubmitJobs({ jobs }));
    expect(error.violations.map(({ field }) => field)).toEqual(["jobs[1].kind"]);
    expect(edge.quorum.ledger.jobs.length).toBe(before);
  });

  test("tells the problems of all jobs at once, without bursting the trailer", async () => {
    const jobs = Array.from({ length: BATCH_JOBS_MAX }, () => jobSpec({ kind: "", priority: -1 }));
    const error = await failureOf(edge.jobs.batchSubmitJobs({ jobs }));
    expect(error.reason).toBe("INVALID_FIELD");
    expect(error.metadata["violation_count"]).toBe(String(2 * BATCH_JOBS_MAX));
  });

  test.each([0, BATCH_JOBS_MAX + 1])("refuses %d jobs", async (count) => {
    const jobs = Array.from({ length: count }, () => jobSpec());
    const error = await failureOf(edge.jobs.batchSubmitJobs({ jobs }));
    expect(error).toMatchObject({ reason: "INVALID_FIELD", violations: [{ field: "jobs" }] });
    expect(error.rawMessage).toContain(String(count));
  });
});

describe("SubmitJobs", () => {
  test("answers every item in order, and an item's error ends nothing else", async () => {
    const count = 3_000;
    const isBad = (i: number): boolean => i % 7 === 3;
    const requests = Array.from({ length: count }, (_, i) => ({
      job: jobSpec({ kind: isBad(i) ? "nobody" : "echo", payload: Buffer.from(String(i)) }),
    }));
    const answers = await all(edge.jobs.submitJobs(each(requests)));
    expect(answers).toHaveLength(count);
    for (const [i, { jobId, error }] of answers.entries()) {
      if (isBad(i)) expect(error).toMatchObject({ code: 3, reason: "INVALID_FIELD" });
      else expect(payloadOf(jobId)).toBe(String(i));
    }
  });

  test("takes no more from a client than it can have on its way when nothing is read", async () => {
    const before = edge.quorum.ledger.jobs.length;
    const payload = Buffer.from(JSON.stringify("x".repeat(1024)));
    let sentCount = 0;
    const endless = async function* () {
      for (;;) {
        sentCount += 1;
        yield { job: jobSpec({ payload }) };
      }
    };
    const answers = edge.jobs.submitJobs(endless())[Symbol.asyncIterator]();
    await answers.next();
    // Nobody reads on. Windows of bytes on the way hold some thousands of such small answers, then
    // both sides come to rest, which is seen by nothing happening for a while.
    for (let lastCount = -1; lastCount !== sentCount; await delay(250)) lastCount = sentCount;
    expect(edge.quorum.ledger.jobs.length - before).toBeLessThan(20_000);
    expect(sentCount).toBeLessThan(20_000);
    await answers.return?.();
  });

  test("gives each item's refusal a time to try again while there is no leader", async () => {
    edge.quorum.interrupt({ kind: "unavailable", reason: "no-leader" });
    const [answer] = await all(edge.jobs.submitJobs(each([{ job: jobSpec() }])));
    edge.quorum.restore();
    expect(answer?.error).toMatchObject({ code: 14, reason: "NO_LEADER" });
    expect(answer?.error?.retryDelay).toBeDefined();
  });
});
