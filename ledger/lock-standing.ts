// What can be asked of locks: how one stands, and who holds which key. Asking changes nothing.
//
// Guarantees: what is returned is a copy. A page of held keys is in the order of the keys' code
// units, so that pages are stable while keys come and go; it costs a look at every held key.

import type { FencingToken } from "./job.ts";
import { type Contender, isLock, type LockRecord } from "./lock.ts";
import type { LockHolder, LockStanding } from "./result.ts";
import type { Ledger } from "./state.ts";

/** A held key. */
export interface HeldKey {
  readonly key: string;
  readonly holder: LockHolder;
  /** How many wait in its line. */
  readonly waitingCount: number;
}

export interface HeldKeyPage {
  readonly keys: readonly HeldKey[];
  readonly hasMore: boolean;
}

export function standingOf(ledger: Ledger, lock: LockRecord): LockStanding {
  return {
    lockId: lock.id,
    lockKeys: [...lock.lockKeys],
    state: lock.state,
    end: lock.end,
    token: lock.token,
    expiryMs: lock.expiryMs,
    blocker: lock.state === "held" ? null : blockerOf(ledger, lock),
  };
}

/** Never asked for, or over for long: nobody can tell which. */
export function unknownLock(lockId: string): LockStanding {
  return { lockId, lockKeys: [], state: "over", end: null, token: 0, expiryMs: 0, blocker: null };
}

export function lockStanding(ledger: Ledger, lockId: string): LockStanding {
  const lock = ledger.locks.get(lockId);
  return lock === undefined ? unknownLock(lockId) : standingOf(ledger, lock);
}

/** Keys behind this one; "" begins with the first. */
export function listLocks(ledger: Ledger, afterKey: string, limit: number): HeldKeyPage {
  const later: string[] = [];
  for (const key of ledger.holders.keys()) if (key > afterKey) later.push(key);
  const page = later.sort().slice(0, limit);
  return {
    keys: page.flatMap((key) => heldKey(ledger, key) ?? []),
    hasMore: later.length > page.length,
  };
}

/** null: nobody holds it. */
export function heldKey(ledger: Ledger, key: string): HeldKey | null {
  const holder = ledger.holders.get(key);
  if (holder === undefined) return null;
  const waitingCount = ledger.lines.get(key)?.size ?? 0;
  return { key, holder: holderOf(key, holder), waitingCount };
}

/** Who has, or will have first, a key that this one wants. */
function blockerOf(ledger: Ledger, lock: LockRecord): LockHolder | null {
  for (const key of lock.lockKeys) {
    const one =
      ledger.holders.get(key) ?? ledger.claims.get(key) ?? ledger.lines.get(key)?.first()?.item;
    if (one !== undefined && one !== lock) return holderOf(key, one);
  }
  return null;
}

function holderOf(key: string, one: Contender): LockHolder {
  if (isLock(one)) {
    const { id, owner, token, expiryMs } = one;
    return { key, id, owner, token, expiryMs };
  }
  // The handler of a cancelled job has an attempt that is over, under the token of which it runs.
  const attempt = one.attempts.at(-1);
  const isHolding = one.currentToken > 0 || one.keysUntilMs > 0;
  const token: FencingToken = isHolding ? (attempt?.token ?? 0) : 0;
  const expiryMs = isHolding ? (attempt?.leaseExpiryMs ?? 0) : one.claimExpiryMs;
  return { key, id: one.id, owner: isHolding ? (attempt?.worker ?? "") : "", token, expiryMs };
}
