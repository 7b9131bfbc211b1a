// Draining a queue: its waiting jobs are cancelled, a bounded number of them a command.
//
// Guarantees: jobs go in the order in which they began to wait, and only those that waited when
// the drain began, so that it ends however many come meanwhile; those that run go on. Nobody who
// is about to be cancelled is let in first: lines are looked at when all of the command are gone.
// Does not own: asking for the next piece (the gateway).

import { cancelWaiting } from "./cancel.ts";
import type { CommandBody } from "./command.ts";
import type { JobError } from "./job.ts";
import type { JobRecord } from "./record.ts";
import type { Result } from "./result.ts";
import type { Turn } from "./state.ts";
import { WAKES_MAX, wakeDue } from "./wake.ts";

type DrainQueue = Extract<CommandBody, { kind: "drain-queue" }>;

export function drainQueue(turn: Turn, drain: DrainQueue): Result {
  const { ledger } = turn;
  const queue = ledger.queues.get(drain.queue);
  if (queue === undefined) return { kind: "queue-not-found", queue: drain.queue };
  const untilArrival = drain.untilArrival || ledger.lastArrival;
  const sets = drain.withScheduled ? [queue.waiting, queue.scheduled] : [queue.waiting];
  const jobs: JobRecord[] = [];
  let hasMore = false;
  for (const set of sets) {
    for (const job of set) {
      // In the order of arrival: all behind it are later still.
      if (!(job.arrival <= untilArrival)) break;
      hasMore = !(jobs.length < drain.jobsMax);
      if (hasMore) break;
      jobs.push(job);
    }
  }
  const error: JobError = { code: "CANCELLED", message: drain.reason, retryable: false };
  turn.wakesLeft = 0;
  for (const job of jobs) cancelWaiting(turn, job, error);
  turn.wakesLeft = WAKES_MAX;
  wakeDue(turn);
  return { kind: "queue-drained", cancelled: jobs.length, hasMore, untilArrival };
}
