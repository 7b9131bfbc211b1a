// RetryJob, RetryJobs, total_timeout, progress and jitter, over gRPC.

import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, jest, test } from "@jest/globals";
import { z } from "zod";
import { type Job, JobState } from "../../../protos/gen/quorumq/v1/job.ts";
import { RetryJobsRequest } from "../../../protos/gen/quorumq/v1/job_service.ts";
import { durationOf } from "../../../transport/result-codec.ts";
import { createClient } from "../../../workers/client.ts";
import { defineJob } from "../../../workers/define-job.ts";
import { runCli } from "../../support/cli.ts";
import { type Edge, failureOf, startEdge } from "../../support/edge.ts";
import { jobSpec } from "../../support/job-spec.ts";
import { registerKinds, runTinyExecutor } from "../../support/tiny-executor.ts";

jest.setTimeout(30_000);

let edge: Edge;
/** Jobs named here succeed from now on; all others fail. */
const healed = new Set<string>();

beforeAll(async () => {
  edge = await startEdge();
  await registerKinds(edge.quorum, ["idle"]);
  await runTinyExecutor(edge.quorum, {
    flaky: (input) =>
      healed.has(String(input))
        ? { result: "well" }
        : { error: { code: "ILL", message: "not yet", retryable: false } },
  });
});

function flaky(name: string = randomUUID()) {
  return jobSpec({ kind: "flaky", payload: Buffer.from(JSON.stringify(name)) });
}

/** A job that has failed, and the name that heals it. */
async function failed(): Promise<{ id: string; name: string }> {
  const name = randomUUID();
  const { job } = await edge.jobs.runJob({ job: flaky(name) });
  expect(job?.state).toBe(JobState.JOB_STATE_FAILED);
  return { id: job?.id ?? "", name };
}

describe("RetryJob", () => {
  test("is a new run of the same job, which WaitJob then waits for", async () => {
    const { id, name } = await failed();
    healed.add(name);
    const { job } = await edge.jobs.retryJob({ jobId: id, requestId: "" });
    expect(job).toMatchObject({ id, run: 2, state: JobState.JOB_STATE_QUEUED, error: undefined });
    const { job: ended } = await edge.jobs.waitJob({ jobId: id });
    expect(ended).toMatchObject({
      ...{ state: JobState.JOB_STATE_SUCCEEDED, run: 2 },
      attempts: [
        { number: 1, run: 1 },
        { number: 2, run: 2 },
      ],
      earlierRuns: [{ run: 1, state: JobState.JOB_STATE_FAILED, error: { code: "ILL" } }],
    });
  });

  test("begins one run a request, however often it is asked", async () => {
    const { id } = await failed();
    const requestId = randomUUID();
    const calls = Array.from({ length: 5 }, () => edge.jobs.retryJob({ jobId: id, requestId }));
    const runs = (await Promise.all(calls)).map(({ job }) => job?.run);
    expect(runs).toEqual([2, 2, 2, 2, 2]);
    await edge.jobs.waitJob({ jobId: id });
    // Also when that run has ended.
    const { job } = await edge.jobs.retryJob({ jobId: id, requestId });
    expect(job).toMatchObject({ run: 2, state: JobState.JOB_STATE_FAILED });
  });

  test("is refused in the wrong state, with the state", async () => {
    const { jobId: waiting } = await edge.jobs.submitJob({ job: jobSpec({ kind: "idle" }) });
    expect(await failureOf(edge.jobs.retryJob({ jobId: waiting, requestId: "" }))).toMatchObject({
      ...{ code: "FAILED_PRECONDITION", reason: "JOB_NOT_FINISHED", retry: "never" },
      metadata: { job_id: waiting, state: "QUEUED" },
    });
    const name = randomUUID();
    healed.add(name);
    const { job } = await edge.jobs.runJob({ job: flaky(name) });
    const done = { jobId: job?.id ?? "", requestId: "" };
    expect(await failureOf(edge.jobs.retryJob(done))).toMatchObject({
      ...{ code: "FAILED_PRECONDITION", reason: "JOB_SUCCEEDED" },
      metadata: { job_id: job?.id, state: "SUCCEEDED" },
    });
    const nobody = { jobId: "j-900000", requestId: "" };
    expect(await failureOf(edge.jobs.retryJob(nobody))).toMatchObject({ reason: "JOB_NOT_FOUND" });
    const wrong = { jobId: "", requestId: "r".repeat(257) };
    expect((await failureOf(edge.jobs.retryJob(wrong))).violations.map((one) => one.field)).toEqual(
      ["job_id", "request_id"],
    );
  });

  test("does not let a wait see the end of the run before", async () => {
    const { id } = await failed();
    // Others ask for the job all the time: an answer on its way may be older than the retry.
    const watchers = Array.from({ length: 20 }, () => edge.jobs.waitJob({ jobId: id }));
    const { job } = await edge.jobs.retryJob({ jobId: id, requestId: "" });
    const { job: ended } = await edge.jobs.waitJob({ jobId: id });
    expect(ended?.changeIndex).toBeGreaterThan(job?.changeIndex ?? 0);
    await Promise.all(watchers);
  });
});

describe("RetryJobs", () => {
  async function runs(ids: readonly string[]): Promise<(number | undefined)[]> {
    const jobs = await Promise.all(ids.map((jobId) => edge.jobs.getJob({ jobId })));
    return jobs.map(({ job }) => job?.run);
  }

  test("retries what matches, a piece a call, with a token that goes on", async () => {
    const ids: string[] = [];
    for (let at = 0; at < 5; at += 1) ids.push((await failed()).id);
    const { job: first } = await edge.jobs.getJob({ jobId: ids[0] ?? "" });
    const request = RetryJobsRequest.fromPartial({
      ...{ kind: "flaky", errorCode: "ILL", maxCount: 3 },
      createdFrom: first?.createTime,
      requestId: "bulk",
    });
    const one = await edge.jobs.retryJobs(request);
    expect([one.retriedCount, one.nextPageToken === ""]).toEqual([3, false]);
    expect(await runs(ids)).toEqual([2, 2, 2, 1, 1]);
    const two = await edge.jobs.retryJobs({ ...request, pageToken: one.nextPageToken });
    expect(two).toEqual({ retriedCount: 2, nextPageToken: "" });
    expect(await runs(ids)).toEqual([2, 2, 2, 2, 2]);
    // Asked again as a whole: all that this request would retry, it has.
    const again = await edge.jobs.retryJobs({ ...request, maxCount: 0 });
    expect(again).toEqual({ retriedCount: 5, nextPageToken: "" });
    expect(await runs(ids)).toEqual([2, 2, 2, 2, 2]);
  });

  test("tells all that is wrong, and takes no token of another filter", async () => {
    const wrong = RetryJobsRequest.fromPartial({
      ...{ state: JobState.JOB_STATE_RUNNING, kind: "a b", maxCount: -1 },
    });
    const fields = (await failureOf(edge.jobs.retryJobs(wrong))).violations.map((one) => one.field);
    expect(fields).toEqual(["state", "kind", "max_count"]);
    await failed();
    await failed();
    const { nextPageToken } = await edge.jobs.retryJobs(
      RetryJobsRequest.fromPartial({ kind: "flaky", maxCount: 1 }),
    );
    const other = RetryJobsRequest.fromPartial({ queue: "default", pageToken: nextPageToken });
    expect((await failureOf(edge.jobs.retryJobs(other))).violations).toMatchObject([
      { field: "page_token" },
    ]);
  });

  test("is one call of the client, with a definition's own words", async () => {
    const client = createClient({ address: edge.address });
    const definition = defineJob({ kind: "flaky", input: z.string(), handler: () => "well" });
    const name = randomUUID();
    const handle = await client.submit(definition, name);
    await expect(handle.result()).rejects.toMatchObject({ state: "FAILED", code: "ILL" });
    healed.add(name);
    expect(await client.retryAll({ kind: "flaky", errorCode: "ILL" })).toBeGreaterThan(0);
    expect(await handle.result()).toBe("well");
    const { id } = await failed();
    expect(await client.retry(id)).toMatchObject({ id, run: 2 });
    client.close();
  });
});

describe("a total timeout", () => {
  test("ends a job that nobody runs; the wait is told why", async () => {
    const spec = jobSpec({ kind: "idle", totalTimeout: durationOf(80) });
    const { job } = await edge.jobs.runJob({ job: spec });
    expect(job).toMatchObject({
      ...{ state: JobState.JOB_STATE_FAILED, attempts: [], totalTimeout: durationOf(80) },
      error: { code: "DEADLINE_PASSED", retryable: false },
    });
    expect(job?.deadlineTime?.getTime()).toBe((job?.createTime?.getTime() ?? 0) + 80);
  });

  test("and a jitter are checked with all other fields", async () => {
    const job = jobSpec({
      totalTimeout: { seconds: -1, nanos: 0 },
      backoff: { initial: undefined, multiplier: 1, max: undefined, jitter: 1.5 },
    });
    const failure = await failureOf(edge.jobs.submitJob({ job }));
    expect(failure.violations.map(({ field }) => field).sort()).toEqual([
      ...["job.backoff.jitter", "job.total_timeout"],
    ]);
  });
});

test("progress is seen by whoever watches", async () => {
  const { jobId } = await edge.jobs.submitJob({ job: jobSpec({ kind: "idle" }) });
  const start = { jobId, worker: "w", startId: "s", leaseMs: 60_000 };
  edge.quorum.apply({ kind: "start-attempt", ...start });
  const token = edge.quorum.index;
  const seen: Job[] = [];
  const watch = edge.jobs.watchJob({ jobId, afterIndex: token });
  const report = { jobId, token, sequence: 1, progress: Buffer.from("50"), lineCount: 1 };
  const reports = [{ ...report, lines: ["half"] }];
  edge.quorum.apply({ kind: "report-progress", worker: "w", reports });
  for await (const { job } of watch) {
    if (job === undefined) continue;
    seen.push(job);
    if (job.state === JobState.JOB_STATE_RUNNING) {
      edge.quorum.apply({ kind: "cancel-job", jobId, reason: "" });
    }
  }
  expect(seen[0]).toMatchObject({
    ...{ progress: Buffer.from("50"), logLineCount: 1, logLines: [{ attempt: 1, text: "half" }] },
  });
  expect(seen.at(-1)?.state).toBe(JobState.JOB_STATE_CANCELLED);
});

describe("the CLI", () => {
  const cli = (...words: string[]) => runCli([...words, "--address", edge.address]);

  test("retries a job, and shows its runs", async () => {
    const { id } = await failed();
    const { code, stdout } = await cli("retry", id, "--request-id", "from-cli");
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining("QUEUED") });
    await edge.jobs.waitJob({ jobId: id });
    const shown = await cli("get", id);
    expect(shown.stdout).toMatch(/run +2, after 1 that ended without a result/);
    expect(shown.stdout).toMatch(/attempts +1 of 1/);
  });

  test("retries all that match, and says how many", async () => {
    await failed();
    const { code, stdout } = await cli(
      "redrive",
      "--kind",
      "flaky",
      "--error",
      "ILL",
      "-o",
      "json",
    );
    expect(code).toBe(0);
    expect(JSON.parse(stdout).retried).toBeGreaterThan(0);
    const wrong = await cli("redrive", "--created-before", "yesterday");
    expect({ code: wrong.code, stderr: wrong.stderr }).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("not a time"),
    });
  });
});
