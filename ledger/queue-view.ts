// What can be asked about queues.
//
// Guarantees: costs as much as there are queues, however many jobs they have. What is given is a
// copy.

import type { JobState } from "./job.ts";
import { ALL_QUEUES, NO_LIMITS, type QueueLimits, type QueueRecord } from "./queue.ts";
import type { JobRecord } from "./record.ts";
import type { Ledger } from "./state.ts";

export interface QueueView {
  /** "*": all queues together. */
  readonly name: string;
  readonly isPaused: boolean;
  readonly limits: QueueLimits;
  readonly byState: Readonly<Record<JobState, number>>;
  /** Jobs that the queue's pause or limits hold back. */
  readonly heldBack: number;
  /** Since when the oldest QUEUED job has waited; null: none does. */
  readonly oldestSinceMs: number | null;
}

/** By name, in code units. */
export function queueViews(ledger: Ledger): QueueView[] {
  const names = [...ledger.queues.keys()].sort();
  return names.flatMap((name) => {
    const queue = ledger.queues.get(name);
    return queue === undefined ? [] : [queueView(queue)];
  });
}

export function queueView(queue: QueueRecord): QueueView {
  const { name, isPaused, limits, byState, line } = queue;
  const heldBack = line.size;
  const oldestSinceMs = oldestSinceMsOf(queue);
  return { name, isPaused, limits, byState: { ...byState }, heldBack, oldestSinceMs };
}

export function allQueuesView(ledger: Ledger): QueueView {
  const { isPaused, runningMax } = ledger.allQueues;
  let heldBack = 0;
  for (const { line } of ledger.heldQueues) heldBack += line.size;
  let oldestSinceMs: number | null = null;
  for (const queue of ledger.queues.values()) {
    const sinceMs = oldestSinceMsOf(queue);
    if (sinceMs !== null) oldestSinceMs = Math.min(sinceMs, oldestSinceMs ?? sinceMs);
  }
  return {
    name: ALL_QUEUES,
    isPaused,
    limits: { ...NO_LIMITS, runningMax },
    byState: { ...ledger.counters.byState },
    heldBack,
    oldestSinceMs,
  };
}

function oldestSinceMsOf({ waiting }: QueueRecord): number | null {
  for (const job of waiting) return waitsSinceMs(job);
  return null;
}

/** When it became due, or was given back. */
function waitsSinceMs(job: JobRecord): number {
  return Math.max(job.createdMs, job.runAtMs, job.attempts.at(-1)?.endMs ?? 0);
}
