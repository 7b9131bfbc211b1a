// A job as a snapshot keeps it: there and back.
//
// Guarantees: what is left out follows exactly from what is kept, so a job that went through here
// equals the one it was made of in every field. A job and what was kept of it share only what
// nothing ever changes: bytes, keys, errors, answers, receipts.
// Does not own: whether what comes back makes sense (kept-job-check.ts).

import type { JobSpec } from "./command.ts";
import { type Backoff, JobState, type Receipt } from "./job.ts";
import type { AttemptRecord, JobRecord } from "./record.ts";

export type KeptAttempt = Readonly<Omit<AttemptRecord, "number">>;

/** What was asked for, where it is not the job's own. */
export type Asked = Pick<
  JobSpec,
  "queue" | "runAtMs" | "maxAttempts" | "backoff" | "attemptTimeoutMs" | "lockKeys"
>;

type Derived = "number" | "currentToken" | "attemptsUsed";

/** A job without what follows from the rest. */
export type KeptJob = Readonly<
  Omit<JobRecord, Derived | "submitted" | "attempts" | "receipts"> & {
    readonly asked: Asked;
    readonly attempts: readonly KeptAttempt[];
    readonly receipts: readonly Receipt[];
  }
>;

export function keptOf(job: JobRecord): KeptJob {
  const { queue, runAtMs, maxAttempts, backoff, attemptTimeoutMs, lockKeys } = job.submitted;
  return {
    id: job.id,
    kind: job.kind,
    queue: job.queue,
    payload: job.payload,
    priority: job.priority,
    maxAttempts: job.maxAttempts,
    backoff: job.backoff,
    attemptTimeoutMs: job.attemptTimeoutMs,
    lockKeys: job.lockKeys,
    idempotencyKey: job.idempotencyKey,
    traceparent: job.traceparent,
    createdMs: job.createdMs,
    logIndex: job.logIndex,
    asked: { queue, runAtMs, maxAttempts, backoff, attemptTimeoutMs, lockKeys },
    state: job.state,
    runAtMs: job.runAtMs,
    changeIndex: job.changeIndex,
    dispatch: job.dispatch,
    parkedFor: job.parkedFor,
    attempts: job.attempts.map(keptAttemptOf),
    result: job.result,
    error: job.error,
    endMs: job.endMs,
    receipts: [...job.receipts],
    refusedCount: job.refusedCount,
    refusedStartId: job.refusedStartId,
    place: job.place,
    claimExpiryMs: job.claimExpiryMs,
    keysUntilMs: job.keysUntilMs,
  };
}

function keptAttemptOf(attempt: AttemptRecord): KeptAttempt {
  return {
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
  };
}

/** `backoff` equals the kept one: jobs of a kind may share theirs. */
export function jobOf(kept: KeptJob, number: number, backoff: Backoff): JobRecord {
  const { asked, kind, payload, priority, idempotencyKey, traceparent } = kept;
  const attempts = kept.attempts.map(attemptOf);
  return {
    id: kept.id,
    number,
    logIndex: kept.logIndex,
    createdMs: kept.createdMs,
    kind,
    queue: kept.queue,
    payload,
    priority,
    maxAttempts: kept.maxAttempts,
    backoff,
    attemptTimeoutMs: kept.attemptTimeoutMs,
    lockKeys: kept.lockKeys,
    idempotencyKey,
    traceparent,
    submitted: { kind, payload, priority, idempotencyKey, traceparent, ...asked },
    state: kept.state,
    runAtMs: kept.runAtMs,
    changeIndex: kept.changeIndex,
    dispatch: kept.dispatch,
    parkedFor: kept.parkedFor,
    attemptsUsed: attemptsUsedBy(attempts),
    attempts,
    result: kept.result,
    error: kept.error,
    endMs: kept.endMs,
    receipts: [...kept.receipts],
    refusedCount: kept.refusedCount,
    currentToken: kept.state === JobState.Running ? (attempts.at(-1)?.token ?? 0) : 0,
    refusedStartId: kept.refusedStartId,
    place: kept.place,
    claimExpiryMs: kept.claimExpiryMs,
    keysUntilMs: kept.keysUntilMs,
  };
}

function attemptOf(kept: KeptAttempt, at: number): AttemptRecord {
  return {
    number: at + 1,
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
  };
}

/** Those that count against maxAttempts. */
export function attemptsUsedBy(attempts: readonly KeptAttempt[]): number {
  let used = 0;
  for (const { outcome } of attempts) {
    if (outcome !== "started" && outcome !== "handed-back") used += 1;
  }
  return used;
}
