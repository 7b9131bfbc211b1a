// A fingerprint of the whole state, to compare replicas at the same index (I5).
//
// Guarantees: equal states give equal hashes, whatever order maps and sets were filled in (the
// queue's order is state); every value is preceded by its kind or length, so no two states are
// written alike. 64 bits against accident, not against malice: a quorum that lies is not in Raft's
// model either.
// Costs a pass over all jobs: for verification, not for every command.

import type { JobSpec, Kind } from "./command.ts";
import { countsOf } from "./counts.ts";
import { Digest } from "./digest.ts";
import type { Backoff, ConcurrencyKey, JobError } from "./job.ts";
import type { ForgottenKey } from "./key-book.ts";
import type { Contender, LockRecord } from "./lock.ts";
import type { AttemptRecord, JobRecord } from "./record.ts";
import type { Ledger } from "./state.ts";

/** 16 hexadecimal digits. */
export function hash(ledger: Ledger): string {
  const digest = new Digest();
  digest.number(ledger.appliedIndex);
  digest.number(ledger.clockMs);
  digest.number(ledger.termOpenedMs);
  digest.number(ledger.lastPlace);
  digest.number(ledger.receiptsMax);
  digest.number(ledger.lastArrival);
  const counts = Object.entries(countsOf(ledger.counters));
  for (const [name, count] of counts.sort(byKey)) {
    digest.text(name);
    digest.number(count);
  }
  digest.number(ledger.jobs.length);
  for (const job of ledger.jobs) addJob(digest, job);
  digest.number(ledger.kinds.size);
  for (const [, { latest, queues }] of [...ledger.kinds].sort(byKey)) {
    addKind(digest, latest);
    digest.texts([...queues].sort());
  }
  addQueues(digest, ledger);
  digest.number(ledger.schedules.size);
  // In the order of creation, which their numbers tell.
  for (const schedule of ledger.schedules.values()) digest.fields({ ...schedule });
  addOwners(digest, ledger.holders);
  addOwners(digest, ledger.claims);
  // In the order in which their jobs were forgotten.
  digest.number(ledger.keys.forgottenCount);
  for (const forgotten of ledger.keys.forgotten()) addForgotten(digest, forgotten);
  // In its own order: it is the order in which jobs are put before workers.
  digest.number(ledger.queued.size);
  for (const { number } of ledger.queued) digest.number(number);
  addLocks(digest, ledger);
  return digest.hex();
}

/** Those that are over in the order they ended: it is the order in which they are forgotten. */
function addLocks(digest: Digest, { locks, endedLocks }: Ledger): void {
  digest.number(locks.size);
  digest.number(endedLocks.size);
  for (const lock of locks.values()) if (lock.state !== "over") addLock(digest, lock);
  for (const lock of endedLocks) addLock(digest, lock);
}

function addLock(digest: Digest, lock: LockRecord): void {
  const { id, owner, requestId, state, end, parkedFor } = lock;
  for (const text of [id, owner, requestId, state, end ?? "", parkedFor]) digest.text(text);
  digest.texts(lock.lockKeys);
  const { number, ttlMs, token, isTaken, expiryMs, waitUntilMs, place } = lock;
  for (const one of [number, ttlMs, token, isTaken ? 1 : 0, expiryMs, waitUntilMs, place]) {
    digest.number(one);
  }
}

function addJob(digest: Digest, job: JobRecord): void {
  for (const text of [job.id, job.kind, job.queue, job.idempotencyKey, job.traceparent]) {
    digest.text(text);
  }
  const waits = [job.parkedFor, job.waitsAt];
  for (const text of [job.state, ...waits, job.refusedStartId, job.scheduleId]) digest.text(text);
  for (const number of [
    job.number,
    job.priority,
    job.maxAttempts,
    job.attemptTimeoutMs,
    job.totalTimeoutMs,
    job.createdMs,
    job.logIndex,
    job.runAtMs,
    job.changeIndex,
    job.dispatch,
    job.attemptsUsed,
    job.endMs,
    job.refusedCount,
    job.currentToken,
    job.arrival,
    job.place,
    job.claimExpiryMs,
    job.keysUntilMs,
    job.slotMs,
    job.runStartMs,
    job.progressMs,
    job.logLineCount,
    job.pendingChildCount,
    job.parentPosition,
    job.childPositions.length,
    ...job.childPositions,
  ]) {
    digest.number(number);
  }
  digest.bytes(job.payload);
  digest.bytes(job.result);
  digest.bytes(job.progress);
  digest.texts(job.lockKeys);
  addConcurrencyKeys(digest, job.concurrencyKeys);
  digest.text(job.onChildFailure);
  addBackoff(digest, job.backoff);
  addError(digest, job.error);
  addSubmitted(digest, job.submitted);
  digest.number(job.attempts.length);
  for (const attempt of job.attempts) addAttempt(digest, attempt);
  digest.number(job.receipts.length);
  for (const { token, currentToken, worker, tried, refusedMs } of job.receipts) {
    for (const number of [token, currentToken, refusedMs]) digest.number(number);
    digest.text(worker);
    digest.text(tried);
  }
  addHistory(digest, job);
}

function addHistory(digest: Digest, { earlierRuns, logLines }: JobRecord): void {
  digest.number(earlierRuns.length);
  for (const { state, error, endMs, retryId } of earlierRuns) {
    for (const text of [state, retryId]) digest.text(text);
    digest.number(endMs);
    addError(digest, error);
  }
  digest.number(logLines.length);
  for (const { attempt, timeMs, text } of logLines) {
    for (const number of [attempt, timeMs]) digest.number(number);
    digest.text(text);
  }
}

/** The payload and the names are the job's own. */
function addSubmitted(digest: Digest, spec: JobSpec): void {
  digest.text(spec.queue);
  const { runAtMs, maxAttempts, attemptTimeoutMs, totalTimeoutMs } = spec;
  for (const number of [runAtMs, maxAttempts, attemptTimeoutMs, totalTimeoutMs]) {
    digest.number(number);
  }
  digest.texts(spec.lockKeys);
  addConcurrencyKeys(digest, spec.concurrencyKeys);
  addBackoff(digest, spec.backoff);
}

function addAttempt(digest: Digest, attempt: AttemptRecord): void {
  for (const text of [attempt.worker, attempt.startId, attempt.outcome]) digest.text(text);
  for (const number of [
    attempt.number,
    attempt.run,
    attempt.reports,
    attempt.token,
    attempt.startMs,
    attempt.leaseMs,
    attempt.leaseExpiryMs,
    attempt.endMs,
    attempt.answer?.nextAttemptMs ?? -1,
  ]) {
    digest.number(number);
  }
  digest.text(attempt.answer?.state ?? "");
  addError(digest, attempt.error);
}

function addForgotten(digest: Digest, forgotten: ForgottenKey): void {
  const { key, logIndex, position, askedQueue, queue, fingerprint, traceparent } = forgotten;
  for (const text of [key, askedQueue, queue, fingerprint, traceparent]) digest.text(text);
  const { untilMs, members } = forgotten;
  digest.number(members.length);
  for (const number of [logIndex, position, untilMs, ...members]) digest.number(number);
}

function addKind(digest: Digest, kind: Kind): void {
  digest.text(kind.kind);
  digest.text(kind.queue);
  digest.number(kind.maxAttempts);
  digest.number(kind.attemptTimeoutMs);
  digest.number(kind.totalTimeoutMs);
  digest.texts(kind.lockTemplates);
  addConcurrencyKeys(digest, kind.concurrencyTemplates);
  addBackoff(digest, kind.backoff);
}

function addConcurrencyKeys(digest: Digest, keys: readonly ConcurrencyKey[]): void {
  digest.number(keys.length);
  for (const { key, limit } of keys) {
    digest.text(key);
    digest.number(limit);
  }
}

function addQueues(digest: Digest, { queues, allQueues, keysDue }: Ledger): void {
  digest.number(allQueues.isPaused ? 1 : 0);
  digest.number(allQueues.runningMax);
  digest.texts([...keysDue].sort());
  digest.number(queues.size);
  for (const [name, { isPaused, limits, recentStarts }] of [...queues].sort(byKey)) {
    const { runningMax, rateCount, ratePeriodMs, waitingMax } = limits;
    digest.text(name);
    for (const number of [isPaused ? 1 : 0, runningMax, rateCount, ratePeriodMs, waitingMax]) {
      digest.number(number);
    }
    digest.number(recentStarts.length);
    for (const startMs of recentStarts) digest.number(startMs);
  }
}

function addBackoff(digest: Digest, backoff: Backoff | null): void {
  digest.number(backoff === null ? 0 : 1);
  if (backoff === null) return;
  const { initialMs, multiplier, maxMs, jitter } = backoff;
  for (const number of [initialMs, multiplier, maxMs, jitter]) digest.number(number);
}

function addError(digest: Digest, error: JobError | null): void {
  digest.number(error === null ? 0 : 1);
  if (error === null) return;
  digest.text(error.code);
  digest.text(error.message);
  digest.number(error.retryable ? 1 : 0);
}

function addOwners(digest: Digest, owners: ReadonlyMap<string, Contender>): void {
  digest.number(owners.size);
  for (const [key, { id }] of [...owners].sort(byKey)) {
    digest.text(key);
    digest.text(id);
  }
}

/** By UTF-16 code units: a locale's order is not the same everywhere. */
function byKey([one]: readonly [string, unknown], [other]: readonly [string, unknown]): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
