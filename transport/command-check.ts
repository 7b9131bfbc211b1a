// What a leader refuses to put into the log.
//
// Guarantees: a command that passes has every name present and bounded, JSON where JSON is due,
// and numbers within range, so that applying, dispatching and publishing it cannot fail on any
// node. One poison entry would stop them all, for good (raft-lessons L61).
// Does not own: policy towards callers (the gateway tells them field by field), nor what depends
// on the ledger's state.

import { isUtf8 } from "node:buffer";
import type { CommandBody, JobSpec, Kind } from "../ledger/command.ts";
import type { Backoff } from "../ledger/job.ts";
import type { Command as WireCommand } from "../protos/gen/ledger/v1/command.ts";
import { commandFromWire } from "./command-codec.ts";
import {
  BATCH_JOBS_MAX,
  DURATION_MS_MAX,
  ERROR_MESSAGE_LENGTH_MAX,
  JOB_ATTEMPTS_MAX,
  JOB_LOCK_KEYS_MAX,
  JOB_PRIORITY_MAX,
  KEY_LENGTH_MAX,
  KINDS_MAX,
  LEASE_MS_MAX,
  NAME_LENGTH_MAX,
  PAYLOAD_BYTES_MAX,
  RENEWALS_MAX,
  TIME_MS_MAX,
  TRACEPARENT_LENGTH_MAX,
} from "./limit.ts";

/**
 * Kinds and queues: they become BullMQ queue names (no ":") and words of a routing key, which
 * ends at 255 bytes.
 */
const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/;
export const BACKOFF_MULTIPLIER_MAX = 1_000;

export type Checked = { readonly ok: CommandBody } | { readonly malformed: string };

/** "" or what is wrong. */
type Fault = string;

/** Whether a client's command may be proposed. */
export function checkCommand(wire: WireCommand): Checked {
  const body = commandFromWire(wire);
  const fault = faultOf(body);
  return fault === "" ? { ok: body } : { malformed: fault };
}

export function isName(text: string): boolean {
  return text.length <= NAME_LENGTH_MAX && NAME.test(text);
}

/** Empty stands for null. */
export function isJson(bytes: Uint8Array): boolean {
  if (bytes.byteLength === 0) return true;
  if (!isUtf8(bytes)) return false;
  try {
    JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8"));
    return true;
  } catch {
    // JSON.parse has no other way to say no.
    return false;
  }
}

function faultOf(body: CommandBody): Fault {
  switch (body.kind) {
    case "submit-jobs":
      return countFault("jobs", body.jobs, 1, BATCH_JOBS_MAX) || firstFault(body.jobs, specFault);
    case "start-attempt":
      return (
        keyFault("job_id", body.jobId) ||
        keyFault("worker", body.worker) ||
        keyFault("start_id", body.startId) ||
        rangeFault("lease_ms", body.leaseMs, 1, LEASE_MS_MAX)
      );
    case "renew-leases":
      return (
        keyFault("worker", body.worker) ||
        countFault("renewals", body.renewals, 1, RENEWALS_MAX) ||
        firstFault(body.renewals, ({ jobId }) => keyFault("job_id", jobId))
      );
    case "finish-attempt":
      return finishFault(body);
    case "cancel-job":
      return (
        keyFault("job_id", body.jobId) || textFault("reason", body.reason, ERROR_MESSAGE_LENGTH_MAX)
      );
    case "register-kinds":
      return countFault("kinds", body.kinds, 1, KINDS_MAX) || firstFault(body.kinds, kindFault);
    case "tick":
    case "open-term":
    case "checkpoint":
      return `${body.kind} is the leader's own`;
    case "unknown":
      return "unknown or incomplete command";
  }
}

function specFault(spec: JobSpec): Fault {
  return (
    nameFault("kind", spec.kind) ||
    (spec.queue === "" ? "" : nameFault("queue", spec.queue)) ||
    jsonFault("payload", spec.payload) ||
    rangeFault("priority", spec.priority, 0, JOB_PRIORITY_MAX) ||
    rangeFault("run_at_ms", spec.runAtMs, 0, TIME_MS_MAX) ||
    rangeFault("max_attempts", spec.maxAttempts, 0, JOB_ATTEMPTS_MAX) ||
    (spec.backoff === null ? "" : backoffFault(spec.backoff)) ||
    rangeFault("attempt_timeout_ms", spec.attemptTimeoutMs, 0, DURATION_MS_MAX) ||
    countFault("lock_keys", spec.lockKeys, 0, JOB_LOCK_KEYS_MAX) ||
    firstFault(spec.lockKeys, (key) => keyFault("lock_key", key)) ||
    textFault("idempotency_key", spec.idempotencyKey, KEY_LENGTH_MAX) ||
    textFault("traceparent", spec.traceparent, TRACEPARENT_LENGTH_MAX)
  );
}

function kindFault(kind: Kind): Fault {
  return (
    nameFault("kind", kind.kind) ||
    nameFault("queue", kind.queue) ||
    rangeFault("max_attempts", kind.maxAttempts, 1, JOB_ATTEMPTS_MAX) ||
    backoffFault(kind.backoff) ||
    rangeFault("attempt_timeout_ms", kind.attemptTimeoutMs, 0, DURATION_MS_MAX) ||
    countFault("lock_templates", kind.lockTemplates, 0, JOB_LOCK_KEYS_MAX) ||
    firstFault(kind.lockTemplates, (template) => keyFault("lock_template", template))
  );
}

function finishFault(body: Extract<CommandBody, { kind: "finish-attempt" }>): Fault {
  const common = keyFault("job_id", body.jobId) || keyFault("worker", body.worker);
  if (common !== "") return common;
  if (body.outcome === "succeeded") return jsonFault("result", body.result ?? new Uint8Array());
  if (body.error === null) {
    // A job that is given back for another worker has not failed.
    return body.outcome === "handed-back" ? "" : `error is missing for ${body.outcome}`;
  }
  return (
    keyFault("error.code", body.error.code) ||
    textFault("error.message", body.error.message, ERROR_MESSAGE_LENGTH_MAX)
  );
}

function backoffFault({ initialMs, multiplier, maxMs }: Backoff): Fault {
  const isMultiplier = multiplier >= 0 && multiplier <= BACKOFF_MULTIPLIER_MAX;
  if (!isMultiplier) return `backoff.multiplier is not within 0 and ${BACKOFF_MULTIPLIER_MAX}`;
  return (
    rangeFault("backoff.initial_ms", initialMs, 0, DURATION_MS_MAX) ||
    rangeFault("backoff.max_ms", maxMs, 0, DURATION_MS_MAX)
  );
}

function firstFault<T>(items: readonly T[], fault: (item: T) => Fault): Fault {
  for (const [position, item] of items.entries()) {
    const found = fault(item);
    if (found !== "") return `[${position}] ${found}`;
  }
  return "";
}

function nameFault(field: string, name: string): Fault {
  return isName(name) ? "" : `${field} is not a name of 1 to ${NAME_LENGTH_MAX} of A-Za-z0-9_.-`;
}

function keyFault(field: string, key: string): Fault {
  return key === "" ? `${field} is empty` : textFault(field, key, KEY_LENGTH_MAX);
}

function textFault(field: string, text: string, lengthMax: number): Fault {
  return text.length <= lengthMax ? "" : `${field} is longer than ${lengthMax} characters`;
}

function jsonFault(field: string, bytes: Uint8Array): Fault {
  if (bytes.byteLength > PAYLOAD_BYTES_MAX) return `${field} exceeds ${PAYLOAD_BYTES_MAX} bytes`;
  return isJson(bytes) ? "" : `${field} is not JSON in UTF-8`;
}

function countFault(field: string, items: readonly unknown[], min: number, max: number): Fault {
  return rangeFault(`${field} count`, items.length, min, max);
}

function rangeFault(field: string, value: number, min: number, max: number): Fault {
  const isInRange = Number.isSafeInteger(value) && value >= min && value <= max;
  return isInRange ? "" : `${field} is not within ${min} and ${max}`;
}
