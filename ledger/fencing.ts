// Tokens: which attempt may speak for a job.
//
// Guarantees (I16): a token is the index of the entry that started the attempt, so tokens rise per
// job and per lock key; only the current attempt's token is heard; a report under any other is
// refused with a receipt and changes nothing else, for good.
// Does not own: when an attempt ends (attempt-end.ts), nor Redis' copy of the locks.

import { assert } from "./assert.ts";
import type { ReportedOutcome } from "./command.ts";
import { type FencingToken, JobState, type Tried } from "./job.ts";
import { isCutShort } from "./own-error.ts";
import type { AttemptRecord, JobRecord } from "./record.ts";
import type { Fenced } from "./result.ts";
import type { Ledger } from "./state.ts";

export function liveAttempt(job: JobRecord): AttemptRecord {
  const attempt = job.attempts.at(-1);
  assert(
    job.state === JobState.Running && attempt !== undefined && attempt.outcome === "started",
    `I16: ${job.id} has a live attempt`,
  );
  return attempt;
}

/** Token 0 is nobody's: no entry has index 0. */
export function isCurrent(job: JobRecord, token: FencingToken): boolean {
  return job.currentToken !== 0 && job.currentToken === token;
}

export function addAttempt(ledger: Ledger, job: JobRecord, attempt: AttemptRecord): void {
  const last = job.attempts.at(-1);
  assert(last === undefined || attempt.token > last.token, `I16: tokens of ${job.id} rise`);
  job.attempts = [...job.attempts, attempt];
  job.currentToken = attempt.token;
  ledger.counters.attemptsStarted += 1;
}

export function fencedOut(job: JobRecord, token: FencingToken): Fenced {
  return { kind: "fenced", jobId: job.id, token, currentToken: job.currentToken, state: job.state };
}

interface Refused {
  readonly token: FencingToken;
  readonly worker: string;
  readonly tried: Tried;
}

/** Refuses a report, and remembers that it did. */
export function refuseReport(
  ledger: Ledger,
  job: JobRecord,
  { token, worker, outcome }: { token: FencingToken; worker: string; outcome: ReportedOutcome },
): Fenced {
  keepReceipt(ledger, job, { token, worker, tried: outcome });
  return fencedOut(job, token);
}

/** Refuses what a worker says again and again: one receipt for each token and sort of write. */
export function refuseOnce(ledger: Ledger, job: JobRecord, refused: Refused): Fenced {
  const { token, tried } = refused;
  const isKnown = job.receipts.some((one) => one.token === token && one.tried === tried);
  if (!isKnown) keepReceipt(ledger, job, refused);
  return fencedOut(job, token);
}

/**
 * A sign of life under a token that is not current. There is no receipt for one that crossed its
 * own attempt's report on the way, nor for a worker that has yet to hear that it was cut short.
 */
export function refuseRenewal(
  ledger: Ledger,
  job: JobRecord,
  { token, worker }: Omit<Refused, "tried">,
): Fenced {
  const attempt = job.attempts.findLast((one) => one.token === token);
  const isUsual = attempt !== undefined && (attempt.answer !== null || isCutShort(attempt));
  if (isUsual) return fencedOut(job, token);
  return refuseOnce(ledger, job, { token, worker, tried: "heartbeat" });
}

function keepReceipt(ledger: Ledger, job: JobRecord, { token, worker, tried }: Refused): void {
  job.refusedCount += 1;
  ledger.counters.refusedLate += 1;
  const { currentToken } = job;
  const receipt = { token, currentToken, worker, tried, refusedMs: ledger.clockMs };
  const receipts = [...job.receipts, receipt];
  job.receipts = receipts.slice(Math.max(0, receipts.length - ledger.receiptsMax));
}
