// What an operator sets of a queue: its pause and its limits.
//
// Guarantees: setting twice is setting once. Jobs that run go on, also beyond a limit that has
// come down; what is before the workers already is refused when it starts. Whoever may go on after
// the change does, piece by piece. Limits make a queue known, a pause does not: what is paused must
// be one that exists.
// Does not own: what a limit means (admission.ts, submit.ts).

import type { CommandBody } from "./command.ts";
import { wholeMs } from "./milliseconds.ts";
import { ALL_QUEUES, knowQueue, type QueueLimits, type QueueRecord } from "./queue.ts";
import { allQueuesView, queueView } from "./queue-view.ts";
import type { Result } from "./result.ts";
import type { Turn } from "./state.ts";
import { wakeHeld, wakeQueue } from "./wake.ts";

type SetQueue = Extract<CommandBody, { kind: "set-queue" }>;

/** Starts that a queue remembers: they are part of every snapshot. */
export const RATE_COUNT_MAX = 10_000;

export function setQueue(turn: Turn, set: SetQueue): Result {
  const { ledger } = turn;
  if (set.queue === ALL_QUEUES) return setAll(turn, set);
  const queue = isLimiting(set) ? knowQueue(ledger, set.queue) : ledger.queues.get(set.queue);
  if (queue === undefined) return { kind: "queue-not-found", queue: set.queue };
  setLimits(queue, set.isPaused ?? queue.isPaused, limitsOf(queue.limits, set));
  wakeQueue(turn, queue);
  return { kind: "queue-set", queue: queueView(queue) };
}

/** What follows from the limits is set with them. */
export function setLimits(queue: QueueRecord, isPaused: boolean, limits: QueueLimits): void {
  const { runningMax, rateCount } = limits;
  queue.isPaused = isPaused;
  queue.limits = limits;
  queue.isGated = isPaused || runningMax > 0 || rateCount > 0;
  queue.recentStarts = rateCount === 0 ? [] : queue.recentStarts.slice(-rateCount);
}

function setAll(turn: Turn, { isPaused, runningMax }: SetQueue): Result {
  const { ledger } = turn;
  const { allQueues } = ledger;
  allQueues.isPaused = isPaused ?? allQueues.isPaused;
  allQueues.runningMax = runningMax === null ? allQueues.runningMax : wholeMs(runningMax);
  wakeHeld(turn);
  return { kind: "queue-set", queue: allQueuesView(ledger) };
}

function isLimiting({ runningMax, rate, waitingMax }: SetQueue): boolean {
  return runningMax !== null || rate !== null || waitingMax !== null;
}

function limitsOf(limits: QueueLimits, { runningMax, rate, waitingMax }: SetQueue): QueueLimits {
  const rateCount = rate === null ? limits.rateCount : countOf(rate.count, rate.periodMs);
  const ratePeriodMs = rate === null ? limits.ratePeriodMs : wholeMs(rate.periodMs);
  return {
    runningMax: runningMax === null ? limits.runningMax : wholeMs(runningMax),
    rateCount,
    ratePeriodMs: rateCount === 0 ? 0 : ratePeriodMs,
    waitingMax: waitingMax === null ? limits.waitingMax : wholeMs(waitingMax),
  };
}

/** Within no time nothing can be counted. */
function countOf(count: number, periodMs: number): number {
  return wholeMs(periodMs) === 0 ? 0 : Math.min(wholeMs(count), RATE_COUNT_MAX);
}
