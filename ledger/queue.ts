// A queue: whether it is paused, its limits, and who of its jobs waits.
//
// Guarantees: a queue is known from the first kind that is registered with it, or from its first
// configuration, for good; its counts follow every change of a job (change.ts). The jobs that wait
// are kept in the order in which they began to, which is that of their arrivals.
// Does not own: who may start (admission.ts), nor the commands about queues (set-queue.ts).

import { assert } from "./assert.ts";
import { newCounters } from "./counts.ts";
import { JobState } from "./job.ts";
import { OrderedIndex } from "./ordered-index.ts";
import type { JobRecord } from "./record.ts";
import type { Ledger } from "./state.ts";

/** The name under which all queues together are meant: none has it, "*" is no name. */
export const ALL_QUEUES = "*";

/** 0 is no limit. */
export interface QueueLimits {
  /** Jobs that run at the same time. */
  readonly runningMax: number;
  /** Starts within any stretch of time as long as the period. */
  readonly rateCount: number;
  readonly ratePeriodMs: number;
  /** Jobs that are scheduled or queued, beyond which submissions are refused. */
  readonly waitingMax: number;
}

export const NO_LIMITS: QueueLimits = {
  runningMax: 0,
  rateCount: 0,
  ratePeriodMs: 0,
  waitingMax: 0,
};

export interface QueueRecord {
  readonly name: string;
  isPaused: boolean;
  limits: QueueLimits;
  /** Paused, or limited in what runs: a job has to be let in before it is put before workers. */
  isGated: boolean;
  readonly byState: Record<JobState, number>;
  /** QUEUED, in the order of arrival, wherever they wait. */
  readonly waiting: Set<JobRecord>;
  /** SCHEDULED, in the order of arrival. */
  readonly scheduled: Set<JobRecord>;
  /** Jobs before workers for which a place is put by. */
  claimed: number;
  /** Jobs that the queue's own pause or limits hold back. */
  readonly line: OrderedIndex<JobRecord>;
  /** Times of the last starts, oldest first: no more of them than the rate's count. */
  recentStarts: number[];
}

/** All queues together. */
export interface AllQueues {
  isPaused: boolean;
  /** 0: no limit. */
  runningMax: number;
  claimed: number;
}

export function knowQueue(ledger: Ledger, name: string): QueueRecord {
  const known = ledger.queues.get(name);
  if (known !== undefined) return known;
  const queue: QueueRecord = {
    name,
    isPaused: false,
    limits: NO_LIMITS,
    isGated: false,
    byState: newCounters().byState,
    waiting: new Set(),
    scheduled: new Set(),
    claimed: 0,
    line: new OrderedIndex(),
    recentStarts: [],
  };
  ledger.queues.set(name, queue);
  return queue;
}

export function queueOf(ledger: Ledger, job: JobRecord): QueueRecord {
  const queue = ledger.queues.get(job.queue);
  assert(queue !== undefined, `the queue of ${job.id} is known`);
  return queue;
}

/** The job is in its state from now on. */
export function countIn(queue: QueueRecord, job: JobRecord): void {
  queue.byState[job.state] += 1;
  if (job.state === JobState.Queued) queue.waiting.add(job);
  else if (job.state === JobState.Scheduled) queue.scheduled.add(job);
}

/** The job leaves its state. */
export function countOut(queue: QueueRecord, job: JobRecord): void {
  queue.byState[job.state] -= 1;
  if (job.state === JobState.Queued) queue.waiting.delete(job);
  else if (job.state === JobState.Scheduled) queue.scheduled.delete(job);
}
