// How much history a job may gather: its record is kept whole, in memory and in every snapshot.
//
// Guarantees: a job has at most RUNS_MAX runs of its own asking and, by hand-backs, which count for
// nothing else, at most ATTEMPTS_MAX attempts. What counts against maxAttempts ends by itself.
// Does not own: how runs begin (retry.ts) and attempts end (attempt-end.ts).

import type { End } from "./attempt-end.ts";
import { HANDED_BACK_TOO_OFTEN } from "./own-error.ts";
import type { JobRecord } from "./record.ts";

/** A job that is retried every hour gets there in three weeks. */
export const RUNS_MAX = 500;
/** A few hundred bytes each, without an error message. */
export const ATTEMPTS_MAX = 500;

/** True: it is retried no more; a new submission begins with a record of its own. */
export function isSpent({ run, attempts }: JobRecord): boolean {
  return run >= RUNS_MAX || attempts.length >= ATTEMPTS_MAX;
}

/** A hand-back too many is a failure, which counts: a worker that does nothing else is not well. */
export function withinHistory({ attempts }: JobRecord, end: End): End {
  if (end.outcome !== "handed-back" || attempts.length < ATTEMPTS_MAX) return end;
  return { outcome: "failed", error: HANDED_BACK_TOO_OFTEN };
}
