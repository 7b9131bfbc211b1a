// What the gateway refuses before it troubles the quorum: one field, whatever request it is of.
//
// Guarantees: what passes is what the leader's own check (command-check.ts) takes too; every
// problem is added under the field's path in the request, none throws here. Kinds and queues are
// only looked at as names: whether they are registered is the ledger's to say.
// Does not own: fields that belong together (validate-spec.ts, validate-queue.ts).

import { JITTER_DEFAULT } from "../../ledger/backoff.ts";
import type { Backoff } from "../../ledger/job.ts";
import type { Duration } from "../../protos/gen/google/protobuf/duration.ts";
import type { Backoff as WireBackoff } from "../../protos/gen/quorumq/v1/job.ts";
import { BACKOFF_MULTIPLIER_MAX, isJson, isName } from "../../transport/command-check.ts";
import {
  DURATION_MS_MAX,
  ERROR_MESSAGE_LENGTH_MAX,
  JOB_LOCK_KEYS_MAX,
  KEY_LENGTH_MAX,
  MEMBERSHIP_NODES_MAX,
  NAME_LENGTH_MAX,
  PAYLOAD_BYTES_MAX,
  TIME_MS_MAX,
} from "../../transport/limit.ts";
import { isNodeName } from "../../transport/member-id.ts";
import { quoted, type Violations } from "./violations.ts";

const BACKOFF_MULTIPLIER_DEFAULT = 2;
/** A google.protobuf.Duration has fewer nanoseconds beside its seconds. */
const NANOS_END = 1_000_000_000;

export function checkJobId(jobId: string, violations: Violations): void {
  if (jobId === "") violations.add("job_id", "is empty", quoted(jobId), "the id of a job");
  else checkLength(jobId, "job_id", KEY_LENGTH_MAX, violations);
}

/** A name that a filter gives: empty matches all. */
export function checkFilterName(name: string, field: string, violations: Violations): void {
  if (name !== "") checkName(name, field, violations);
}

export function checkReason(reason: string, violations: Violations): void {
  checkLength(reason, "reason", ERROR_MESSAGE_LENGTH_MAX, violations);
}

export function checkNodeIds(ids: readonly string[], field: string, violations: Violations): void {
  if (ids.length === 0 || ids.length > MEMBERSHIP_NODES_MAX) {
    const limit = `1 to ${MEMBERSHIP_NODES_MAX}`;
    violations.add(field, "has the wrong number of nodes", ids.length, limit);
    return;
  }
  for (const [position, id] of ids.entries()) {
    const path = `${field}[${position}]`;
    checkNodeId(id, path, violations);
    if (ids.indexOf(id) < position) {
      violations.add(path, "is there twice", quoted(id), "each node once");
    }
  }
}

export function checkNodeId(id: string, field: string, violations: Violations): void {
  if (isNodeName(id)) return;
  const problem = id === "" ? "is empty" : "is not the id of a node";
  const limit = "1 to 64 of A-Z a-z 0-9 _ -, not beginning with _ or -";
  violations.add(field, problem, quoted(id), limit);
}

export function checkName(name: string, field: string, violations: Violations): void {
  if (isName(name)) return;
  const problem = name === "" ? "is empty" : "is not a name";
  const limit = `1 to ${NAME_LENGTH_MAX} of A-Z a-z 0-9 _ . -, not beginning with . or -`;
  violations.add(field, problem, quoted(name), limit);
}

export function checkPayload(
  payload: Uint8Array,
  field: string,
  violations: Violations,
  bytesMax: number = PAYLOAD_BYTES_MAX,
): void {
  if (payload.byteLength > bytesMax) {
    violations.addTooLarge(field, payload.byteLength, bytesMax);
  } else if (!isJson(payload)) {
    // Its content is not repeated: payloads never enter errors or logs.
    violations.add(field, "is not JSON", `${payload.byteLength} bytes`, "JSON in UTF-8");
  }
}

export function checkRange(
  value: number,
  field: string,
  max: number,
  violations: Violations,
  min = 0,
): void {
  const isInRange = Number.isSafeInteger(value) && value >= min && value <= max;
  if (!isInRange) violations.add(field, "is out of range", value, `${min} to ${max}`);
}

export function checkLength(
  text: string,
  field: string,
  max: number,
  violations: Violations,
): void {
  if (text.length <= max) return;
  violations.add(field, "is too long", `${text.length} characters`, `at most ${max}`);
}

export function checkLockKeys(
  keys: readonly string[],
  field: string,
  violations: Violations,
): void {
  if (keys.length > JOB_LOCK_KEYS_MAX) {
    violations.add(field, "has too many keys", keys.length, `at most ${JOB_LOCK_KEYS_MAX}`);
    return;
  }
  const seen = new Set<string>();
  for (const [position, key] of keys.entries()) {
    const path = `${field}[${position}]`;
    if (key === "")
      violations.add(path, "is empty", quoted(key), `1 to ${KEY_LENGTH_MAX} characters`);
    else checkLength(key, path, KEY_LENGTH_MAX, violations);
    if (seen.has(key)) violations.add(path, "is there twice", quoted(key), "each key once");
    seen.add(key);
  }
}

/** 0 (now, in a job) for what is absent or lies before 1970. */
export function checkTime(time: Date | undefined, field: string, violations: Violations): number {
  if (time === undefined) return 0;
  const timeMs = Math.round(time.getTime());
  if (timeMs <= TIME_MS_MAX) return Math.max(0, timeMs);
  violations.add(field, "is not a time", String(timeMs), "a time before the year 10000");
  return 0;
}

/** As checkTime, for an end: one before 1970 is no missing one. */
export function checkEnd(time: Date | undefined, field: string, violations: Violations): number {
  if (time === undefined || !(time.getTime() <= 0)) return checkTime(time, field, violations);
  violations.add(field, "is before 1970", time.toISOString(), "a later time, or none");
  return 0;
}

/** 0 for what is absent. */
export function checkDuration(
  duration: Duration | undefined,
  field: string,
  violations: Violations,
): number {
  if (duration === undefined) return 0;
  const { seconds, nanos } = duration;
  if (Math.abs(nanos) >= NANOS_END || seconds * nanos < 0) {
    const limit = "nanos within 999999999, and of the sign of the seconds";
    violations.add(field, "is not a duration", `${seconds} s and ${nanos} ns`, limit);
    return 0;
  }
  const ms = seconds * 1_000 + nanos / 1_000_000;
  if (ms >= 0 && ms <= DURATION_MS_MAX) return Math.ceil(ms);
  violations.add(field, "is out of range", `${ms} ms`, `0 to ${DURATION_MS_MAX} ms`);
  return 0;
}

/** null for what is absent: the kind's own. */
export function checkBackoff(
  wire: WireBackoff | undefined,
  field: string,
  violations: Violations,
): Backoff | null {
  if (wire === undefined) return null;
  const initialMs = checkDuration(wire.initial, `${field}.initial`, violations);
  const maxMs =
    wire.max === undefined ? DURATION_MS_MAX : checkDuration(wire.max, `${field}.max`, violations);
  const multiplier = wire.multiplier === 0 ? BACKOFF_MULTIPLIER_DEFAULT : wire.multiplier;
  if (!(multiplier >= 1 && multiplier <= BACKOFF_MULTIPLIER_MAX)) {
    const limit = `1 to ${BACKOFF_MULTIPLIER_MAX}`;
    violations.add(`${field}.multiplier`, "is out of range", multiplier, limit);
  }
  if (maxMs < initialMs) {
    violations.add(
      `${field}.max`,
      "is less than initial",
      `${maxMs} ms`,
      `${initialMs} ms or more`,
    );
  }
  const jitter = wire.jitter ?? JITTER_DEFAULT;
  if (!(jitter >= 0 && jitter <= 1)) {
    violations.add(`${field}.jitter`, "is out of range", jitter, "0 to 1");
  }
  return { initialMs, multiplier, maxMs, jitter };
}
