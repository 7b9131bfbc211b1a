// GetJob, ListJobs and CancelJob: one question or command each, answered by the leader.
//
// Guarantees: reads are linearizable; NOT_FOUND is told only when the quorum says so. Pages are
// newest first, at most PAGE_SIZE_MAX long, and an empty next_page_token is the only end.

import type { Job } from "../../protos/gen/quorumq/v1/job.ts";
import { JobState } from "../../protos/gen/quorumq/v1/job.ts";
import type { ListJobsRequest, ListJobsResponse } from "../../protos/gen/quorumq/v1/job_service.ts";
import type { Call } from "../../transport/grpc/call.ts";
import type { JobHandlers } from "../../transport/grpc/server.ts";
import { KEY_LENGTH_MAX, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX } from "../../transport/limit.ts";
import type { Quorum } from "../../transport/quorum.ts";
import { AttributeName } from "../../transport/telemetry/name.ts";
import { propose, read, timeLeft } from "./ask.ts";
import { jobFinished, jobNotFound, outcomeUnknown } from "./outcome.ts";
import { pageToken, parsePageToken } from "./page-token.ts";
import { checkFilterName, checkJobId, checkLength, checkReason } from "./validate.ts";
import { quoted, Violations } from "./violations.ts";

type ReadHandlers = Required<Pick<JobHandlers, "getJob" | "listJobs" | "cancelJob">>;

const STATES: ReadonlySet<number> = new Set(Object.values(JobState));

export function jobHandlers(quorum: Quorum): ReadHandlers {
  return {
    getJob: async ({ jobId }, call) => {
      const violations = new Violations();
      checkJobId(jobId, violations);
      violations.requireNone();
      call.annotate({ [AttributeName.JobId]: jobId });
      const value = { jobIds: [jobId] };
      const answer = await read(quorum, { read: { $case: "jobs", value } }, call);
      const [job] = answer.jobs;
      if (job === undefined) throw jobNotFound(jobId);
      return { job };
    },
    listJobs: (request, call) => list(quorum, request, call),
    cancelJob: async ({ jobId, reason }, call) => {
      const violations = new Violations();
      checkJobId(jobId, violations);
      checkReason(reason, violations);
      violations.requireNone();
      call.annotate({ [AttributeName.JobId]: jobId });
      return { job: await cancel(quorum, jobId, reason, call) };
    },
  };
}

async function cancel(
  quorum: Quorum,
  jobId: string,
  reason: string,
  call: Call,
): Promise<Job | undefined> {
  const command = { kind: "cancel-job", jobId, reason } as const;
  const applied = await propose(quorum, command, call, timeLeft(call));
  if (applied === null) {
    throw outcomeUnknown(`job ${jobId} may have been cancelled`, "look at it, or cancel it again", {
      job_id: jobId,
    });
  }
  switch (applied.result?.$case) {
    case "cancelled":
      return applied.result.value.job;
    case "cancelRefused":
      throw jobFinished(jobId, applied.result.value.state);
    case "jobNotFound":
      throw jobNotFound(jobId);
    default:
      throw new Error(`cancellation answered with ${applied.result?.$case ?? "nothing"}`);
  }
}

async function list(
  quorum: Quorum,
  request: ListJobsRequest,
  call: Call,
): Promise<ListJobsResponse> {
  const { state, kind, queue, scheduleId, parentJobId } = request;
  const filter = { state, kind, queue, scheduleId, parentJobId };
  const violations = new Violations();
  if (request.pageSize < 0) {
    violations.add("page_size", "is negative", request.pageSize, `0 to ${PAGE_SIZE_MAX}`);
  }
  if (!STATES.has(state)) violations.add("state", "is not a state", state, "a JobState");
  checkFilterName(kind, "kind", violations);
  checkFilterName(queue, "queue", violations);
  checkFilterName(scheduleId, "schedule_id", violations);
  checkLength(parentJobId, "parent_job_id", KEY_LENGTH_MAX, violations);
  const beforeJobId = request.pageToken === "" ? "" : parsePageToken(filter, request.pageToken);
  if (beforeJobId === null) {
    const limit = "the next_page_token of a list with the same filter";
    violations.add("page_token", "does not belong to this list", quoted(request.pageToken), limit);
  }
  violations.requireNone();
  const pageSize = Math.min(
    request.pageSize === 0 ? PAGE_SIZE_DEFAULT : request.pageSize,
    PAGE_SIZE_MAX,
  );
  const value = { pageSize, beforeJobId: beforeJobId ?? "", ...filter };
  const { jobs, hasMore } = await read(quorum, { read: { $case: "list", value } }, call);
  const last = jobs.at(-1);
  return { jobs, nextPageToken: hasMore && last !== undefined ? pageToken(filter, last.id) : "" };
}
