// Who is put before the workers, and what the others are held back by: limits of a queue, of all
// queues together, and of concurrency keys.
//
//                  ┌─ a lock key is taken ─────────▶ parked in its line (park.ts)
//   queued, or ────┼─ a concurrency key is short ──▶ held back in the key's line
//   woken          ├─ the queue is short ──────────▶ held back in the queue's line
//                  └─ nothing is ──▶ places put by, before workers ──start──▶ running
//
// Guarantees: a start beyond a limit, or of a paused queue, is refused, whatever BullMQ holds. A
// job is let in everywhere at once or nowhere, and waits for the first thing that is short; lines
// go by priority, then by arrival, and a newcomer stands behind whoever comes before it. Who was
// woken for a lock or a key keeps it put by while it waits for its queue, so that one release
// wakes one job; a claim ends by itself (park.ts) and does not bind those who start.
// A job of a queue without limits, and without keys, costs a look at a few flags.
// Does not own: when somebody is woken (wake.ts), locks (park.ts).

import { indexDue } from "./due.ts";
import {
  countUnder,
  forgetIdle,
  fullKeyOf,
  isBehind,
  openGate,
  rankOf,
  shortKeyOf,
} from "./key-gate.ts";
import { claimKeys, takenKeyOf } from "./line.ts";
import { plusMs } from "./milliseconds.ts";
import { CLAIM_MS, dropClaim, waitFor, wakeLine } from "./park.ts";
import { type QueueRecord, queueOf } from "./queue.ts";
import { startsWithin } from "./queue-rate.ts";
import type { JobRecord } from "./record.ts";
import type { Ledger, Turn } from "./state.ts";
import { record } from "./tell.ts";
import { wakeAfter } from "./wake.ts";

/** What `waitsAt` says of a job in its queue's line, and before a concurrency key. */
export const AT_QUEUE = "queue";
export const AT_KEY = "key:";

/** What a job goes on from: its arrival, or a line that it has just left. */
type From = "arrival" | "lock" | "key" | "queue";

/** Whether a job that becomes queued has to be let in first. */
export function isGated(ledger: Ledger, queue: QueueRecord, job: JobRecord): boolean {
  const { isPaused: isAllPaused, runningMax } = ledger.allQueues;
  // The line of a queue whose limits are gone is let in piece by piece: nobody overtakes it.
  const isOpen = !queue.isGated && queue.line.size === 0 && !isAllPaused && runningMax === 0;
  return !isOpen || job.concurrencyKeys.length > 0;
}

/** Lets a job that stands in no line go on to the next thing that it has to wait for. */
export function goOn(turn: Turn, job: JobRecord, from: From): void {
  const { ledger } = turn;
  const queue = queueOf(ledger, job);
  // What it claims already is what it had behind it when it began to wait.
  const hasLocks = job.claimExpiryMs > 0;
  const hasKeys = hasLocks && from === "queue";
  const lockKey = hasLocks ? "" : takenKeyOf(ledger, job);
  if (lockKey !== "") {
    waitFor(turn, job, lockKey);
    return;
  }
  const key = hasKeys ? "" : shortKeyOf(ledger, job);
  const mustWait = from !== "queue" && (isShort(ledger, queue) || isBehind(queue.line, job));
  // Only who was woken keeps something put by while it waits, and not for the end of a pause.
  const takesNothing = from === "arrival" || (!hasLocks && isPaused(ledger, queue));
  if (key !== "" || (mustWait && takesNothing)) {
    stand(turn, job, key === "" ? AT_QUEUE : AT_KEY + key);
    return;
  }
  if (!hasLocks) claimLocks(ledger, job);
  if (!hasKeys) countUnder(ledger, job, "claimed", 1);
  // Never 0, which says that there is none.
  job.claimExpiryMs = plusMs(ledger.clockMs, CLAIM_MS);
  if (mustWait) stand(turn, job, AT_QUEUE);
  else putBefore(turn, job, queue, from);
}

/** With a place, before all who come to wait for them later. */
function claimLocks(ledger: Ledger, job: JobRecord): void {
  if (job.lockKeys.length === 0) return;
  claimKeys(ledger, job);
  if (job.place > 0) return;
  ledger.lastPlace += 1;
  job.place = ledger.lastPlace;
}

/** Before the workers: in BullMQ. */
function putBefore(turn: Turn, job: JobRecord, queue: QueueRecord, from: From): void {
  const { ledger } = turn;
  queue.claimed += 1;
  ledger.allQueues.claimed += 1;
  ledger.queued.add(job);
  indexDue(ledger, job);
  // One that has just become queued has been told of.
  if (from === "arrival") return;
  job.dispatch += 1;
  record(turn, job, "unparked");
}

export function isPaused({ allQueues }: Ledger, queue: QueueRecord): boolean {
  return queue.isPaused || allQueues.isPaused;
}

/** Whether no job of the queue can be let in now. */
export function isShort(ledger: Ledger, queue: QueueRecord): boolean {
  const { allQueues, counters } = ledger;
  const { runningMax, rateCount } = queue.limits;
  if (isPaused(ledger, queue)) return true;
  if (runningMax > 0 && queue.byState.running + queue.claimed >= runningMax) return true;
  const allRunningMax = allQueues.runningMax;
  if (allRunningMax > 0 && counters.byState.running + allQueues.claimed >= allRunningMax) {
    return true;
  }
  return rateCount > 0 && startsWithin(queue, ledger.clockMs) + queue.claimed >= rateCount;
}

/** Why the job may not start now, as `waitsAt` says it; "": no limit keeps it. */
export function limitAtStart(ledger: Ledger, job: JobRecord): string {
  const queue = queueOf(ledger, job);
  if (!isGated(ledger, queue, job)) return "";
  const key = fullKeyOf(ledger, job);
  if (key !== "") return AT_KEY + key;
  return isFull(ledger, queue) ? AT_QUEUE : "";
}

/** As isShort, but for places that are only put by. */
function isFull(ledger: Ledger, queue: QueueRecord): boolean {
  const { allQueues, counters } = ledger;
  const { runningMax, rateCount } = queue.limits;
  return (
    isPaused(ledger, queue) ||
    (runningMax > 0 && queue.byState.running >= runningMax) ||
    (allQueues.runningMax > 0 && counters.byState.running >= allQueues.runningMax) ||
    (rateCount > 0 && startsWithin(queue, ledger.clockMs) >= rateCount)
  );
}

/** A start was refused for this limit: the job waits for it, out of BullMQ. */
export function holdBack(turn: Turn, job: JobRecord, at: string): void {
  const { ledger } = turn;
  // In the line for a lock it is out of BullMQ, too, and comes by here when it is woken.
  if (job.waitsAt !== "" || job.parkedFor !== "") return;
  const wasClaiming = dropClaim(ledger, job);
  stand(turn, job, at);
  if (!wasClaiming) return;
  wakeLine(turn, job.lockKeys);
  wakeAfter(turn, job);
}

function stand(turn: Turn, job: JobRecord, at: string): void {
  const { ledger } = turn;
  job.waitsAt = at;
  standAgain(ledger, job);
  ledger.queued.delete(job);
  indexDue(ledger, job);
  record(turn, job, "parked");
}

/** Puts a job into the line that it says it stands in. */
export function standAgain(ledger: Ledger, job: JobRecord): void {
  if (job.waitsAt === AT_QUEUE) {
    const queue = queueOf(ledger, job);
    queue.line.set(job, rankOf(job));
    ledger.heldQueues.add(queue);
  } else {
    openGate(ledger, job.waitsAt.slice(AT_KEY.length)).line.set(job, rankOf(job));
  }
}

/** Takes a job out of the line that a limit keeps it in; whether it stood in one. */
export function leave(ledger: Ledger, job: JobRecord): boolean {
  const { waitsAt } = job;
  if (waitsAt === "") return false;
  job.waitsAt = "";
  if (waitsAt === AT_QUEUE) {
    const queue = queueOf(ledger, job);
    queue.line.remove(job);
    if (queue.line.size === 0) ledger.heldQueues.delete(queue);
  } else {
    const key = waitsAt.slice(AT_KEY.length);
    const gate = openGate(ledger, key);
    gate.line.remove(job);
    forgetIdle(ledger, key, gate);
  }
  return true;
}

/** Adds to, or takes from, the counts of places put by, what a job's claim stands for. */
export function countClaim(ledger: Ledger, job: JobRecord, change: 1 | -1): void {
  if (job.waitsAt.startsWith(AT_KEY)) return;
  countUnder(ledger, job, "claimed", change);
  if (job.waitsAt === AT_QUEUE) return;
  queueOf(ledger, job).claimed += change;
  ledger.allQueues.claimed += change;
}
