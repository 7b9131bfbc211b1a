// RetryJob and RetryJobs: new runs of what has failed or was cancelled.
//
// Guarantees: each call is one request, whose id goes into every command, so that sending again
// inside the gateway's time retries no job twice; an unknown outcome names the id. A bulk retry
// asks the quorum piece by piece until it has retried max_count jobs, looked at all, or used its
// time; its page token says where to go on, and is bound to the filter.

import { randomUUID } from "node:crypto";
import type { RetryFilter } from "../../ledger/command.ts";
import type { RetriedJobs } from "../../protos/gen/node/v1/exchange.ts";
import { type Job, JobState } from "../../protos/gen/quorumq/v1/job.ts";
import type {
  RetryJobsRequest,
  RetryJobsResponse,
} from "../../protos/gen/quorumq/v1/job_service.ts";
import type { Call } from "../../transport/grpc/call.ts";
import type { JobHandlers } from "../../transport/grpc/server.ts";
import { KEY_LENGTH_MAX, RETRY_COUNT_DEFAULT, RETRY_COUNT_MAX } from "../../transport/limit.ts";
import type { Quorum } from "../../transport/quorum.ts";
import { AttributeName } from "../../transport/telemetry/name.ts";
import { propose, timeLeft } from "./ask.ts";
import { jobNotFound, outcomeUnknown, retryRefused } from "./outcome.ts";
import { type BulkRetry, parseRetryToken, retryToken } from "./retry-token.ts";
import {
  checkEnd,
  checkFilterName,
  checkJobId,
  checkLength,
  checkRange,
  checkTime,
} from "./validate.ts";
import { quoted, Violations } from "./violations.ts";

type RetryHandlers = Required<Pick<JobHandlers, "retryJob" | "retryJobs">>;

/** A piece is begun only if so much of the call's time is left: its answer has to be told. */
const PIECE_MS = 500;

export function retryHandlers(quorum: Quorum): RetryHandlers {
  return {
    retryJob: async ({ jobId, requestId }, call) => {
      const violations = new Violations();
      checkJobId(jobId, violations);
      checkLength(requestId, "request_id", KEY_LENGTH_MAX, violations);
      violations.requireNone();
      call.annotate({ [AttributeName.JobId]: jobId });
      return { job: await retryOne(quorum, jobId, requestId || randomUUID(), call) };
    },
    retryJobs: (request, call) => retryMany(quorum, request, call),
  };
}

async function retryOne(
  quorum: Quorum,
  jobId: string,
  requestId: string,
  call: Call,
): Promise<Job | undefined> {
  const command = { kind: "retry-job", jobId, requestId } as const;
  const applied = await propose(quorum, command, call, timeLeft(call));
  if (applied === null) {
    throw outcomeUnknown(
      `job ${jobId} may have been retried`,
      `look at it, or retry it again with the same request_id ${quoted(requestId)}`,
      { job_id: jobId, request_id: requestId },
    );
  }
  switch (applied.result?.$case) {
    case "retried":
      return applied.result.value.job;
    case "retryRefused":
      throw retryRefused(jobId, applied.result.value.state);
    case "jobNotFound":
      throw jobNotFound(jobId);
    default:
      throw new Error(`retry answered with ${applied.result?.$case ?? "nothing"}`);
  }
}

async function retryMany(
  quorum: Quorum,
  request: RetryJobsRequest,
  call: Call,
): Promise<RetryJobsResponse> {
  const { filter, maxCount, begun } = checkRequest(request);
  const leftMs = timeLeft(call);
  const { requestId } = begun;
  let { fromNumber } = begun;
  let retriedCount = 0;
  do {
    const retriesMax = maxCount - retriedCount;
    const command = { kind: "retry-jobs", filter, requestId, fromNumber, retriesMax } as const;
    const applied = await propose(quorum, command, call, leftMs);
    if (applied === null) {
      throw outcomeUnknown(
        "some jobs may have been retried",
        `call again with the same page_token and request_id ${quoted(requestId)}`,
        { request_id: requestId },
      );
    }
    const piece = pieceOf(applied);
    retriedCount += piece.retriedCount;
    fromNumber = piece.nextNumber;
  } while (fromNumber > 0 && retriedCount < maxCount && leftMs() > PIECE_MS);
  const nextPageToken = fromNumber === 0 ? "" : retryToken(filter, { fromNumber, requestId });
  return { retriedCount, nextPageToken };
}

function pieceOf({ result }: Awaited<ReturnType<typeof propose>> & object): RetriedJobs {
  if (result?.$case === "retriedJobs") return result.value;
  throw new Error(`bulk retry answered with ${result?.$case ?? "nothing"}`);
}

function checkRequest(request: RetryJobsRequest): {
  readonly filter: RetryFilter;
  readonly maxCount: number;
  readonly begun: BulkRetry;
} {
  const { state, kind, queue, errorCode, pageToken } = request;
  const violations = new Violations();
  const { JOB_STATE_UNSPECIFIED, JOB_STATE_FAILED, JOB_STATE_CANCELLED } = JobState;
  const isRetryable = [JOB_STATE_UNSPECIFIED, JOB_STATE_FAILED, JOB_STATE_CANCELLED].some(
    (one) => one === state,
  );
  if (!isRetryable) {
    violations.add("state", "cannot be retried", state, "JOB_STATE_FAILED or JOB_STATE_CANCELLED");
  }
  checkFilterName(kind, "kind", violations);
  checkFilterName(queue, "queue", violations);
  checkLength(errorCode, "error_code", KEY_LENGTH_MAX, violations);
  checkRange(request.maxCount, "max_count", RETRY_COUNT_MAX, violations);
  checkLength(request.requestId, "request_id", KEY_LENGTH_MAX, violations);
  const filter: RetryFilter = {
    state: state === JOB_STATE_CANCELLED ? "cancelled" : "failed",
    kind,
    queue,
    errorCode,
    createdFromMs: checkTime(request.createdFrom, "created_from", violations),
    createdBeforeMs: checkEnd(request.createdBefore, "created_before", violations),
  };
  const fresh: BulkRetry = { fromNumber: 0, requestId: request.requestId || randomUUID() };
  const begun = pageToken === "" ? fresh : parseRetryToken(filter, pageToken);
  if (begun === null) {
    const limit = "the next_page_token of a bulk retry with the same filter";
    violations.add("page_token", "does not belong to this retry", quoted(pageToken), limit);
  }
  violations.requireNone();
  return { filter, maxCount: request.maxCount || RETRY_COUNT_DEFAULT, begun: begun ?? fresh };
}
