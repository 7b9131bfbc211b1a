// What workers ask for: to start an attempt, to stay alive, to report its end.
//
// Guarantees: all three may arrive twice, late or out of order. A start asked again gets the same
// token while its attempt lives and nothing afterwards; a report asked again gets the same answer;
// whatever comes from an attempt that is over is refused (fencing.ts).

import { holdBack, limitAtStart } from "./admission.ts";
import { endAttempt, endOf } from "./attempt-end.ts";
import { enter } from "./change.ts";
import type { CommandBody } from "./command.ts";
import { indexDue } from "./due.ts";
import { childrenOf } from "./family.ts";
import {
  addAttempt,
  fencedOut,
  isCurrent,
  liveAttempt,
  refuseRenewal,
  refuseReport,
} from "./fencing.ts";
import { withinHistory } from "./history-limit.ts";
import { JobState } from "./job.ts";
import { heldKeyOf } from "./line.ts";
import { plusMs, wholeMs } from "./milliseconds.ts";
import { isCutShort } from "./own-error.ts";
import { hold, letGo, park } from "./park.ts";
import type { AttemptRecord, JobRecord } from "./record.ts";
import type { Fenced, Result } from "./result.ts";
import type { Ledger, Turn } from "./state.ts";

type StartAttempt = Extract<CommandBody, { kind: "start-attempt" }>;
type RenewLeases = Extract<CommandBody, { kind: "renew-leases" }>;
type FinishAttempt = Extract<CommandBody, { kind: "finish-attempt" }>;
type StartRefused = Extract<Result, { kind: "start-refused" }>;

const LIMITED: StartRefused = { kind: "start-refused", reason: "limited", lockKey: "" };

export function startAttempt(turn: Turn, start: StartAttempt): Result {
  const job = turn.ledger.jobs.get(start.jobId);
  if (job === undefined) return { kind: "job-not-found", jobId: start.jobId };
  if (job.state === JobState.Running && isLiveStart(job, start))
    return started(turn.ledger, liveAttempt(job), job);
  const refused = refusalOf(turn.ledger, job, start);
  if (refused === null) return begin(turn, job, start);
  if (refused.reason === "locked") park(turn, job, refused.lockKey);
  if (refused.reason === "limited") holdBack(turn, job, limitAtStart(turn.ledger, job));
  job.refusedStartId = start.startId;
  return refused;
}

function isLiveStart(job: JobRecord, { startId }: StartAttempt): boolean {
  // An empty id names no start: two workers that send none must not share a token.
  return startId !== "" && liveAttempt(job).startId === startId;
}

/** null: the attempt may start. */
function refusalOf(ledger: Ledger, job: JobRecord, { startId }: StartAttempt): StartRefused | null {
  switch (job.state) {
    case JobState.Succeeded:
    case JobState.Failed:
      return { kind: "start-refused", reason: "finished", lockKey: "" };
    case JobState.Cancelled:
      return { kind: "start-refused", reason: "cancelled", lockKey: "" };
    case JobState.Running:
      return { kind: "start-refused", reason: "held", lockKey: "" };
    case JobState.Scheduled:
      return { kind: "start-refused", reason: "not-due", lockKey: "" };
    case JobState.Queued:
  }
  // A late copy of a start that has had its answer: nobody waits for a second one.
  const isLate =
    startId !== "" &&
    (job.refusedStartId === startId || job.attempts.some((one) => one.startId === startId));
  if (job.waitsAt !== "") return LIMITED;
  if (isLate && job.parkedFor === "") {
    return { kind: "start-refused", reason: "held", lockKey: "" };
  }
  const lockKey = isLate ? job.parkedFor : heldKeyOf(ledger, job);
  if (lockKey !== "") return { kind: "start-refused", reason: "locked", lockKey };
  return limitAtStart(ledger, job) === "" ? null : LIMITED;
}

function begin(turn: Turn, job: JobRecord, start: StartAttempt): Result {
  const { ledger, index } = turn;
  const leaseMs = wholeMs(start.leaseMs);
  const attempt: AttemptRecord = {
    number: job.attempts.length + 1,
    run: job.run,
    worker: start.worker,
    token: index,
    startId: start.startId,
    startMs: ledger.clockMs,
    leaseMs,
    leaseExpiryMs: plusMs(ledger.clockMs, leaseMs),
    endMs: 0,
    outcome: "started",
    error: null,
    answer: null,
    reports: 0,
  };
  job.progress = null;
  job.progressMs = 0;
  addAttempt(ledger, job, attempt);
  hold(ledger, job);
  enter(turn, job, JobState.Running);
  return started(ledger, attempt, job);
}

function started(ledger: Ledger, { token, number }: AttemptRecord, job: JobRecord): Result {
  return { kind: "started", token, number, job, children: childrenOf(ledger, job) };
}

export function renewLeases({ ledger }: Turn, { worker, renewals }: RenewLeases): Result {
  const stale: Fenced[] = [];
  for (const { jobId, token } of renewals) {
    const job = ledger.jobs.get(jobId);
    if (job === undefined) {
      // There is no state to tell; the worker has to stop as for a job that was cancelled.
      stale.push({ kind: "fenced", jobId, token, currentToken: 0, state: JobState.Cancelled });
    } else if (isCurrent(job, token)) {
      extendLease(ledger, job);
    } else {
      stale.push(refuseRenewal(ledger, job, { token, worker }));
    }
  }
  return { kind: "renewed", stale };
}

/** The live attempt gets a whole lease from now. Not a change to publish: nothing happened. */
export function extendLease(ledger: Ledger, job: JobRecord): void {
  const attempt = liveAttempt(job);
  const expiryMs = plusMs(ledger.clockMs, attempt.leaseMs);
  attempt.leaseExpiryMs = Math.max(attempt.leaseExpiryMs, expiryMs);
  indexDue(ledger, job);
}

export function finishAttempt(turn: Turn, finish: FinishAttempt): Result {
  const { ledger } = turn;
  const job = ledger.jobs.get(finish.jobId);
  if (job === undefined) return { kind: "job-not-found", jobId: finish.jobId };
  if (isCurrent(job, finish.token)) {
    const attempt = liveAttempt(job);
    attempt.answer = endAttempt(turn, job, withinHistory(job, endOf(finish)));
    return attempt.answer;
  }
  const earlier = job.attempts.find((one) => one.token === finish.token);
  if (earlier?.answer && earlier.outcome === finish.outcome) return earlier.answer;
  if (earlier !== undefined && isCutShort(earlier)) {
    // The keys are of the last attempt: one of an earlier run has none to let go.
    if (earlier === job.attempts.at(-1)) letGo(turn, job);
    // Says only that the handler has stopped: nothing was to be recorded, so nothing is refused.
    const isSilent = finish.outcome === "handed-back" || finish.outcome === earlier.outcome;
    if (isSilent) return fencedOut(job, finish.token);
  }
  return refuseReport(ledger, job, finish);
}
