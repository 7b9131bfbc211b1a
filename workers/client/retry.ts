// A bulk retry as a caller of the public client meets it: one call, however many jobs there are.
//
// Guarantees: the gateway is asked piece by piece until all jobs were looked at; a piece that is
// asked again (after a failover, say) is of the same request, so no job is retried twice by it.

import { randomUUID } from "node:crypto";
import { JobState } from "../../protos/gen/quorumq/v1/job.ts";
import { RetryJobsRequest } from "../../protos/gen/quorumq/v1/job_service.ts";
import type { JobsConnection } from "../../transport/grpc/client.ts";

/** Which jobs are retried; what is absent matches all. */
export interface RetryFilter {
  /** Default FAILED. */
  readonly state?: "FAILED" | "CANCELLED";
  readonly kind?: string;
  readonly queue?: string;
  /** The code of the job's error. */
  readonly errorCode?: string;
  readonly createdFrom?: Date;
  /** Exclusive. */
  readonly createdBefore?: Date;
  readonly signal?: AbortSignal;
}

export async function retryAll(
  jobs: JobsConnection["jobs"],
  { state, signal, ...filter }: RetryFilter,
): Promise<number> {
  const isCancelled = state === "CANCELLED";
  const request = RetryJobsRequest.fromPartial({
    ...filter,
    state: isCancelled ? JobState.JOB_STATE_CANCELLED : JobState.JOB_STATE_FAILED,
    requestId: randomUUID(),
  });
  const options = signal === undefined ? {} : { signal };
  let count = 0;
  let pageToken = "";
  do {
    const piece = await jobs.retryJobs({ ...request, pageToken }, options);
    count += piece.retriedCount;
    pageToken = piece.nextPageToken;
  } while (pageToken !== "");
  return count;
}
