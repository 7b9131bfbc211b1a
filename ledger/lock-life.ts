// How a lock's state changes: granted, kept alive, ended; and what time does to all of them.
//
// Guarantees: every change of state is here, with the index of due times and the changes to
// publish. A grant in the line is short until somebody says that they heard of it: its caller may
// be gone. Only a tick ends what is overdue; a new term is a pause, as for jobs.
// Does not own: who may ask (lock-command.ts), whose turn it is (line.ts, park.ts).

import { assert } from "./assert.ts";
import { freeKeys, leaveLines, takeKeys } from "./line.ts";
import {
  ENDED_LOCKS_MAX,
  LOCK_MEMORY_MS,
  type LockEnd,
  type LockRecord,
  WAIT_LEASE_MS,
} from "./lock.ts";
import { plusMs } from "./milliseconds.ts";
import type { LockChange } from "./result.ts";
import type { Ledger, Turn } from "./state.ts";

/** Of one tick, some milliseconds of work; and of what is forgotten at a time, always more. */
export const EXPIRIES_MAX = 2_000;
const FORGOTTEN_MAX = 2 * EXPIRIES_MAX;

/** It has all its keys, under this entry's index as its token. */
export function grant(turn: Turn, lock: LockRecord): void {
  const { ledger, index } = turn;
  assert(lock.state === "waiting" && lock.token === 0, `${lock.id} is granted once`);
  takeKeys(ledger, lock);
  lock.state = "held";
  lock.token = index;
  lock.expiryMs = plusMs(ledger.clockMs, WAIT_LEASE_MS);
  ledger.counters.locksGranted += 1;
  indexLockDue(ledger, lock);
  recordLock(turn, lock, "granted");
}

/** Its holder has heard of it and lives: a whole time to live from now. */
export function extendLock(ledger: Ledger, lock: LockRecord): void {
  const leaseMs = lock.state === "held" && lock.isTaken ? lock.ttlMs : WAIT_LEASE_MS;
  lock.expiryMs = Math.max(lock.expiryMs, plusMs(ledger.clockMs, leaseMs));
  indexLockDue(ledger, lock);
}

/** Frees what it holds, or its place. The lines are to be woken afterwards (park.ts). */
export function endLock(turn: Turn, lock: LockRecord, end: LockEnd): void {
  const { ledger } = turn;
  if (lock.state === "held") freeKeys(ledger, lock);
  else leaveLines(ledger, lock);
  if (lock.state === "held" && end === "expired") ledger.counters.locksExpired += 1;
  lock.state = "over";
  lock.end = end;
  lock.place = 0;
  lock.expiryMs = ledger.clockMs;
  ledger.locksDue.remove(lock);
  ledger.endedLocks.add(lock);
  recordLock(turn, lock, end);
}

/**
 * Ends what is overdue, so much at a time: the rest is due at the next tick. Returns the keys whose
 * lines are to be woken.
 */
export function expireLocks(turn: Turn): readonly string[] {
  const { ledger } = turn;
  const keys: string[] = [];
  for (let count = 0; count < EXPIRIES_MAX; count += 1) {
    const first = ledger.locksDue.first();
    if (first === null || first.rank > ledger.clockMs) break;
    const lock = first.item;
    keys.push(...lock.lockKeys);
    const hasWaited = lock.state === "waiting" && lock.waitUntilMs <= ledger.clockMs;
    endLock(turn, lock, hasWaited ? "not-granted" : "expired");
  }
  forgetLocks(ledger);
  return keys;
}

/** Nobody could give a sign of life while there was no leader. */
export function extendAllLocks(ledger: Ledger): void {
  for (const lock of ledger.locks.values()) if (lock.state !== "over") extendLock(ledger, lock);
}

/** What has been over for so long that no copy of its request is on its way. */
export function forgetLocks(ledger: Ledger): void {
  let left = FORGOTTEN_MAX;
  for (const lock of ledger.endedLocks) {
    if (left === 0) return;
    left -= 1;
    const isOld = plusMs(lock.expiryMs, LOCK_MEMORY_MS) <= ledger.clockMs;
    if (!isOld && ledger.endedLocks.size <= ENDED_LOCKS_MAX) return;
    ledger.endedLocks.delete(lock);
    ledger.locks.delete(lock.id);
    if (lock.requestId !== "") ledger.locksByRequest.delete(lock.requestId);
  }
}

/** null: nothing about this lock waits for time. */
export function lockDueMs(lock: LockRecord): number | null {
  switch (lock.state) {
    case "held":
      return lock.expiryMs;
    case "waiting":
      return Math.min(lock.expiryMs, lock.waitUntilMs);
    case "over":
      return null;
  }
}

export function indexLockDue(ledger: Ledger, lock: LockRecord): void {
  const dueMs = lockDueMs(lock);
  if (dueMs === null) ledger.locksDue.remove(lock);
  else ledger.locksDue.set(lock, dueMs);
}

function recordLock(turn: Turn, lock: LockRecord, event: LockChange["event"]): void {
  turn.lockChanges.push({ index: turn.index, lock, event });
}
