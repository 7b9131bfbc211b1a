// A lock outside jobs as a snapshot keeps it, and whether one that comes back makes sense.
//
// Guarantees: as kept-job.ts and kept-job-check.ts for jobs: there and back is the same lock, and
// what passes the check lets no assertion of the rules fail later.
// Does not own: what holds between locks and jobs (restore.ts).

import { isUpTo, isWhole } from "./kept-job-check.ts";
import type { LockRecord } from "./lock.ts";
import type { SnapshotHead } from "./snapshot-head.ts";

/** Its id follows from its number. */
export type KeptLock = Readonly<Omit<LockRecord, "id">>;

export function keptLockOf({ id: _, ...kept }: LockRecord): KeptLock {
  return kept;
}

export function lockOf(kept: KeptLock): LockRecord {
  return {
    id: `l-${kept.number}`,
    number: kept.number,
    lockKeys: kept.lockKeys,
    owner: kept.owner,
    requestId: kept.requestId,
    ttlMs: kept.ttlMs,
    state: kept.state,
    end: kept.end,
    token: kept.token,
    isTaken: kept.isTaken,
    expiryMs: kept.expiryMs,
    waitUntilMs: kept.waitUntilMs,
    place: kept.place,
    parkedFor: kept.parkedFor,
  };
}

export function isSoundLock(lock: KeptLock, head: SnapshotHead): boolean {
  const { number, lockKeys, state, end, expiryMs } = lock;
  return (
    number > 0 &&
    isUpTo(number, head.appliedIndex) &&
    lockKeys.length > 0 &&
    !lockKeys.includes("") &&
    new Set(lockKeys).size === lockKeys.length &&
    [lock.ttlMs, expiryMs, lock.waitUntilMs].every(isWhole) &&
    (state === "over") === (end !== null) &&
    (state !== "over" || expiryMs <= head.clockMs) &&
    hasToken(lock, head) &&
    hasPlace(lock, head)
  );
}

function hasToken(
  { number, state, end, token, isTaken }: KeptLock,
  { appliedIndex }: SnapshotHead,
): boolean {
  if (token === 0) return state !== "held" && !isTaken;
  return (
    state !== "waiting" && end !== "not-granted" && token >= number && isUpTo(token, appliedIndex)
  );
}

function hasPlace({ state, lockKeys, place, parkedFor }: KeptLock, head: SnapshotHead): boolean {
  if (state !== "waiting") return place === 0 && parkedFor === "";
  return place > 0 && isUpTo(place, head.lastPlace) && lockKeys.includes(parkedFor);
}
