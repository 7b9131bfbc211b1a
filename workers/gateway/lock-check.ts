// What the gateway refuses of LockService's requests before it troubles the quorum.
//
// Guarantees: as validate.ts: all problems at once; what passes is taken by the leader's own check.

import type { CommandBody } from "../../ledger/command.ts";
import type { AcquireLockRequest } from "../../protos/gen/quorumq/v1/lock_service.ts";
import {
  JOB_LOCK_KEYS_MAX,
  KEY_LENGTH_MAX,
  LEASE_MS_MAX,
  LOCK_TTL_MS_DEFAULT,
  LOCK_TTL_MS_MIN,
  LOCK_WAIT_MS_MAX,
} from "../../transport/limit.ts";
import { checkDuration, checkLength, checkLockKeys } from "./validate.ts";
import { quoted, Violations } from "./violations.ts";

export type LockAsk = Omit<Extract<CommandBody, { kind: "acquire-lock" }>, "kind">;

export function checkAcquire(request: AcquireLockRequest, requestId: string): LockAsk {
  const { keys: lockKeys, owner } = request;
  const violations = new Violations();
  if (lockKeys.length === 0) {
    violations.add("keys", "are missing", "none", `1 to ${JOB_LOCK_KEYS_MAX}`);
  }
  checkLockKeys(lockKeys, "keys", violations);
  checkLength(owner, "owner", KEY_LENGTH_MAX, violations);
  checkLength(requestId, "request_id", KEY_LENGTH_MAX, violations);
  const ttlMs =
    request.ttl === undefined ? LOCK_TTL_MS_DEFAULT : checkDuration(request.ttl, "ttl", violations);
  const waitMs = checkDuration(request.wait, "wait", violations);
  checkWithin(ttlMs, "ttl", LOCK_TTL_MS_MIN, LEASE_MS_MAX, violations);
  checkWithin(waitMs, "wait", 0, LOCK_WAIT_MS_MAX, violations);
  violations.requireNone();
  return { lockKeys, owner, requestId, ttlMs, waitMs };
}

/** Throws if there is a problem. */
export function checkLockRef(lockId: string, token: number): void {
  const violations = new Violations();
  if (lockId === "") violations.add("lock_id", "is empty", quoted(lockId), "the id of a lock");
  else checkLength(lockId, "lock_id", KEY_LENGTH_MAX, violations);
  if (token <= 0) violations.add("fencing_token", "is missing", token, "the token of the lock");
  violations.requireNone();
}

function checkWithin(
  ms: number,
  field: string,
  minMs: number,
  maxMs: number,
  violations: Violations,
): void {
  if (ms >= minMs && ms <= maxMs) return;
  violations.add(field, "is out of range", `${ms} ms`, `${minMs} to ${maxMs} ms`);
}
