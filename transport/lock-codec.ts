// Locks outside jobs on the wire: how they stand, who holds which key; their states as numbers.
//
// Guarantees: nothing of the ledger's own objects is kept by what is returned here; each state and
// end has exactly one number.

import type { LockEnd, LockState } from "../ledger/lock.ts";
import type { HeldKey } from "../ledger/lock-standing.ts";
import type { LockHolder, LockStanding, Result } from "../ledger/result.ts";
import { LockEnd as WireEnd, LockState as WireState } from "../protos/gen/ledger/v1/lock.ts";
import {
  LockRefused_Reason as Reason,
  type HeldKey as WireHeldKey,
  type LockHolder as WireHolder,
  type LockRefused as WireRefused,
  type LockStanding as WireStanding,
} from "../protos/gen/node/v1/lock.ts";

type Refused = Extract<Result, { kind: "lock-refused" }>;

export const LOCK_STATE_TO_WIRE: Readonly<Record<LockState, WireState>> = {
  waiting: WireState.LOCK_STATE_WAITING,
  held: WireState.LOCK_STATE_HELD,
  over: WireState.LOCK_STATE_OVER,
};

export const LOCK_END_TO_WIRE: Readonly<Record<LockEnd, WireEnd>> = {
  released: WireEnd.LOCK_END_RELEASED,
  expired: WireEnd.LOCK_END_EXPIRED,
  "not-granted": WireEnd.LOCK_END_NOT_GRANTED,
};

const REFUSAL_TO_WIRE: Readonly<Record<Refused["reason"], Reason>> = {
  "request-id-reused": Reason.REASON_REQUEST_ID_REUSED,
  "no-keys": Reason.REASON_NO_KEYS,
  "too-many-locks": Reason.REASON_TOO_MANY_LOCKS,
};

export function toWireStanding(standing: LockStanding): WireStanding {
  const { lockId, lockKeys, state, end, token, expiryMs, blocker } = standing;
  return {
    lockId,
    lockKeys: [...lockKeys],
    state: LOCK_STATE_TO_WIRE[state],
    end: end === null ? WireEnd.LOCK_END_UNSPECIFIED : LOCK_END_TO_WIRE[end],
    token,
    expiryMs,
    blocker: blocker === null ? undefined : toWireHolder(blocker),
  };
}

export function toWireRefused({ reason, lockId }: Refused): WireRefused {
  return { reason: REFUSAL_TO_WIRE[reason], lockId };
}

export function toWireHeldKey({ holder, waitingCount }: HeldKey): WireHeldKey {
  return { holder: toWireHolder(holder), waitingCount };
}

function toWireHolder({ key, id, owner, token, expiryMs }: LockHolder): WireHolder {
  return { key, id, owner, token, expiryMs };
}
