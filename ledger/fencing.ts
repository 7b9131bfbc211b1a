// Tokens: which attempt may speak for a job.
//
// Guarantees (I16): a token is the index of the entry that started the attempt, so tokens rise per
// job and per lock key; only the current attempt's token is heard; a report under any other is
// refused with a receipt and changes nothing else, for good.
// Does not own: when an attempt ends (attempt-end.ts), nor Redis' copy of the locks.

import { assert } from "./assert.ts";
import type { ReportedOutcome } from "./command.ts";
import type { FencingToken } from "./job.ts";
import { JobState } from "./job.ts";
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
  job.attempts.push(attempt);
  job.currentToken = attempt.token;
  ledger.counters.attemptsStarted += 1;
}

export function fencedOut(job: JobRecord, token: FencingToken): Fenced {
  return { kind: "fenced", jobId: job.id, token, currentToken: job.currentToken, state: job.state };
}

/** Refuses a report, and remembers that it did. */
export function refuseReport(
  ledger: Ledger,
  job: JobRecord,
  report: { token: FencingToken; worker: string; outcome: ReportedOutcome },
): Fenced {
  job.refusedCount += 1;
  ledger.counters.refusedLate += 1;
  job.receipts.push({
    token: report.token,
    currentToken: job.currentToken,
    worker: report.worker,
    tried: report.outcome,
    refusedMs: ledger.clockMs,
  });
  if (job.receipts.length > ledger.receiptsMax) job.receipts.shift();
  return fencedOut(job, report.token);
}
