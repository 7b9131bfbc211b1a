// ListJobs, GetJob, CancelJob and GetCluster over gRPC.

import { beforeAll, describe, expect, jest, test } from "@jest/globals";
import { JobState } from "../../../protos/gen/quorumq/v1/job.ts";
import { ListJobsRequest } from "../../../protos/gen/quorumq/v1/job_service.ts";
import { type Edge, failureOf, startEdge } from "../../support/edge.ts";
import { jobSpec } from "../../support/job-spec.ts";
import { registerKinds, runTinyExecutor } from "../../support/tiny-executor.ts";

jest.setTimeout(30_000);

let edge: Edge;
let ids: string[];

beforeAll(async () => {
  edge = await startEdge();
  await registerKinds(edge.quorum, ["idle", "other"]);
  await runTinyExecutor(edge.quorum, { echo: (input) => ({ result: input }) });
  const jobs = Array.from({ length: 25 }, (_, i) =>
    jobSpec({ kind: i % 5 === 0 ? "other" : "idle", payload: Buffer.from(`${i}`) }),
  );
  const submitted = await edge.jobs.batchSubmitJobs({ jobs });
  ids = submitted.jobs.map(({ jobId }) => jobId).reverse();
});

function request(change: Partial<ListJobsRequest>): ListJobsRequest {
  return ListJobsRequest.fromPartial(change);
}

async function pages(change: Partial<ListJobsRequest>): Promise<string[][]> {
  const found: string[][] = [];
  for (let pageToken = ""; ; ) {
    const page = await edge.jobs.listJobs(request({ ...change, pageToken }));
    found.push(page.jobs.map(({ id }) => id));
    pageToken = page.nextPageToken;
    if (pageToken === "") return found;
  }
}

describe("ListJobs", () => {
  test("gives every job once, newest first, in pages of the size asked for", async () => {
    const found = await pages({ pageSize: 10 });
    expect(found.map((page) => page.length)).toEqual([10, 10, 5]);
    expect(found.flat()).toEqual(ids);
  });

  test("gives what matches the filter only", async () => {
    const found = await pages({ pageSize: 2, kind: "other", queue: "default", state: 2 });
    expect(found.flat()).toEqual(ids.filter((_, i) => (ids.length - 1 - i) % 5 === 0));
    expect(await pages({ state: JobState.JOB_STATE_FAILED })).toEqual([[]]);
  });

  test("leaves out payloads and results", async () => {
    const { jobs } = await edge.jobs.listJobs(request({}));
    for (const { payload, result } of jobs) expect(payload.byteLength + result.byteLength).toBe(0);
  });

  test("gives at most the largest page", async () => {
    expect((await edge.jobs.listJobs(request({ pageSize: 1_000_000 }))).jobs).toHaveLength(25);
  });

  test("refuses a token with another filter", async () => {
    const { nextPageToken } = await edge.jobs.listJobs(request({ pageSize: 3 }));
    const other = request({ pageSize: 3, kind: "idle", pageToken: nextPageToken });
    const error = await failureOf(edge.jobs.listJobs(other));
    expect(error).toMatchObject({
      code: "INVALID_ARGUMENT",
      violations: [{ field: "page_token" }],
    });
  });

  test("tells all problems of a request at once", async () => {
    const wrong = { kind: "a b", queue: ":", scheduleId: "/", parentJobId: "j".repeat(600) };
    const bad = request({ pageSize: -1, pageToken: "x", ...wrong });
    const error = await failureOf(edge.jobs.listJobs(bad));
    expect(error.violations.map(({ field }) => field)).toEqual([
      "page_size",
      "kind",
      "queue",
      "schedule_id",
      "parent_job_id",
      "page_token",
    ]);
  });
});

describe("CancelJob", () => {
  test("cancels a job that waits, and once is as good as twice", async () => {
    const { jobId } = await edge.jobs.submitJob({ job: jobSpec({ kind: "idle" }) });
    const { job } = await edge.jobs.cancelJob({ jobId, reason: "not needed" });
    expect(job).toMatchObject({
      id: jobId,
      state: JobState.JOB_STATE_CANCELLED,
      error: { message: "not needed" },
    });
    expect((await edge.jobs.cancelJob({ jobId, reason: "" })).job).toEqual(job);
  });

  test("refuses a job that has ended, and names its state", async () => {
    const { job } = await edge.jobs.runJob({ job: jobSpec() });
    const jobId = job?.id ?? "";
    const error = await failureOf(edge.jobs.cancelJob({ jobId, reason: "" }));
    expect(error).toMatchObject({ code: "FAILED_PRECONDITION", reason: "JOB_FINISHED" });
    expect(error.metadata).toEqual({ job_id: jobId, state: "SUCCEEDED" });
  });

  test("of an unknown job is NOT_FOUND", async () => {
    const error = await failureOf(edge.jobs.cancelJob({ jobId: "j-999999", reason: "" }));
    expect(error).toMatchObject({ code: "NOT_FOUND", reason: "JOB_NOT_FOUND" });
  });

  test("refuses an empty id and an endless reason", async () => {
    const error = await failureOf(edge.jobs.cancelJob({ jobId: "", reason: "x".repeat(5_000) }));
    expect(error.violations.map(({ field }) => field)).toEqual(["job_id", "reason"]);
  });
});

test("GetCluster shows the quorum as its leader sees it", async () => {
  const cluster = await edge.cluster.getCluster({});
  expect(cluster.leaderId).toBe("solo");
  expect(cluster.counts?.accepted).toBe(edge.quorum.ledger.jobs.length);
});

test("GetJob of an unknown job is NOT_FOUND", async () => {
  const error = await failureOf(edge.jobs.getJob({ jobId: "j-999999" }));
  expect(error).toMatchObject({ code: "NOT_FOUND", reason: "JOB_NOT_FOUND" });
});

test("ListJobs repeats nothing and misses nothing that was there, while jobs are submitted", async () => {
  const kind = "other";
  const before = (await pages({ pageSize: 1_000, kind })).flat();
  const found: string[] = [];
  for (let pageToken = ""; ; ) {
    const page = await edge.jobs.listJobs(request({ pageSize: 2, kind, pageToken }));
    found.push(...page.jobs.map(({ id }) => id));
    pageToken = page.nextPageToken;
    if (pageToken === "") break;
    await edge.jobs.batchSubmitJobs({ jobs: [jobSpec({ kind }), jobSpec({ kind })] });
  }
  expect(found).toEqual(before);
});

test("ListJobs goes on below a job that has been forgotten since the last page", async () => {
  await registerKinds(edge.quorum, ["kept"]);
  const specs = Array.from({ length: 6 }, () => jobSpec({ kind: "kept" }));
  const submitted = (await edge.jobs.batchSubmitJobs({ jobs: specs })).jobs;
  const newestFirst = submitted.map(({ jobId }) => jobId).reverse();
  const first = await edge.jobs.listJobs(request({ pageSize: 2, kind: "kept" }));
  const jobId = newestFirst[1] ?? "";
  await edge.jobs.cancelJob({ jobId, reason: "" });
  edge.quorum.apply({
    kind: "forget-jobs",
    endedBeforeMs: edge.quorum.nowMs() + 60_000,
    keptMax: 0,
    spareBeforeMs: 0,
    keyMs: 0,
    limit: 1_000,
  });
  expect((await failureOf(edge.jobs.getJob({ jobId }))).reason).toBe("JOB_NOT_FOUND");
  const { nextPageToken: pageToken } = first;
  const rest = await edge.jobs.listJobs(request({ pageSize: 9, kind: "kept", pageToken }));
  expect(rest.jobs.map(({ id }) => id)).toEqual(newestFirst.slice(2));
});
