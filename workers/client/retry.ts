// A bulk retry as a caller of the public client meets it: one call, however many jobs there are.
//
// Guarantees: the gateway is asked piece by piece until all jobs were looked at; a piece that is
// asked again (after a failover, say) is of the same request, so no job is retried twice by it.

import { randomUUID } from "node:crypto";
import { JobState } from "../../protos/gen/quorumq/v1/job.ts";
import { RetryJobsRequest } from "../../protos/gen/quorumq/v1/job_service.ts";
import type { JobsConnection } from "../../transport/grpc/client.ts";
import { type CallOptions, callOptions } from "./call-options.ts";

/** Which jobs are retried; what is absent matches all. A deadline is that of each piece. */
export interface RetryFilter extends CallOptions {
  /** Default FAILED. */
  readonly state?: "FAILED" | "CANCELLED";
  readonly kind?: string;
  readonly queue?: string;
  /** The code of the job's error. */
  readonly errorCode?: string;
  readonly createdFrom?: Date;
  /** Exclusive. */
  readonly createdBefore?: Date;
}

export async function retryAll(
  jobs: JobsConnection["jobs"],
  { state, kind = "", queue = "", errorCode = "", ...rest }: RetryFilter,
): Promise<number> {
  const isCancelled = state === "CANCELLED";
  const request = RetryJobsRequest.fromPartial({
    ...{ kind, queue, errorCode },
    createdFrom: rest.createdFrom,
    createdBefore: rest.createdBefore,
    state: isCancelled ? JobState.JOB_STATE_CANCELLED : JobState.JOB_STATE_FAILED,
    requestId: randomUUID(),
  });
  let count = 0;
  let pageToken = "";
  do {
    const piece = await jobs.retryJobs({ ...request, pageToken }, callOptions(rest));
    count += piece.retriedCount;
    pageToken = piece.nextPageToken;
  } while (pageToken !== "");
  return count;
}
