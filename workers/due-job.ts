// What the queues need to know of a job, copied from the ledger's own.
//
// Guarantees: null for a job that is not to be put before a worker as it is now.

import type { Job } from "../ledger/job.ts";
import type { DueJob } from "../transport/redis/job-queue.ts";

/** What is read of a ledger's job. */
export type QueuedJob = Pick<
  Job,
  | "id"
  | "dispatch"
  | "kind"
  | "queue"
  | "priority"
  | "traceparent"
  | "state"
  | "parkedFor"
  | "waitsAt"
>;

export function toDueJob(job: Readonly<QueuedJob>): DueJob | null {
  if (job.state !== "queued" || job.parkedFor !== "" || job.waitsAt !== "") return null;
  const { id: jobId, dispatch, kind, queue, priority, traceparent } = job;
  return { jobId, dispatch, kind, queue, priority, traceparent };
}
