// What the queues need to know of a job, copied from the ledger's own.
//
// Guarantees: null for a job that is not to be put before a worker as it is now, or that is not to
// be taken back from there.

import type { Job } from "../ledger/job.ts";
import type { DeliveryRef } from "../transport/redis/delivery.ts";
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

/**
 * For a job that may have been put before workers and that none may start any more. One that has
 * run is none of them, mostly: its delivery ends with its attempt.
 */
export function toTakenBack(job: Readonly<QueuedJob>): DeliveryRef | null {
  const { id: jobId, dispatch, queue, state, parkedFor, waitsAt } = job;
  const isKeptBack = state === "queued" && (parkedFor !== "" || waitsAt !== "");
  if (dispatch === 0 || !(isKeptBack || state === "cancelled" || state === "failed")) return null;
  return { queue, jobId, dispatch };
}
