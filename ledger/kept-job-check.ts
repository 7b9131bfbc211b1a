// Whether a job that comes from a snapshot can be one that commands have made.
//
// Guarantees: what passes keeps the invariants of a single job (I16, I17) and can make no assertion
// of the rules fail later, so that bytes which went bad on a disk or were made by another program
// end as a refusal, and never as a node that stops at some later command.
// Does not own: what holds between jobs (restore.ts).

import type { Kind } from "./command.ts";
import { isTerminal, type JobError, JobState } from "./job.ts";
import { attemptsUsedBy, type KeptAttempt, type KeptJob } from "./kept-job.ts";
import type { SnapshotHead } from "./snapshot.ts";

export type JobFault =
  | "job-identity"
  | "job-options"
  | "job-times"
  | "job-attempts"
  | "job-end"
  | "job-locks"
  | "job-receipts";

/** null: the job makes sense by itself. */
export function jobFault(job: KeptJob, head: SnapshotHead): JobFault | null {
  if (!hasIdentity(job, head)) return "job-identity";
  if (!hasOptions(job)) return "job-options";
  if (!hasTimes(job, head)) return "job-times";
  if (!hasAttempts(job, head)) return "job-attempts";
  if (!hasEnd(job)) return "job-end";
  if (!hasLocks(job, head)) return "job-locks";
  if (!hasReceipts(job, head)) return "job-receipts";
  return null;
}

/** In [0, 2^53). */
export function isWhole(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function isUpTo(value: number, greatest: number): boolean {
  return isWhole(value) && value <= greatest;
}

/** An id of another entry could meet that of a job to come, which is asserted to be new. */
function hasIdentity(job: KeptJob, { appliedIndex }: SnapshotHead): boolean {
  const alone = `j-${job.logIndex}`;
  return (
    job.logIndex > 0 &&
    isUpTo(job.logIndex, job.changeIndex) &&
    isUpTo(job.changeIndex, appliedIndex) &&
    isWhole(job.dispatch) &&
    (job.id === alone || job.id.startsWith(`${alone}-`))
  );
}

/** Those of a kind, and of a job when the defaults are filled in: as submit.ts makes them. */
export function hasOptions({
  maxAttempts,
  backoff,
  attemptTimeoutMs,
}: Pick<Kind, "maxAttempts" | "backoff" | "attemptTimeoutMs">): boolean {
  return (
    isWhole(maxAttempts) &&
    maxAttempts > 0 &&
    isWhole(attemptTimeoutMs) &&
    isWhole(backoff.initialMs) &&
    isWhole(backoff.maxMs) &&
    Number.isFinite(backoff.multiplier) &&
    backoff.multiplier >= 1
  );
}

function hasTimes(job: KeptJob, { clockMs }: SnapshotHead): boolean {
  return (
    isUpTo(job.createdMs, clockMs) &&
    isWhole(job.runAtMs) &&
    isUpTo(job.endMs, clockMs) &&
    (isTerminal(job.state) || job.endMs === 0) &&
    isWhole(job.claimExpiryMs) &&
    isWhole(job.keysUntilMs)
  );
}

function hasAttempts(job: KeptJob, head: SnapshotHead): boolean {
  const { attempts, state, maxAttempts } = job;
  let lastToken = job.logIndex;
  for (let at = 0; at < attempts.length; at++) {
    const attempt = attempts[at];
    if (attempt === undefined || attempt.token <= lastToken) return false;
    lastToken = attempt.token;
    if (!isAttempt(attempt, head)) return false;
    if (at < attempts.length - 1 && isLastOne(attempt)) return false;
  }
  // I17: the state and the last attempt tell the same story.
  const last = attempts.at(-1)?.outcome;
  if ((state === JobState.Running) !== (last === "started")) return false;
  if ((state === JobState.Succeeded) !== (last === "succeeded")) return false;
  if (state !== JobState.Cancelled && last === "cancelled") return false;
  if (state === JobState.Failed && (last === undefined || last === "handed-back")) return false;
  const used = attemptsUsedBy(attempts);
  // Whatever has not ended has an attempt left: the next failure would be one too many.
  return isTerminal(state) ? used <= maxAttempts : used < maxAttempts;
}

/** After these no attempt follows. */
function isLastOne({ outcome }: KeptAttempt): boolean {
  return outcome === "started" || outcome === "succeeded" || outcome === "cancelled";
}

function isAttempt(attempt: KeptAttempt, { appliedIndex, clockMs }: SnapshotHead): boolean {
  return (
    isUpTo(attempt.token, appliedIndex) &&
    isUpTo(attempt.startMs, clockMs) &&
    isWhole(attempt.leaseMs) &&
    isWhole(attempt.leaseExpiryMs) &&
    isUpTo(attempt.endMs, clockMs) &&
    (attempt.outcome !== "started" || attempt.endMs === 0) &&
    isErrorOf(attempt, attempt.error) &&
    isAnswerOf(attempt, attempt.answer)
  );
}

function isErrorOf({ outcome }: KeptAttempt, error: JobError | null): boolean {
  if (outcome === "handed-back") return true;
  return (error === null) === (outcome === "started" || outcome === "succeeded");
}

/** What a report ended has its answer; what time or a caller ended has none. */
function isAnswerOf({ outcome }: KeptAttempt, answer: KeptAttempt["answer"]): boolean {
  if (answer !== null && !isWhole(answer.nextAttemptMs)) return false;
  switch (outcome) {
    case "timed-out":
      return true;
    case "started":
    case "lost":
    case "cancelled":
      return answer === null;
    default:
      return answer !== null;
  }
}

/** I16: a result or final error where it belongs, and nowhere else. */
function hasEnd({ state, result, error }: KeptJob): boolean {
  const hasError = state === JobState.Failed || state === JobState.Cancelled;
  return (result !== null) === (state === JobState.Succeeded) && (error !== null) === hasError;
}

function hasLocks(job: KeptJob, { lastPlace }: SnapshotHead): boolean {
  const { state, lockKeys, parkedFor, place, claimExpiryMs, keysUntilMs } = job;
  if (lockKeys.includes("") || (lockKeys.length > 1 && new Set(lockKeys).size < lockKeys.length)) {
    return false;
  }
  if (!isUpTo(place, lastPlace)) return false;
  const isQueued = state === JobState.Queued;
  if (place > 0 && !(isQueued && lockKeys.length > 0)) return false;
  if (parkedFor !== "" && !(place > 0 && lockKeys.includes(parkedFor))) return false;
  if (claimExpiryMs > 0 && !(place > 0 && parkedFor === "")) return false;
  if (keysUntilMs === 0) return true;
  // Only a handler that may still run keeps keys after the end.
  const wasRunning = job.attempts.at(-1)?.outcome === "cancelled";
  return state === JobState.Cancelled && wasRunning && lockKeys.length > 0;
}

function hasReceipts(job: KeptJob, { appliedIndex, clockMs, receiptsMax }: SnapshotHead): boolean {
  return (
    isWhole(job.refusedCount) &&
    job.receipts.length === Math.min(job.refusedCount, receiptsMax) &&
    job.receipts.every(
      ({ currentToken, refusedMs }) =>
        isUpTo(currentToken, appliedIndex) && isUpTo(refusedMs, clockMs),
    )
  );
}
