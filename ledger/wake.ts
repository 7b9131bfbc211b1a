// Who goes on when a limit has room again.
//
// Guarantees: after every command, the first of a line either has to wait for what the line is
// for, or is due: the clock has to move (a rate), or a wake was cut off, and the next tick goes on.
// One command lets no more than WAKES_MAX jobs leave their lines, however many there are, and a
// tick shares them out among the queues. With a limit over all queues, the first of all their
// lines goes first.
// Does not own: what a job that was woken waits for next (admission.ts).

import { goOn, isShort, leave } from "./admission.ts";
import { isShortFor } from "./key-gate.ts";
import { type QueueRecord, queueOf } from "./queue.ts";
import { nextRoomMs, startsWithin } from "./queue-rate.ts";
import type { JobRecord } from "./record.ts";
import type { Ledger, Turn } from "./state.ts";

/** In one command: some milliseconds of work. */
export const WAKES_MAX = 1_000;

/** Something that the job held, claimed or stood before may have room. */
export function wakeAfter(turn: Turn, job: JobRecord): void {
  if (job.concurrencyKeys.length > 0) {
    for (const { key } of job.concurrencyKeys) wakeKey(turn, key);
  }
  if (turn.ledger.heldQueues.size > 0) wakeQueue(turn, queueOf(turn.ledger, job));
}

/** The queue has room, and with it all queues together may have. */
export function wakeQueue(turn: Turn, queue: QueueRecord): void {
  const { heldQueues, allQueues } = turn.ledger;
  if (heldQueues.size === 0) return;
  if (allQueues.runningMax > 0) wakeFirsts(turn);
  else if (queue.line.size > 0) wakeLineOf(turn, queue, turn.wakesLeft);
}

/** What is due by the clock, or was cut off. */
export function wakeDue(turn: Turn): void {
  for (const key of [...turn.ledger.keysDue].sort()) wakeKey(turn, key);
  wakeHeld(turn);
}

/** Something that all queues share has room. */
export function wakeHeld(turn: Turn): void {
  const { heldQueues, allQueues } = turn.ledger;
  if (allQueues.runningMax > 0) {
    wakeFirsts(turn);
    return;
  }
  const queues = [...heldQueues].sort(byName);
  const share = Math.max(1, Math.floor(turn.wakesLeft / Math.max(1, queues.length)));
  for (const queue of queues) wakeLineOf(turn, queue, share);
}

/** When a tick has something to do for a line; null: not before another command does. */
export function limitsDueMs(ledger: Ledger): number | null {
  if (ledger.keysDue.size > 0) return ledger.clockMs;
  let earliestMs: number | null = null;
  for (const queue of ledger.heldQueues) {
    const dueMs = dueMsOf(ledger, queue);
    if (dueMs !== null && (earliestMs === null || dueMs < earliestMs)) earliestMs = dueMs;
  }
  return earliestMs;
}

function dueMsOf(ledger: Ledger, queue: QueueRecord): number | null {
  if (!isShort(ledger, queue)) return ledger.clockMs;
  const { rateCount } = queue.limits;
  if (queue.isPaused || ledger.allQueues.isPaused || rateCount === 0) return null;
  const isOverRate = startsWithin(queue, ledger.clockMs) + queue.claimed >= rateCount;
  return isOverRate ? nextRoomMs(queue, ledger.clockMs) : null;
}

function wakeKey(turn: Turn, key: string): void {
  const { keyGates, keysDue } = turn.ledger;
  keysDue.delete(key);
  for (;;) {
    const gate = keyGates.get(key);
    const job = gate?.line.first()?.item;
    const limit = job?.concurrencyKeys.find((one) => one.key === key);
    if (gate === undefined || job === undefined || limit === undefined) return;
    if (isShortFor(gate, limit)) return;
    if (turn.wakesLeft === 0) {
      keysDue.add(key);
      return;
    }
    goOnFrom(turn, job, "key");
  }
}

function wakeLineOf(turn: Turn, queue: QueueRecord, wakesMax: number): void {
  const leastLeft = turn.wakesLeft - Math.min(wakesMax, turn.wakesLeft);
  while (turn.wakesLeft > leastLeft && !isShort(turn.ledger, queue)) {
    const first = queue.line.first();
    if (first === null) return;
    goOnFrom(turn, first.item, "queue");
  }
}

/** The first in all lines that have room, one after the other. */
function wakeFirsts(turn: Turn): void {
  const { ledger } = turn;
  while (turn.wakesLeft > 0) {
    let best: Placed | null = null;
    for (const queue of ledger.heldQueues) {
      const first = isShort(ledger, queue) ? null : queue.line.first();
      if (first !== null && (best === null || isBefore(first, best))) best = first;
    }
    if (best === null) return;
    goOnFrom(turn, best.item, "queue");
  }
}

function goOnFrom(turn: Turn, job: JobRecord, from: "key" | "queue"): void {
  turn.wakesLeft -= 1;
  leave(turn.ledger, job);
  goOn(turn, job, from);
}

interface Placed {
  readonly item: JobRecord;
  readonly rank: number;
}

function isBefore(one: Placed, other: Placed): boolean {
  return one.rank < other.rank || (one.rank === other.rank && one.item.number < other.item.number);
}

function byName(one: QueueRecord, other: QueueRecord): number {
  return one.name < other.name ? -1 : 1;
}
