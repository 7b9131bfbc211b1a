// The errors that the ledger itself writes, where no worker has given one.
//
// Guarantees: codes are stable words for programs. Only the ledger writes DEADLINE_PASSED with an
// attempt that nobody has reported: that tells a handler which may still run (`isCutShort`).

import type { JobError } from "./job.ts";
import type { AttemptRecord } from "./record.ts";

export const LEASE_EXPIRED: JobError = {
  code: "LEASE_EXPIRED",
  message: "the worker gave no sign of life within its lease",
  retryable: true,
};
export const ATTEMPT_TIMED_OUT: JobError = {
  code: "ATTEMPT_TIMED_OUT",
  message: "the attempt ran longer than attempt_timeout",
  retryable: true,
};
export const LOCK_LOST: JobError = {
  code: "LOCK_LOST",
  message: "the attempt lost its lock to a newer one",
  retryable: true,
};
export const DEADLINE_PASSED: JobError = {
  code: "DEADLINE_PASSED",
  message: "the job did not end within total_timeout",
  retryable: false,
};
export const HANDED_BACK_TOO_OFTEN: JobError = {
  code: "HANDED_BACK_TOO_OFTEN",
  message: "workers have handed the job back again and again",
  retryable: true,
};
export const UNKNOWN: JobError = {
  code: "UNKNOWN",
  message: "no error was given",
  retryable: true,
};

/**
 * Ended from outside while its worker was well, by a cancellation or the job's deadline: its
 * handler may run on until it hears of it.
 */
export function isCutShort({
  outcome,
  error,
  answer,
}: Pick<AttemptRecord, "outcome" | "error" | "answer">): boolean {
  if (outcome === "cancelled") return true;
  return outcome === "timed-out" && answer === null && error?.code === DEADLINE_PASSED.code;
}
