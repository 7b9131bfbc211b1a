// A job that is asked for, by a submission or in a schedule, field by field.
//
// Guarantees: as validate.ts. A spec without a problem is one that the ledger takes, if its kind
// and queue are registered. Does not own: its place in a family (family.ts).

import type { JobSpec } from "../../ledger/command.ts";
import {
  ChildFailurePolicy,
  type JobSpec as WireJobSpec,
} from "../../protos/gen/quorumq/v1/job.ts";
import { JOB_ATTEMPTS_MAX, JOB_PRIORITY_MAX, KEY_LENGTH_MAX } from "../../transport/limit.ts";
import {
  checkBackoff,
  checkDuration,
  checkLength,
  checkLockKeys,
  checkName,
  checkPayload,
  checkRange,
  checkTime,
} from "./validate.ts";
import { checkConcurrencyKeys } from "./validate-queue.ts";
import type { Violations } from "./violations.ts";

/** The spec as the ledger takes it. Only of use if no problem was added. */
export function checkSpec(
  wire: WireJobSpec | undefined,
  path: string,
  traceparent: string,
  violations: Violations,
): JobSpec | null {
  if (wire === undefined) {
    violations.add(path, "is missing", "nothing", "a job to submit");
    return null;
  }
  checkName(wire.kind, `${path}.kind`, violations);
  if (wire.queue !== "") checkName(wire.queue, `${path}.queue`, violations);
  checkPayload(wire.payload, `${path}.payload`, violations);
  checkRange(wire.priority, `${path}.priority`, JOB_PRIORITY_MAX, violations);
  checkRange(wire.maxAttempts, `${path}.max_attempts`, JOB_ATTEMPTS_MAX, violations);
  checkLockKeys(wire.lockKeys, `${path}.lock_keys`, violations);
  checkConcurrencyKeys(wire.concurrencyKeys, `${path}.concurrency_keys`, violations);
  checkLength(wire.idempotencyKey, `${path}.idempotency_key`, KEY_LENGTH_MAX, violations);
  return {
    kind: wire.kind,
    queue: wire.queue,
    payload: wire.payload,
    priority: wire.priority,
    runAtMs: checkTime(wire.runAt, `${path}.run_at`, violations),
    maxAttempts: wire.maxAttempts,
    backoff: checkBackoff(wire.backoff, `${path}.backoff`, violations),
    attemptTimeoutMs: checkDuration(wire.attemptTimeout, `${path}.attempt_timeout`, violations),
    totalTimeoutMs: checkDuration(wire.totalTimeout, `${path}.total_timeout`, violations),
    lockKeys: wire.lockKeys,
    concurrencyKeys: wire.concurrencyKeys,
    idempotencyKey: wire.idempotencyKey,
    traceparent,
    // Its place in a family is not its own to say (family.ts).
    parent: 0,
    onChildFailure: checkPolicy(wire.onChildFailure, `${path}.on_child_failure`, violations),
  };
}

function checkPolicy(
  policy: ChildFailurePolicy,
  field: string,
  violations: Violations,
): JobSpec["onChildFailure"] {
  switch (policy) {
    case ChildFailurePolicy.CHILD_FAILURE_POLICY_RUN_PARENT:
      return "run-parent";
    case ChildFailurePolicy.CHILD_FAILURE_POLICY_UNSPECIFIED:
    case ChildFailurePolicy.CHILD_FAILURE_POLICY_FAIL_PARENT:
      return "fail-parent";
    default:
      violations.add(field, "is not a policy", policy, "FAIL_PARENT or RUN_PARENT");
      return "fail-parent";
  }
}
