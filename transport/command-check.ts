// What a leader refuses to put into the log.
//
// Guarantees: a command that passes has every name present and bounded, JSON where JSON is due,
// and numbers within range, so that applying, dispatching and publishing it cannot fail on any
// node. One poison entry would stop them all, for good (raft-lessons L61).
// Does not own: policy towards callers (the gateway tells them field by field), nor what depends
// on the ledger's state.

import { isUtf8 } from "node:buffer";
import type { AttemptReport, CommandBody, JobSpec, Kind } from "../ledger/command.ts";
import type { Backoff } from "../ledger/job.ts";
import type { ScheduleRule } from "../ledger/schedule.ts";
import type { Command as WireCommand } from "../protos/gen/ledger/v1/command.ts";
import { isCron, isTimeZone } from "./calendar.ts";
import { commandFromWire } from "./command-codec.ts";
import {
  countFault,
  type Fault,
  firstFault,
  keyFault,
  nameFault,
  rangeFault,
  textFault,
} from "./field-fault.ts";
import {
  BATCH_JOBS_MAX,
  CRON_LENGTH_MAX,
  DURATION_MS_MAX,
  ERROR_MESSAGE_LENGTH_MAX,
  FAMILY_LEVELS_MAX,
  INTERVAL_MS_MIN,
  JOB_ATTEMPTS_MAX,
  JOB_LOCK_KEYS_MAX,
  JOB_PRIORITY_MAX,
  KEY_LENGTH_MAX,
  KINDS_MAX,
  LEASE_MS_MAX,
  LOCK_WAIT_MS_MAX,
  LOG_LINE_BYTES_MAX,
  MISSED_AFTER_MS_MAX,
  MISSED_AFTER_MS_MIN,
  NAME_LENGTH_MAX,
  PAYLOAD_BYTES_MAX,
  PROGRESS_BYTES_MAX,
  RENEWALS_MAX,
  REPORT_LINES_MAX,
  REPORTS_MAX,
  RETRY_COUNT_MAX,
  TIME_MS_MAX,
  TRACEPARENT_LENGTH_MAX,
} from "./limit.ts";
import { concurrencyFault, drainQueueFault, setQueueFault } from "./queue-check.ts";

export const BACKOFF_MULTIPLIER_MAX = 1_000;

export { isName } from "./field-fault.ts";

export type Checked = { readonly ok: CommandBody } | { readonly malformed: string };

/** Whether a client's command may be proposed. */
export function checkCommand(wire: WireCommand): Checked {
  const body = commandFromWire(wire);
  const fault = faultOf(body);
  return fault === "" ? { ok: body } : { malformed: fault };
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
      return (
        countFault("jobs", body.jobs, 1, BATCH_JOBS_MAX) ||
        firstFault(body.jobs, specFault) ||
        familyFault(body.jobs)
      );
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
    case "report-progress":
      return (
        keyFault("worker", body.worker) ||
        countFault("reports", body.reports, 1, REPORTS_MAX) ||
        firstFault(body.reports, reportFault)
      );
    case "retry-job":
      return keyFault("job_id", body.jobId) || keyFault("request_id", body.requestId);
    case "retry-jobs":
      return retryFault(body);
    case "register-kinds":
      return countFault("kinds", body.kinds, 1, KINDS_MAX) || firstFault(body.kinds, kindFault);
    case "set-queue":
      return setQueueFault(body);
    case "drain-queue":
      return drainQueueFault(body);
    case "create-schedule":
      return (
        nameFault("schedule_id", body.scheduleId) || ruleFault(body.rule) || specFault(body.job)
      );
    case "trigger-schedule":
      return (
        keyFault("schedule_id", body.scheduleId) ||
        keyFault("idempotency_key", body.idempotencyKey) ||
        textFault("traceparent", body.traceparent, TRACEPARENT_LENGTH_MAX)
      );
    case "delete-schedule":
    case "set-schedule-paused":
      return keyFault("schedule_id", body.scheduleId);
    case "acquire-lock":
      return (
        countFault("lock_keys", body.lockKeys, 1, JOB_LOCK_KEYS_MAX) ||
        firstFault(body.lockKeys, (key) => keyFault("lock_key", key)) ||
        textFault("owner", body.owner, KEY_LENGTH_MAX) ||
        keyFault("request_id", body.requestId) ||
        rangeFault("ttl_ms", body.ttlMs, 1, LEASE_MS_MAX) ||
        rangeFault("wait_ms", body.waitMs, 0, LOCK_WAIT_MS_MAX)
      );
    case "renew-locks":
    case "release-locks":
      return (
        countFault("locks", body.locks, 1, RENEWALS_MAX) ||
        firstFault(body.locks, ({ lockId }) => keyFault("lock_id", lockId))
      );
    case "tick":
    case "open-term":
    case "tick-schedules":
    case "checkpoint":
    case "forget-jobs":
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
    rangeFault("total_timeout_ms", spec.totalTimeoutMs, 0, DURATION_MS_MAX) ||
    countFault("lock_keys", spec.lockKeys, 0, JOB_LOCK_KEYS_MAX) ||
    firstFault(spec.lockKeys, (key) => keyFault("lock_key", key)) ||
    concurrencyFault(spec.concurrencyKeys) ||
    textFault("idempotency_key", spec.idempotencyKey, KEY_LENGTH_MAX) ||
    textFault("traceparent", spec.traceparent, TRACEPARENT_LENGTH_MAX)
  );
}

function ruleFault(rule: ScheduleRule): Fault {
  const fault =
    textFault("cron", rule.cron, CRON_LENGTH_MAX) ||
    textFault("time_zone", rule.timeZone, NAME_LENGTH_MAX) ||
    rangeFault("start_ms", rule.startMs, 0, TIME_MS_MAX) ||
    rangeFault("end_ms", rule.endMs, 0, TIME_MS_MAX) ||
    rangeFault("missed_after_ms", rule.missedAfterMs, MISSED_AFTER_MS_MIN, MISSED_AFTER_MS_MAX);
  if (fault !== "") return fault;
  // A rule that the calendar cannot read has no slots: nobody would ever be told why.
  if (rule.cron === "") {
    return rangeFault("interval_ms", rule.intervalMs, INTERVAL_MS_MIN, DURATION_MS_MAX);
  }
  if (rule.intervalMs !== 0) return "there are both a cron and an interval";
  return isTimeZone(rule.timeZone) && isCron(rule.cron) ? "" : "cron or time_zone is unreadable";
}

/** A parent stands before its children, and its topmost parent not too far above. */
function familyFault(jobs: readonly JobSpec[]): Fault {
  const levels: number[] = [];
  for (const [position, { parent, idempotencyKey }] of jobs.entries()) {
    const fault = rangeFault("parent", parent, 0, position);
    const level = parent === 0 ? 1 : (levels[parent - 1] ?? 0) + 1;
    levels.push(level);
    if (fault !== "") return `[${position}] ${fault}`;
    if (level > FAMILY_LEVELS_MAX) return `[${position}] is below level ${FAMILY_LEVELS_MAX}`;
    if (level > 1 && idempotencyKey !== "") return `[${position}] is a child with a key`;
  }
  return "";
}

function kindFault(kind: Kind): Fault {
  return (
    nameFault("kind", kind.kind) ||
    nameFault("queue", kind.queue) ||
    rangeFault("max_attempts", kind.maxAttempts, 1, JOB_ATTEMPTS_MAX) ||
    backoffFault(kind.backoff) ||
    rangeFault("attempt_timeout_ms", kind.attemptTimeoutMs, 0, DURATION_MS_MAX) ||
    rangeFault("total_timeout_ms", kind.totalTimeoutMs, 0, DURATION_MS_MAX) ||
    countFault("lock_templates", kind.lockTemplates, 0, JOB_LOCK_KEYS_MAX) ||
    firstFault(kind.lockTemplates, (template) => keyFault("lock_template", template)) ||
    concurrencyFault(kind.concurrencyTemplates)
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

function reportFault({ jobId, sequence, progress, lines, lineCount }: AttemptReport): Fault {
  return (
    keyFault("job_id", jobId) ||
    rangeFault("sequence", sequence, 1, Number.MAX_SAFE_INTEGER) ||
    (progress === null ? "" : jsonFault("progress", progress, PROGRESS_BYTES_MAX)) ||
    countFault("lines", lines, 0, REPORT_LINES_MAX) ||
    firstFault(lines, lineFault) ||
    rangeFault("line_count", lineCount, lines.length, Number.MAX_SAFE_INTEGER)
  );
}

function lineFault(line: string): Fault {
  const isShort = Buffer.byteLength(line, "utf8") <= LOG_LINE_BYTES_MAX;
  return isShort ? "" : `a line exceeds ${LOG_LINE_BYTES_MAX} bytes`;
}

function retryFault(body: Extract<CommandBody, { kind: "retry-jobs" }>): Fault {
  const { kind, queue, errorCode, createdFromMs, createdBeforeMs } = body.filter;
  return (
    keyFault("request_id", body.requestId) ||
    (kind === "" ? "" : nameFault("kind", kind)) ||
    (queue === "" ? "" : nameFault("queue", queue)) ||
    textFault("error_code", errorCode, KEY_LENGTH_MAX) ||
    rangeFault("created_from_ms", createdFromMs, 0, TIME_MS_MAX) ||
    rangeFault("created_before_ms", createdBeforeMs, 0, TIME_MS_MAX) ||
    rangeFault("from_number", body.fromNumber, 0, Number.MAX_SAFE_INTEGER) ||
    rangeFault("retries_max", body.retriesMax, 1, RETRY_COUNT_MAX)
  );
}

function backoffFault({ initialMs, multiplier, maxMs, jitter }: Backoff): Fault {
  if (!(jitter >= 0 && jitter <= 1)) return "backoff.jitter is not within 0 and 1";
  const isMultiplier = multiplier >= 0 && multiplier <= BACKOFF_MULTIPLIER_MAX;
  if (!isMultiplier) return `backoff.multiplier is not within 0 and ${BACKOFF_MULTIPLIER_MAX}`;
  return (
    rangeFault("backoff.initial_ms", initialMs, 0, DURATION_MS_MAX) ||
    rangeFault("backoff.max_ms", maxMs, 0, DURATION_MS_MAX)
  );
}

function jsonFault(field: string, bytes: Uint8Array, bytesMax = PAYLOAD_BYTES_MAX): Fault {
  if (bytes.byteLength > bytesMax) return `${field} exceeds ${bytesMax} bytes`;
  return isJson(bytes) ? "" : `${field} is not JSON in UTF-8`;
}
