// Draining a queue: its waiting jobs are cancelled, a bounded number of them a command.
//
// Guarantees: jobs go in the order in which they began to wait, and only those that waited when
// the drain began, so that it ends however many come meanwhile; those that run go on, unless their
// parent is drained (family.ts). Nobody who is about to be cancelled is let in first: lines are
// looked at when all of the command are gone.
// Does not own: asking for the next piece (the gateway).

import { cancelWaiting } from "./cancel.ts";
import type { CommandBody } from "./command.ts";
import { openBelow } from "./family.ts";
import type { JobError } from "./job.ts";
import { wholeMs } from "./milliseconds.ts";
import type { JobRecord } from "./record.ts";
import type { Result } from "./result.ts";
import type { Turn } from "./state.ts";
import { WAKES_MAX, wakeDue } from "./wake.ts";

/** In one command: some milliseconds of work, and one family more. */
const JOBS_MAX = 1_000;

type DrainQueue = Extract<CommandBody, { kind: "drain-queue" }>;

export function drainQueue(turn: Turn, drain: DrainQueue): Result {
  const { ledger } = turn;
  const queue = ledger.queues.get(drain.queue);
  if (queue === undefined) return { kind: "queue-not-found", queue: drain.queue };
  const untilArrival = drain.untilArrival || ledger.lastArrival;
  const sets = drain.withScheduled ? [queue.waiting, queue.scheduled] : [queue.waiting];
  const most = Math.min(Math.max(1, wholeMs(drain.jobsMax)), JOBS_MAX);
  const jobs: JobRecord[] = [];
  let work = 0;
  let hasMore = false;
  for (const set of sets) {
    for (const job of set) {
      // In the order of arrival: all behind it are later still.
      if (!(job.arrival <= untilArrival)) break;
      hasMore = work >= most;
      if (hasMore) break;
      jobs.push(job);
      // Those below a parent are cancelled with it, and cost the same.
      work += 1 + openBelow(ledger, job);
    }
  }
  const error: JobError = { code: "CANCELLED", message: drain.reason, retryable: false };
  turn.wakesLeft = 0;
  for (const job of jobs) cancelWaiting(turn, job, error);
  turn.wakesLeft = WAKES_MAX;
  wakeDue(turn);
  return { kind: "queue-drained", cancelled: jobs.length, hasMore, untilArrival };
}
