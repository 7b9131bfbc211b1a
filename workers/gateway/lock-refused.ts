// Why a lock was not given, or is not the caller's any more, in the words of callers.
//
// Guarantees: who holds the key is named, with token; nothing here says "not held" of what may be.
// Does not own: codes (transport/reason.ts).

import { LockEnd } from "../../protos/gen/ledger/v1/lock.ts";
import {
  type LockHolder,
  type LockRefused,
  type LockStanding,
  LockRefused_Reason as Reason,
} from "../../protos/gen/node/v1/lock.ts";
import { JOB_LOCK_KEYS_MAX } from "../../transport/limit.ts";
import type { PipelineError } from "../../transport/pipeline-error.ts";
import { refusal } from "../../transport/reason.ts";
import { quoted } from "./violations.ts";

/**
 * The request is over without a lock, or what it once got is over. `requestId` is "" if the caller
 * gave none.
 */
export function notGranted(standing: LockStanding, requestId: string): PipelineError {
  const { lockId, token, end, blocker } = standing;
  if (token > 0) {
    const how = end === LockEnd.LOCK_END_RELEASED ? "was let go" : "ran out";
    return fenced(standing, token, `the lock of request ${quoted(requestId)} ${how}; ask anew`);
  }
  if (end === LockEnd.LOCK_END_RELEASED || end === LockEnd.LOCK_END_EXPIRED) {
    const why = end === LockEnd.LOCK_END_RELEASED ? "was given up" : "was not kept alive";
    return refusal("LOCK_HELD", `the wait ${lockId} ${why} and lost its place in line; ask anew`, {
      metadata: { lock_id: lockId, request_id: requestId },
    });
  }
  const { text, metadata } = holderText(blocker);
  if (requestId === "") return refusal("LOCK_HELD", text, { metadata });
  return refusal("LOCK_HELD", `${text}; to ask again, use another request_id`, {
    metadata: { ...metadata, request_id: requestId },
  });
}

/** Whoever speaks under this token does not hold the lock. */
export function fenced(standing: LockStanding, token: number, text = ""): PipelineError {
  const { lockId, blocker } = standing;
  const current = blocker?.token ?? 0;
  const message = text === "" ? `lock ${lockId} is not held under token ${token}` : text;
  const holder = current === 0 ? "" : `; token ${current} holds ${quoted(blocker?.key ?? "")} now`;
  return refusal("FENCED", `${message}${holder}`, {
    metadata: { lock_id: lockId, presented: String(token), current: String(current) },
  });
}

export function requestRefused({ reason, lockId }: LockRefused, requestId: string): PipelineError {
  switch (reason) {
    case Reason.REASON_REQUEST_ID_REUSED:
      return refusal(
        "IDEMPOTENCY_KEY_REUSED",
        `request_id ${quoted(requestId)} belongs to ${lockId}, which asked for something else`,
        { metadata: { field: "request_id", request_id: requestId, lock_id: lockId } },
      );
    case Reason.REASON_TOO_MANY_LOCKS:
      return refusal("BACKLOG_FULL", "too many locks are held or waited for already");
    case Reason.REASON_NO_KEYS:
    case Reason.REASON_UNSPECIFIED:
      return refusal("INVALID_FIELD", `keys are missing; allowed: 1 to ${JOB_LOCK_KEYS_MAX}`, {
        metadata: { field: "keys" },
      });
  }
}

function holderText(blocker: LockHolder | undefined) {
  if (blocker === undefined) return { text: "a key was held when this was asked", metadata: {} };
  const { key, id, owner, token } = blocker;
  const who = owner === "" ? id : `${id} (${owner})`;
  const how = token === 0 ? `is ${who}'s next` : `is held by ${who} under token ${token}`;
  return {
    text: `key ${quoted(key)} ${how}`,
    metadata: { key, holder: id, owner, holder_token: String(token) },
  };
}
