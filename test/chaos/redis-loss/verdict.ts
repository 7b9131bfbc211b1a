// What a run in which Redis was lost again and again has to say: of every accepted job, of its
// times, and of every key.
//
// Guarantees: pure; each finding names the job or key and the numbers. Times are the ledger's own
// (attempts' starts and ends), which is what callers are promised.

import {
  AttemptOutcome,
  type Job,
  JobState,
  type Attempt as WireAttempt,
} from "../../../protos/gen/quorumq/v1/job.ts";
import { type Summary, summaryOf } from "../../bench/percentile.ts";
import type { ProbeMark } from "./probe-mark.ts";

export interface Verdict {
  readonly recordedOnce: number;
  readonly wrong: readonly string[];
  /** Attempts that started before their time. */
  readonly early: readonly string[];
  /** From the time to run at, or the end of the backoff, to the start of the attempt. */
  readonly delayed: Summary;
  readonly retried: Summary;
  readonly locks: LockVerdict;
}

export interface LockVerdict {
  readonly keys: number;
  readonly holds: number;
  readonly overlaps: readonly string[];
  /** Where a key's token did not rise. */
  readonly fallen: readonly string[];
}

/** `backoffMs` is the least that a failed attempt waits before the next. */
export function verdictOf(
  jobs: readonly Job[],
  marks: readonly ProbeMark[],
  backoffMs: number,
): Verdict {
  const wrong: string[] = [];
  const early: string[] = [];
  const delayedMs: number[] = [];
  const retriedMs: number[] = [];
  let recordedOnce = 0;
  for (const job of jobs) {
    if (isRecordedOnce(job)) recordedOnce += 1;
    else wrong.push(shown(job));
    const [first] = job.attempts;
    const isDelayed = msOf(job.runAt) > msOf(job.createTime);
    if (isDelayed && first !== undefined && job.attempts.length === 1) {
      note(job, first, msOf(job.runAt), delayedMs, early);
    }
    for (const [at, attempt] of job.attempts.entries()) {
      const before = job.attempts[at - 1];
      if (before?.outcome !== AttemptOutcome.ATTEMPT_OUTCOME_FAILED) continue;
      note(job, attempt, msOf(before.endTime) + backoffMs, retriedMs, early);
    }
  }
  const times = { delayed: summaryOf(delayedMs), retried: summaryOf(retriedMs) };
  return { recordedOnce, wrong, early, ...times, locks: locksOf(marks) };
}

function note(job: Job, attempt: WireAttempt, dueMs: number, late: number[], early: string[]) {
  const lateMs = msOf(attempt.startTime) - dueMs;
  if (lateMs < 0) early.push(`${job.id} attempt ${attempt.number}: ${-lateMs} ms early`);
  else late.push(lateMs);
}

function isRecordedOnce({ state, attempts, error }: Job): boolean {
  const successes = attempts.filter(
    ({ outcome }) => outcome === AttemptOutcome.ATTEMPT_OUTCOME_SUCCEEDED,
  );
  const areRising = attempts.every(({ token }, at) => token > (attempts[at - 1]?.token ?? 0));
  const isSuccess = state === JobState.JOB_STATE_SUCCEEDED && error === undefined;
  return isSuccess && successes.length === 1 && areRising;
}

function shown({ id, kind, state, attempts }: Job): string {
  const ends = attempts.map(({ number, token, outcome }) => `#${number}/${token}:${outcome}`);
  return `${id} ${kind}: state ${state}, ${ends.join(" ")}`;
}

/** By the order of the lines: no clock is compared. */
export function locksOf(marks: readonly ProbeMark[]): LockVerdict {
  const overlaps: string[] = [];
  const fallen: string[] = [];
  const holders = new Map<string, ProbeMark>();
  const tokens = new Map<string, number>();
  let holds = 0;
  for (const mark of marks) {
    if (mark.key === "") continue;
    const holder = holders.get(mark.key);
    if (mark.event === "end") {
      if (holder?.token === mark.token) holders.delete(mark.key);
      continue;
    }
    holds += 1;
    const lastToken = tokens.get(mark.key) ?? 0;
    if (holder !== undefined) {
      overlaps.push(`${mark.key}: token ${mark.token} while ${holder.token} holds it`);
    }
    if (mark.token <= lastToken) fallen.push(`${mark.key}: ${mark.token} after ${lastToken}`);
    holders.set(mark.key, mark);
    tokens.set(mark.key, Math.max(lastToken, mark.token));
  }
  return { keys: tokens.size, holds, overlaps, fallen };
}

function msOf(time: Date | undefined): number {
  return time?.getTime() ?? 0;
}
