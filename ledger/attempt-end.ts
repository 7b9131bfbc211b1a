// How an attempt ends, and what becomes of its job: done, failed, cancelled, or another attempt.
//
// Guarantees: an attempt ends once; every outcome but handed-back counts against maxAttempts; a
// result or final error is written once a run (I16). The job's locks are free afterwards, unless it
// was cut short: then its worker has yet to hear of it, and they are kept until it has stopped.
// Does not own: who may end it (attempt.ts checks the token, tick.ts and deadline.ts the time,
// cancel.ts the state).

import { backoffMs, drawFor } from "./backoff.ts";
import { enter } from "./change.ts";
import type { ReportedOutcome } from "./command.ts";
import { liveAttempt } from "./fencing.ts";
import { type AttemptOutcome, isTerminal, type JobError, JobState } from "./job.ts";
import { plusMs } from "./milliseconds.ts";
import { ATTEMPT_TIMED_OUT, DEADLINE_PASSED, LOCK_LOST, UNKNOWN } from "./own-error.ts";
import { release } from "./park.ts";
import type { Finished, JobRecord } from "./record.ts";
import type { Turn } from "./state.ts";
import { wakeAfter } from "./wake.ts";

export type End =
  | { readonly outcome: "succeeded"; readonly result: Uint8Array }
  | { readonly outcome: "handed-back"; readonly error: JobError | null }
  | {
      readonly outcome: Exclude<AttemptOutcome, "started" | "succeeded" | "handed-back">;
      readonly error: JobError;
    };

/** What a worker's report says, with what it left out. */
export function endOf(report: {
  readonly outcome: ReportedOutcome;
  readonly result: Uint8Array | null;
  readonly error: JobError | null;
}): End {
  const { outcome, error } = report;
  switch (outcome) {
    case "succeeded":
      // Copied, as payloads are; a result that is not there is JSON's null, which is empty.
      return { outcome, result: new Uint8Array(report.result ?? []) };
    case "handed-back":
      return { outcome, error };
    case "timed-out":
      return { outcome, error: error ?? ATTEMPT_TIMED_OUT };
    case "fenced":
      return { outcome, error: error ?? LOCK_LOST };
    case "failed":
      return { outcome, error: error ?? UNKNOWN };
  }
}

export function endAttempt(turn: Turn, job: JobRecord, end: End): Finished {
  const { clockMs, counters } = turn.ledger;
  const attempt = liveAttempt(job);
  attempt.outcome = end.outcome;
  attempt.endMs = clockMs;
  attempt.error = end.outcome === "succeeded" ? null : end.error;
  job.currentToken = 0;
  if (end.outcome !== "handed-back") job.attemptsUsed += 1;
  if (end.outcome === "lost") counters.attemptsLost += 1;
  // The very object: a worker's own report may have the same words.
  const isCut = end.outcome === "cancelled" || attempt.error === DEADLINE_PASSED;
  const keepsKeys = isCut && job.lockKeys.length > 0;
  if (keepsKeys) job.keysUntilMs = attempt.leaseExpiryMs;
  enter(turn, job, settle(turn, job, end));
  if (job.keysUntilMs === 0) release(turn, job);
  wakeAfter(turn, job);
  const nextAttemptMs = isTerminal(job.state) ? 0 : Math.max(job.runAtMs, clockMs);
  return { kind: "finished", state: job.state, nextAttemptMs };
}

/** Writes down what the end means for the job, and tells the state that it enters. */
function settle(turn: Turn, job: JobRecord, end: End): JobState {
  const { clockMs, counters } = turn.ledger;
  switch (end.outcome) {
    case "succeeded":
      job.result = end.result;
      counters.recorded += 1;
      return JobState.Succeeded;
    case "cancelled":
      job.error = end.error;
      return JobState.Cancelled;
    case "handed-back":
      return JobState.Queued;
    default:
      if (end.error.retryable && job.attemptsUsed < job.maxAttempts) {
        const draw = drawFor(turn.random, job.number);
        job.runAtMs = plusMs(clockMs, backoffMs(job.backoff, job.attemptsUsed, draw));
        return job.runAtMs > clockMs ? JobState.Scheduled : JobState.Queued;
      }
      job.error = end.error;
      counters.recorded += 1;
      return JobState.Failed;
  }
}
