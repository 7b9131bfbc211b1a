// What is asked about locks outside jobs: to get one, to keep it, to let it go.
//
// Guarantees: all three may come twice, late or out of order. A request asked again gets the same
// lock, also while it waits and after it is over, when it gets nothing new. Only the token of the
// lock keeps or ends it; who comes too late changes nothing. All keys are taken in one entry or
// none, and no holder waits, so no two can wait for each other.
// Does not own: lines (line.ts), time (tick.ts).

import type { CommandBody } from "./command.ts";
import { enterLines, takenKeyOf } from "./line.ts";
import { LOCKS_MAX, type LockRecord, WAIT_LEASE_MS } from "./lock.ts";
import { endLock, extendLock, forgetLocks, grant } from "./lock-life.ts";
import { standingOf, unknownLock } from "./lock-standing.ts";
import { plusMs, wholeMs } from "./milliseconds.ts";
import { wakeLine } from "./park.ts";
import type { LockStanding, Result } from "./result.ts";
import type { Ledger, Turn } from "./state.ts";

type AcquireLock = Extract<CommandBody, { kind: "acquire-lock" }>;
type RenewLocks = Extract<CommandBody, { kind: "renew-locks" }>;
type ReleaseLocks = Extract<CommandBody, { kind: "release-locks" }>;

export function acquireLock(turn: Turn, ask: AcquireLock): Result {
  const { ledger } = turn;
  forgetLocks(ledger);
  const known = ask.requestId === "" ? undefined : ledger.locksByRequest.get(ask.requestId);
  if (known !== undefined) {
    if (!isSameRequest(known, ask)) {
      return { kind: "lock-refused", reason: "request-id-reused", lockId: known.id };
    }
    // Whoever asks again lives, and hears of a grant by the answer.
    if (known.state === "waiting") waitOn(ledger, known, ask);
    if (known.state === "held") take(ledger, known);
    return { kind: "locks", standings: [standingOf(ledger, known)] };
  }
  const lockKeys = keysOf(ask);
  if (lockKeys.length === 0) return { kind: "lock-refused", reason: "no-keys", lockId: "" };
  if (ledger.locks.size - ledger.endedLocks.size >= LOCKS_MAX) {
    return { kind: "lock-refused", reason: "too-many-locks", lockId: "" };
  }
  const lock = newLock(turn, ask, lockKeys);
  ledger.locks.set(lock.id, lock);
  if (lock.requestId !== "") ledger.locksByRequest.set(lock.requestId, lock);
  const key = takenKeyOf(ledger, lock);
  if (key === "") {
    grant(turn, lock);
    take(ledger, lock);
  } else if (wholeMs(ask.waitMs) > 0) {
    enterLines(ledger, lock, key);
    waitOn(ledger, lock, ask);
  } else {
    endLock(turn, lock, "not-granted");
  }
  return { kind: "locks", standings: [standingOf(ledger, lock)] };
}

/** Token 0 is for who waits and does not know yet: it keeps a place, and never a lock. */
export function renewLocks({ ledger }: Turn, { locks }: RenewLocks): Result {
  const standings = locks.map(({ lockId, token }): LockStanding => {
    const lock = ledger.locks.get(lockId);
    if (lock === undefined) return unknownLock(lockId);
    if (lock.state === "waiting" && token === 0) extendLock(ledger, lock);
    if (isHeldUnder(lock, token)) take(ledger, lock);
    return standingOf(ledger, lock);
  });
  return { kind: "locks", standings };
}

/** Token 0 ends a wait, and a grant of which nobody has heard: the caller is gone. */
export function releaseLocks(turn: Turn, { locks }: ReleaseLocks): Result {
  const { ledger } = turn;
  const freed: string[] = [];
  for (const { lockId, token } of locks) {
    const lock = ledger.locks.get(lockId);
    if (lock === undefined) continue;
    const isAbandoned = token === 0 && !lock.isTaken && lock.state !== "over";
    if (!isAbandoned && !isHeldUnder(lock, token)) continue;
    freed.push(...lock.lockKeys);
    endLock(turn, lock, "released");
  }
  // When all are free: what is granted here is not ended by the rest of the command, so a key never
  // has two holders under one token.
  wakeLine(turn, freed);
  const standings = locks.map(({ lockId }) => {
    const lock = ledger.locks.get(lockId);
    return lock === undefined ? unknownLock(lockId) : standingOf(ledger, lock);
  });
  return { kind: "locks", standings };
}

function isHeldUnder(lock: LockRecord, token: number): boolean {
  return lock.state === "held" && lock.token === token;
}

/** Somebody knows that it is theirs. */
function take(ledger: Ledger, lock: LockRecord): void {
  if (!lock.isTaken) {
    lock.isTaken = true;
    lock.expiryMs = 0;
  }
  extendLock(ledger, lock);
}

/** From now on for so long, as the newest copy of the request says. */
function waitOn(ledger: Ledger, lock: LockRecord, { waitMs }: AcquireLock): void {
  lock.waitUntilMs = plusMs(ledger.clockMs, wholeMs(waitMs));
  extendLock(ledger, lock);
}

/** An empty key could not be told from "not parked"; a key twice is once. */
function keysOf({ lockKeys }: AcquireLock): readonly string[] {
  return [...new Set(lockKeys)].filter((key) => key !== "");
}

function isSameRequest(lock: LockRecord, ask: AcquireLock): boolean {
  const keys = keysOf(ask);
  return (
    lock.owner === ask.owner &&
    lock.ttlMs === wholeMs(ask.ttlMs) &&
    lock.lockKeys.length === keys.length &&
    lock.lockKeys.every((key, at) => key === keys[at])
  );
}

function newLock(turn: Turn, ask: AcquireLock, lockKeys: readonly string[]): LockRecord {
  return {
    id: `l-${turn.index}`,
    number: turn.index,
    lockKeys,
    owner: ask.owner,
    requestId: ask.requestId,
    ttlMs: wholeMs(ask.ttlMs),
    state: "waiting",
    end: null,
    token: 0,
    isTaken: false,
    expiryMs: plusMs(turn.ledger.clockMs, WAIT_LEASE_MS),
    waitUntilMs: 0,
    place: 0,
    parkedFor: "",
  };
}
