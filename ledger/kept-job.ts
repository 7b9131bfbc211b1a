// A job as a snapshot keeps it: there and back.
//
// Guarantees: what is left out follows exactly from what is kept, so a job that went through here
// equals the one it was made of in every field. A job and what was kept of it share only what
// nothing ever changes: bytes, keys, errors, answers, receipts.
// Does not own: whether what comes back makes sense (kept-job-check.ts).

import type { JobSpec } from "./command.ts";
import { JobState } from "./job.ts";
import { placeOf } from "./job-id.ts";
import { type JobPast, orNoPast } from "./job-past.ts";
import { packBytes } from "./packed-bytes.ts";
import { type AttemptRecord, type JobAsk, JobRecord, NO_CONCURRENCY, NO_KEYS } from "./record.ts";
import type { Terms } from "./terms.ts";

export type KeptAttempt = Readonly<Omit<AttemptRecord, "number">>;

/** What was asked for, where it is not the job's own. */
export type Asked = Pick<
  JobSpec,
  | "queue"
  | "runAtMs"
  | "maxAttempts"
  | "backoff"
  | "attemptTimeoutMs"
  | "totalTimeoutMs"
  | "lockKeys"
  | "concurrencyKeys"
>;

type Derived =
  | "position"
  | "currentToken"
  | "attemptsUsed"
  | "run"
  | "deadlineMs"
  | "parentJobId"
  | "childJobIds"
  | "pendingChildCount";
/** How the record holds what it also shows. */
type Inner =
  | ("terms" | "past" | "packedPayload" | "submitted")
  | ("askedLockKeys" | "askedRunAtMs" | "concurrency");

/** A job without what follows from the rest. */
export type KeptJob = Readonly<
  Omit<JobRecord, Derived | Inner | "attempts"> & {
    readonly asked: Asked;
    readonly attempts: readonly KeptAttempt[];
  }
>;

export function keptOf(job: JobRecord): KeptJob {
  return {
    id: job.id,
    number: job.number,
    kind: job.kind,
    queue: job.queue,
    payload: job.payload,
    priority: job.priority,
    maxAttempts: job.maxAttempts,
    backoff: job.backoff,
    attemptTimeoutMs: job.attemptTimeoutMs,
    totalTimeoutMs: job.totalTimeoutMs,
    lockKeys: job.lockKeys,
    concurrencyKeys: job.concurrencyKeys,
    idempotencyKey: job.idempotencyKey,
    traceparent: job.traceparent,
    createdMs: job.createdMs,
    logIndex: job.logIndex,
    scheduleId: job.scheduleId,
    slotMs: job.slotMs,
    asked: askedOf(job.submitted),
    state: job.state,
    runAtMs: job.runAtMs,
    changeIndex: job.changeIndex,
    dispatch: job.dispatch,
    parkedFor: job.parkedFor,
    waitsAt: job.waitsAt,
    arrival: job.arrival,
    attempts: job.attempts.map(keptAttemptOf),
    result: job.result,
    error: job.error,
    endMs: job.endMs,
    earlierRuns: job.earlierRuns,
    runStartMs: job.runStartMs,
    progress: job.progress,
    progressMs: job.progressMs,
    logLines: job.logLines,
    logLineCount: job.logLineCount,
    receipts: [...job.receipts],
    refusedCount: job.refusedCount,
    refusedStartId: job.refusedStartId,
    place: job.place,
    claimExpiryMs: job.claimExpiryMs,
    keysUntilMs: job.keysUntilMs,
    parentPosition: job.parentPosition,
    childPositions: job.childPositions,
    onChildFailure: job.onChildFailure,
  };
}

function askedOf(submitted: JobSpec): Asked {
  return {
    queue: submitted.queue,
    runAtMs: submitted.runAtMs,
    maxAttempts: submitted.maxAttempts,
    backoff: submitted.backoff,
    attemptTimeoutMs: submitted.attemptTimeoutMs,
    totalTimeoutMs: submitted.totalTimeoutMs,
    lockKeys: submitted.lockKeys,
    concurrencyKeys: submitted.concurrencyKeys,
  };
}

function keptAttemptOf(attempt: AttemptRecord): KeptAttempt {
  return {
    run: attempt.run,
    worker: attempt.worker,
    token: attempt.token,
    startId: attempt.startId,
    startMs: attempt.startMs,
    leaseMs: attempt.leaseMs,
    leaseExpiryMs: attempt.leaseExpiryMs,
    endMs: attempt.endMs,
    outcome: attempt.outcome,
    error: attempt.error,
    answer: attempt.answer,
    reports: attempt.reports,
  };
}

/** What is not the job's own. */
export function termsOf(kept: KeptJob): Terms {
  const { asked, kind, priority, queue, maxAttempts, backoff } = kept;
  const { attemptTimeoutMs, totalTimeoutMs } = kept;
  const { runAtMs, lockKeys, concurrencyKeys, ...others } = asked;
  const all = { ...others, kind, priority, onChildFailure: kept.onChildFailure };
  return { asked: all, queue, maxAttempts, backoff, attemptTimeoutMs, totalTimeoutMs };
}

/** `terms` equal the kept ones: jobs share theirs. The kept id is one (job-id.ts). */
export function jobOf(kept: KeptJob, terms: Terms): JobRecord {
  const { number, logIndex, createdMs } = kept;
  const position = placeOf(kept.id)?.position ?? 0;
  const origin = { number, logIndex, position, createdMs };
  const job = new JobRecord(origin, askOf(kept, terms), kept.state, kept.runAtMs);
  job.changeIndex = kept.changeIndex;
  job.dispatch = kept.dispatch;
  job.arrival = kept.arrival;
  job.waitsAt = kept.waitsAt;
  job.past = orNoPast(pastOf(kept));
  return job;
}

function askOf(kept: KeptJob, terms: Terms): JobAsk {
  const { lockKeys, concurrencyKeys, asked } = kept;
  const hasConcurrency = concurrencyKeys.length > 0 || asked.concurrencyKeys.length > 0;
  return {
    terms,
    payload: kept.payload,
    lockKeys: lockKeys.length === 0 ? NO_KEYS : lockKeys,
    askedLockKeys: asked.lockKeys.length === 0 ? NO_KEYS : asked.lockKeys,
    concurrency: hasConcurrency
      ? { keys: concurrencyKeys, asked: asked.concurrencyKeys }
      : NO_CONCURRENCY,
    askedRunAtMs: asked.runAtMs,
    idempotencyKey: kept.idempotencyKey,
    traceparent: kept.traceparent,
  };
}

function pastOf(kept: KeptJob): JobPast {
  const attempts = kept.attempts.map(attemptOf);
  const run = kept.earlierRuns.length + 1;
  return {
    parkedFor: kept.parkedFor,
    attemptsUsed: attemptsUsedIn(run, attempts),
    attempts,
    result: kept.result === null ? null : packBytes(kept.result),
    error: kept.error,
    endMs: kept.endMs,
    earlierRuns: kept.earlierRuns,
    runStartMs: kept.runStartMs,
    progress: kept.progress === null ? null : packBytes(kept.progress),
    progressMs: kept.progressMs,
    logLines: kept.logLines,
    logLineCount: kept.logLineCount,
    receipts: [...kept.receipts],
    refusedCount: kept.refusedCount,
    currentToken: kept.state === JobState.Running ? (attempts.at(-1)?.token ?? 0) : 0,
    refusedStartId: kept.refusedStartId,
    place: kept.place,
    claimExpiryMs: kept.claimExpiryMs,
    keysUntilMs: kept.keysUntilMs,
    scheduleId: kept.scheduleId,
    slotMs: kept.slotMs,
    parentPosition: kept.parentPosition,
    childPositions: kept.childPositions,
    // They come later, and are counted then.
    pendingChildCount: 0,
  };
}

function attemptOf(kept: KeptAttempt, at: number): AttemptRecord {
  return {
    number: at + 1,
    run: kept.run,
    worker: kept.worker,
    token: kept.token,
    startId: kept.startId,
    startMs: kept.startMs,
    leaseMs: kept.leaseMs,
    leaseExpiryMs: kept.leaseExpiryMs,
    endMs: kept.endMs,
    outcome: kept.outcome,
    error: kept.error,
    answer: kept.answer,
    reports: kept.reports,
  };
}

/** Those that count against maxAttempts. */
export function attemptsUsedIn(run: number, attempts: readonly KeptAttempt[]): number {
  let used = 0;
  for (const attempt of attempts) {
    const isCounted = attempt.outcome !== "started" && attempt.outcome !== "handed-back";
    if (attempt.run === run && isCounted) used += 1;
  }
  return used;
}
