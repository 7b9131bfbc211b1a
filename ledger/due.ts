// When something about a job falls due: the moment at which tick.ts has to look at it.
//
// Guarantees: `dueMsOf` is the only definition; the index holds it for every job that has one, so
// the earliest is known at once, however many jobs there are.
// Does not own: what happens then (tick.ts).

import { isTerminal, JobState } from "./job.ts";
import { plusMs } from "./milliseconds.ts";
import type { AttemptRecord, JobRecord } from "./record.ts";
import type { Ledger } from "./state.ts";

/** null: nothing about this job waits for time. */
export function dueMsOf(ledger: Ledger, job: JobRecord): number | null {
  let dueMs = ownDueMsOf(ledger, job) ?? Number.POSITIVE_INFINITY;
  if (job.keysUntilMs > 0) dueMs = Math.min(dueMs, job.keysUntilMs);
  if (job.deadlineMs > 0 && !isTerminal(job.state)) dueMs = Math.min(dueMs, job.deadlineMs);
  return dueMs === Number.POSITIVE_INFINITY ? null : dueMs;
}

/** What the state itself waits for. */
function ownDueMsOf(ledger: Ledger, job: JobRecord): number | null {
  switch (job.state) {
    case JobState.Scheduled:
      // A parent has to wait for its children first, however long that is.
      return job.pendingChildCount > 0 ? null : job.runAtMs;
    case JobState.Running: {
      const attempt = job.attempts.at(-1);
      if (attempt === undefined) return null;
      return Math.min(attempt.leaseExpiryMs, timeoutMsOf(ledger, job, attempt));
    }
    case JobState.Queued:
      return job.claimExpiryMs > 0 ? job.claimExpiryMs : null;
    default:
      return null;
  }
}

/**
 * When the ledger itself ends an attempt that runs too long: a lease later than the worker should
 * have. The time before the current leader's term counts as none, since nothing could be reported.
 */
export function timeoutMsOf(ledger: Ledger, job: JobRecord, attempt: AttemptRecord): number {
  if (job.attemptTimeoutMs === 0) return Number.POSITIVE_INFINITY;
  const reportMs = Math.max(plusMs(attempt.startMs, job.attemptTimeoutMs), ledger.termOpenedMs);
  return plusMs(reportMs, attempt.leaseMs);
}

/** To be called whenever what `dueMsOf` reads has changed. */
export function indexDue(ledger: Ledger, job: JobRecord): void {
  const dueMs = dueMsOf(ledger, job);
  if (dueMs === null) ledger.due.remove(job);
  else ledger.due.set(job, dueMs);
}
