// Whether a job that comes from a snapshot can be one that commands have made.
//
// Guarantees: what passes keeps the invariants of a single job (I16, I17) and can make no assertion
// of the rules fail later, so that bytes which went bad on a disk or were made by another program
// end as a refusal, and never as a node that stops at some later command.
// Does not own: what holds between jobs (restore.ts).

import { AT_KEY, AT_QUEUE } from "./admission.ts";
import type { Kind } from "./command.ts";
import { CHILD_FAILED } from "./family.ts";
import { type ConcurrencyKey, isTerminal, type JobError, JobState } from "./job.ts";
import { placeOf } from "./job-id.ts";
import { attemptsUsedIn, type KeptAttempt, type KeptJob } from "./kept-job.ts";
import { DEADLINE_PASSED, isCutShort } from "./own-error.ts";
import { LOG_LINES_MAX } from "./progress.ts";
import type { SnapshotHead } from "./snapshot-head.ts";

export type JobFault =
  | "job-identity"
  | "job-options"
  | "job-times"
  | "job-attempts"
  | "job-runs"
  | "job-progress"
  | "job-end"
  | "job-locks"
  | "job-limits"
  | "job-receipts";

/** Of jobs that fail without an attempt that did. */
const OUTER_ERRORS = [DEADLINE_PASSED.code, CHILD_FAILED];

/** null: the job makes sense by itself. */
export function jobFault(job: KeptJob, head: SnapshotHead): JobFault | null {
  if (!hasIdentity(job, head)) return "job-identity";
  if (!hasOptions(job)) return "job-options";
  if (!hasTimes(job, head)) return "job-times";
  if (!hasRuns(job, head)) return "job-runs";
  if (!hasAttempts(job, head)) return "job-attempts";
  if (!hasProgress(job, head)) return "job-progress";
  if (!hasEnd(job)) return "job-end";
  if (!hasLocks(job, head)) return "job-locks";
  if (!hasLimits(job, head)) return "job-limits";
  if (!hasReceipts(job, head)) return "job-receipts";
  return null;
}

/** In [0, 2^53). */
export function isWhole(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

export function isUpTo(value: number, greatest: number): boolean {
  return isWhole(value) && value <= greatest;
}

/** An id of another entry could meet that of a job to come, which is asserted to be new. */
function hasIdentity(job: KeptJob, { appliedIndex, counts }: SnapshotHead): boolean {
  return (
    job.logIndex > 0 &&
    isUpTo(job.logIndex, job.changeIndex) &&
    isUpTo(job.changeIndex, appliedIndex) &&
    isWhole(job.dispatch) &&
    isWhole(job.number) &&
    job.number < counts.accepted &&
    placeOf(job.id)?.logIndex === job.logIndex
  );
}

/** Those of a kind, and of a job when the defaults are filled in: as submit.ts makes them. */
export function hasOptions({
  maxAttempts,
  backoff,
  attemptTimeoutMs,
  totalTimeoutMs,
}: Pick<Kind, "maxAttempts" | "backoff" | "attemptTimeoutMs" | "totalTimeoutMs">): boolean {
  return (
    isWhole(maxAttempts) &&
    maxAttempts > 0 &&
    isWhole(attemptTimeoutMs) &&
    isWhole(totalTimeoutMs) &&
    isWhole(backoff.initialMs) &&
    isWhole(backoff.maxMs) &&
    Number.isFinite(backoff.multiplier) &&
    backoff.multiplier >= 1 &&
    backoff.jitter >= 0 &&
    backoff.jitter <= 1
  );
}

function hasTimes(job: KeptJob, { clockMs }: SnapshotHead): boolean {
  return (
    isUpTo(job.createdMs, clockMs) &&
    isUpTo(job.slotMs, job.createdMs) &&
    // A job of a schedule without a slot was made by hand.
    (job.slotMs === 0 || job.scheduleId !== "") &&
    isWhole(job.runAtMs) &&
    isUpTo(job.runStartMs, clockMs) &&
    isUpTo(job.endMs, clockMs) &&
    (isTerminal(job.state) || job.endMs === 0) &&
    isWhole(job.claimExpiryMs) &&
    isWhole(job.keysUntilMs)
  );
}

function hasAttempts(job: KeptJob, head: SnapshotHead): boolean {
  const { attempts, maxAttempts } = job;
  const run = job.earlierRuns.length + 1;
  let lastToken = job.logIndex;
  let lastRun = 1;
  for (let at = 0; at < attempts.length; at++) {
    const attempt = attempts[at];
    if (attempt === undefined || attempt.token <= lastToken) return false;
    lastToken = attempt.token;
    if (!isAttempt(attempt, head) || attempt.run < lastRun || attempt.run > run) return false;
    lastRun = attempt.run;
    const isLast = at === attempts.length - 1;
    if (isFollowed(attempt, attempts[at + 1]?.run ?? run, isLast)) return false;
  }
  if (!isStateOf(job, attempts.findLast((attempt) => attempt.run === run)?.outcome)) return false;
  const used = attemptsUsedIn(run, attempts);
  // Whatever has not ended has an attempt left: the next failure would be one too many.
  return isTerminal(job.state) ? used <= maxAttempts : used < maxAttempts;
}

/** Whether an attempt is followed by more than may come after it. */
function isFollowed({ outcome, run }: KeptAttempt, nextRun: number, isLast: boolean): boolean {
  if (outcome === "started" || outcome === "succeeded") return !isLast || nextRun > run;
  // What was cancelled may be retried.
  return outcome === "cancelled" && !isLast && nextRun === run;
}

/** I17: the state and the last attempt of the run tell the same story. */
function isStateOf({ state, error }: KeptJob, last: KeptAttempt["outcome"] | undefined): boolean {
  if ((state === JobState.Running) !== (last === "started")) return false;
  if ((state === JobState.Succeeded) !== (last === "succeeded")) return false;
  if (state !== JobState.Cancelled && last === "cancelled") return false;
  const hasFailed = last !== undefined && last !== "handed-back";
  // A deadline passes, and a child fails its parent, without an attempt, too.
  return state !== JobState.Failed || hasFailed || OUTER_ERRORS.includes(error?.code ?? "");
}

function hasRuns({ earlierRuns, runStartMs }: KeptJob, { clockMs }: SnapshotHead): boolean {
  if (earlierRuns.length === 0 && runStartMs > 0) return false;
  return earlierRuns.every(({ state, error, endMs }) => {
    const isEnded = state === JobState.Failed || state === JobState.Cancelled;
    return isEnded && error !== null && isUpTo(endMs, clockMs);
  });
}

function hasProgress(job: KeptJob, { clockMs }: SnapshotHead): boolean {
  const { progress, progressMs, logLines, logLineCount, attempts } = job;
  return (
    isUpTo(progressMs, clockMs) &&
    (progress !== null || progressMs === 0) &&
    isWhole(logLineCount) &&
    logLines.length <= Math.min(logLineCount, LOG_LINES_MAX) &&
    logLines.every(
      ({ attempt, timeMs }) => isUpTo(attempt, attempts.length) && isUpTo(timeMs, clockMs),
    )
  );
}

function isAttempt(attempt: KeptAttempt, { appliedIndex, clockMs }: SnapshotHead): boolean {
  return (
    isUpTo(attempt.token, appliedIndex) &&
    isUpTo(attempt.startMs, clockMs) &&
    isWhole(attempt.leaseMs) &&
    isWhole(attempt.reports) &&
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
  if (claimExpiryMs > 0 && !(isQueued && parkedFor === "")) return false;
  if (claimExpiryMs > 0 && lockKeys.length > 0 && place === 0) return false;
  if (keysUntilMs === 0) return true;
  // Only a handler that may still run keeps keys after the end, also into the next run.
  const last = job.attempts.at(-1);
  const isOver = state !== JobState.Running && state !== JobState.Succeeded;
  return isOver && last !== undefined && isCutShort(last) && lockKeys.length > 0;
}

/** A job waits for one thing at a time. */
function hasLimits(job: KeptJob, { lastArrival }: SnapshotHead): boolean {
  const { state, arrival, waitsAt, parkedFor, concurrencyKeys } = job;
  const isWaiting = state === JobState.Queued || state === JobState.Scheduled;
  if (!isUpTo(arrival, lastArrival) || isWaiting !== arrival > 0) return false;
  if (!areConcurrencyKeys(concurrencyKeys)) return false;
  if (waitsAt === "") return true;
  if (state !== JobState.Queued || parkedFor !== "") return false;
  return waitsAt === AT_QUEUE || concurrencyKeys.some(({ key }) => waitsAt === AT_KEY + key);
}

function areConcurrencyKeys(keys: readonly ConcurrencyKey[]): boolean {
  return (
    keys.every(({ key, limit }) => key !== "" && isWhole(limit) && limit > 0) &&
    new Set(keys.map(({ key }) => key)).size === keys.length
  );
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
