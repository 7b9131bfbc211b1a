// Retrying what has failed or was cancelled: a new run of the same job, alone or in bulk.
//
// Guarantees: a run that ended stays on record, with its attempts; the next one has its attempts
// and its deadline anew. A request retries a job once, however often it arrives (its id is kept
// with the run that it followed). What has more history than a job may have (history-limit.ts) is
// retried no more. A bulk retry takes a bounded look at a time, oldest job first,
// and says where to go on: no command looks through all jobs. With a parent that cannot do without
// its children, those that ended without a result are retried, too, and it waits for them.
// Does not own: who asks; which keys a cancelled attempt still holds (park.ts: the new run waits
// for them like any other job).

import { assert } from "./assert.ts";
import { enter } from "./change.ts";
import type { CommandBody, RetryFilter } from "./command.ts";
import { indexDue } from "./due.ts";
import { childrenOf } from "./family.ts";
import { isSpent } from "./history-limit.ts";
import { isTerminal, JobState } from "./job.ts";
import { wholeMs } from "./milliseconds.ts";
import type { JobRecord } from "./record.ts";
import type { Result } from "./result.ts";
import type { Ledger, Turn } from "./state.ts";

/** Jobs that one command looks at, and those that it retries: about a millisecond of work. */
export const LOOKS_MAX = 5_000;
export const RETRIES_MAX = 500;

export function retryJob(
  turn: Turn,
  { jobId, requestId }: Extract<CommandBody, { kind: "retry-job" }>,
): Result {
  const job = turn.ledger.jobs.get(jobId);
  if (job === undefined) return { kind: "job-not-found", jobId };
  if (wasRetriedBy(job, requestId)) return { kind: "retried", job };
  const { state } = job;
  if (state === JobState.Succeeded || !isTerminal(state)) return { kind: "retry-refused", state };
  if (isSpent(job)) return { kind: "retry-refused", state };
  rerun(turn, job, requestId, () => false);
  return { kind: "retried", job };
}

export function retryJobs(
  turn: Turn,
  { filter, requestId, fromNumber, retriesMax }: Extract<CommandBody, { kind: "retry-jobs" }>,
): Result {
  const { jobs } = turn.ledger;
  // At least one: a caller that asks for the rest has to get on.
  const most = Math.min(Math.max(1, wholeMs(retriesMax)), RETRIES_MAX);
  let [looks, retriedCount] = [0, 0];
  for (const job of jobs.from(wholeMs(fromNumber))) {
    if (looks === LOOKS_MAX || retriedCount >= most) {
      return { kind: "retried-jobs", retriedCount, nextNumber: job.number };
    }
    looks += 1;
    if (wasRetriedBy(job, requestId)) {
      // With its parent, or by an earlier copy of this command: told again, done once.
      retriedCount += 1;
    } else if (isMatch(job, filter)) {
      const begun = rerun(turn, job, requestId, (child) => isMatch(child, filter));
      // Whoever it took along comes later, and is known by the request's name if it has one.
      retriedCount += requestId === "" ? begun : 1;
    }
  }
  return { kind: "retried-jobs", retriedCount, nextNumber: 0 };
}

function wasRetriedBy({ earlierRuns }: JobRecord, requestId: string): boolean {
  return requestId !== "" && earlierRuns.some(({ retryId }) => retryId === requestId);
}

function isMatch(job: JobRecord, filter: RetryFilter): boolean {
  const { state, kind, queue, errorCode, createdFromMs, createdBeforeMs } = filter;
  return (
    job.state === state &&
    !isSpent(job) &&
    (kind === "" || job.kind === kind) &&
    (queue === "" || job.queue === queue) &&
    (errorCode === "" || job.error?.code === errorCode) &&
    job.createdMs >= wholeMs(createdFromMs) &&
    (wholeMs(createdBeforeMs) === 0 || job.createdMs < wholeMs(createdBeforeMs))
  );
}

/** How many runs were begun; `isAsked` says of its children which are asked for with it. */
function rerun(
  turn: Turn,
  job: JobRecord,
  retryId: string,
  isAsked: (child: JobRecord) => boolean,
): number {
  const { ledger } = turn;
  const { clockMs } = ledger;
  const { state, error, endMs } = job;
  assert(state === "failed" || state === "cancelled", `I17: ${job.id} may be retried`);
  assert(error !== null, `I16: ${job.id} ended without a result for a reason`);
  // First, so that it is known what the job has to wait for.
  const begun = rerunChildren(turn, job, retryId, isAsked);
  job.earlierRuns = [...job.earlierRuns, { state, error, endMs, retryId }];
  job.error = null;
  job.endMs = 0;
  job.attemptsUsed = 0;
  job.runAtMs = clockMs;
  job.runStartMs = clockMs;
  job.progress = null;
  job.progressMs = 0;
  ledger.counters.retried += 1;
  enter(turn, job, job.pendingChildCount > 0 ? JobState.Scheduled : JobState.Queued);
  if (job.parentPosition > 0) tellParent(ledger, job);
  return begun + 1;
}

/**
 * A parent that needs the results of all its children cannot run without theirs. Any other one runs
 * without them, but not before those that are retried together with it.
 */
function rerunChildren(
  turn: Turn,
  parent: JobRecord,
  retryId: string,
  isAsked: (child: JobRecord) => boolean,
): number {
  const needsAll = parent.onChildFailure === "fail-parent";
  let begun = 0;
  for (const child of childrenOf(turn.ledger, parent)) {
    const hasNoResult = child.state === JobState.Failed || child.state === JobState.Cancelled;
    if (hasNoResult && (needsAll || isAsked(child))) {
      begun += rerun(turn, child, retryId, isAsked);
    }
  }
  return begun;
}

function tellParent(ledger: Ledger, child: JobRecord): void {
  const parent = ledger.jobs.get(child.parentJobId);
  if (parent === undefined) return;
  parent.pendingChildCount += 1;
  indexDue(ledger, parent);
}
