// Cancelling a job, at the caller's wish.
//
// Guarantees: what has not finished is cancelled at once, also while it runs: its attempt is over
// and its late report is refused. Its locks are free when its handler has stopped, or its lease is
// over. Cancelling twice is cancelling once; what has finished stays as it is. The children of what
// was cancelled are cancelled when the command is done (family.ts).
// Does not own: telling the worker, who learns it from the event or from its next renewal.

import { endAttempt } from "./attempt-end.ts";
import { enter } from "./change.ts";
import type { CommandBody } from "./command.ts";
import { isTerminal, type JobError, JobState } from "./job.ts";
import { giveUp } from "./park.ts";
import type { JobRecord } from "./record.ts";
import type { Result } from "./result.ts";
import type { Turn } from "./state.ts";

export function cancelJob(
  turn: Turn,
  { jobId, reason }: Extract<CommandBody, { kind: "cancel-job" }>,
): Result {
  const job = turn.ledger.jobs.get(jobId);
  if (job === undefined) return { kind: "job-not-found", jobId };
  if (job.state === JobState.Cancelled) return { kind: "cancelled", job };
  if (isTerminal(job.state)) return { kind: "cancel-refused", state: job.state };
  cancelNow(turn, job, reason);
  return { kind: "cancelled", job };
}

/** Of a job that has not ended. */
export function cancelNow(turn: Turn, job: JobRecord, reason: string): void {
  const error: JobError = { code: "CANCELLED", message: reason, retryable: false };
  if (job.state === JobState.Running) {
    endAttempt(turn, job, { outcome: "cancelled", error });
  } else {
    cancelWaiting(turn, job, error);
  }
}

/** For a job that neither runs nor has ended. */
export function cancelWaiting(turn: Turn, job: JobRecord, error: JobError): void {
  job.error = error;
  enter(turn, job, JobState.Cancelled);
  giveUp(turn, job);
}
