// The messages about one attempt, both ways: checked when they come, made when they go.
//
// Guarantees: a finish that passes is one that the leader takes; results go on byte for byte, and
// one that is not JSON or too large is a failure that is not retried, as for every worker.

import type { Duration } from "../../protos/gen/google/protobuf/duration.ts";
import type { Started } from "../../protos/gen/node/v1/exchange.ts";
import {
  AbortReason,
  type AttemptFinish,
  type AttemptStart,
  type WorkerHeartbeat,
  type WorkResponse,
} from "../../protos/gen/quorumq/v1/worker_service.ts";
import {
  ERROR_MESSAGE_LENGTH_MAX,
  HEARTBEAT_LOG_LINES_MAX,
  KEY_LENGTH_MAX,
  PROGRESS_BYTES_MAX,
  RENEWALS_MAX,
} from "../../transport/limit.ts";
import { dateOf, durationOf } from "../../transport/wire-value.ts";
import type { AbortWhy } from "../attempt-aborted.ts";
import type { AttemptRef, RecordedReport, RefusedReport } from "../attempt-report.ts";
import { checkLength, checkPayload } from "../gateway/validate.ts";
import { quoted, Violations } from "../gateway/violations.ts";
import { type AttemptEnd, failedWith, handedBackWith, succeededWith } from "../outcome.ts";
import type { RelayedAttempt } from "../relay.ts";

type Answer = NonNullable<WorkResponse["message"]>;

const REASONS: Readonly<Record<AbortWhy | "silent", AbortReason>> = {
  cancelled: AbortReason.ABORT_REASON_CANCELLED,
  fenced: AbortReason.ABORT_REASON_FENCED,
  "lease-lapsed": AbortReason.ABORT_REASON_LEASE_LAPSED,
  "lock-lost": AbortReason.ABORT_REASON_LOCK_LOST,
  "timed-out": AbortReason.ABORT_REASON_TIMED_OUT,
  deadline: AbortReason.ABORT_REASON_DEADLINE,
  shutdown: AbortReason.ABORT_REASON_SHUTDOWN,
  silent: AbortReason.ABORT_REASON_SILENT,
};

/** One name for an attempt, as a key of a map. */
export function nameOf({ jobId, token }: AttemptRef): string {
  return `${jobId}#${token}`;
}

export function checkAttempt(attempt: AttemptRef, path: string, violations: Violations): void {
  if (attempt.jobId === "") {
    violations.add(`${path}.job_id`, "is empty", quoted(""), "the id of a job");
  } else checkLength(attempt.jobId, `${path}.job_id`, KEY_LENGTH_MAX, violations);
  if (attempt.token === 0) {
    violations.add(`${path}.token`, "is missing", 0, "the token of the attempt's start");
  }
}

/** How the attempt ended, as it is recorded. Throws what is wrong with the message. */
export function checkFinish(finish: AttemptFinish): AttemptEnd {
  const violations = new Violations();
  checkAttempt(finish, "finish", violations);
  const { outcome } = finish;
  if (outcome === undefined) {
    const limit = "succeeded, failed or handed_back";
    violations.add("finish.outcome", "is missing", "nothing", limit);
  }
  if (outcome?.$case === "failed") {
    checkLength(outcome.value.code, "finish.failed.code", KEY_LENGTH_MAX, violations);
    const { message } = outcome.value;
    checkLength(message, "finish.failed.message", ERROR_MESSAGE_LENGTH_MAX, violations);
  }
  violations.requireNone();
  switch (outcome?.$case) {
    case "succeeded":
      return succeededWith(outcome.value.result);
    case "failed":
      return failedWith(outcome.value);
    default:
      return handedBackWith(outcome?.value.message ?? "");
  }
}

/** Throws what is wrong with the message. */
export function checkHeartbeat({ attempts }: WorkerHeartbeat): void {
  const violations = new Violations();
  if (attempts.length > RENEWALS_MAX) {
    const limit = `at most ${RENEWALS_MAX}`;
    violations.add("heartbeat.attempts", "has too many attempts", attempts.length, limit);
    violations.requireNone();
  }
  for (const [position, attempt] of attempts.entries()) {
    const path = `heartbeat.attempts[${position}]`;
    checkAttempt(attempt, path, violations);
    checkPayload(attempt.progress, `${path}.progress`, violations, PROGRESS_BYTES_MAX);
    const lines = attempt.logLines;
    if (lines.length > HEARTBEAT_LOG_LINES_MAX) {
      const limit = `at most ${HEARTBEAT_LOG_LINES_MAX}`;
      violations.add(`${path}.log_lines`, "has too many lines", lines.length, limit);
    }
  }
  violations.requireNone();
}

export function startOf({ jobId, started, traceparent }: RelayedAttempt): Answer {
  const { token, number, run, maxAttempts, kind, queue, payload, lockKeys, children } = started;
  const value: AttemptStart = {
    jobId,
    token,
    attempt: number,
    run,
    maxAttempts,
    kind,
    queue,
    payload,
    timeout: timeoutOf(started),
    lockKeys,
    traceparent: traceparent === "" ? started.traceparent : traceparent,
    children,
    scheduleId: started.scheduleId,
    slotTime: dateOf(started.slotMs),
  };
  return { $case: "start", value };
}

/** The nearer of the two ends that it may have. */
function timeoutOf({ attemptTimeoutMs, deadlineInMs }: Started): Duration | undefined {
  const limits = [attemptTimeoutMs, deadlineInMs].filter((ms) => ms > 0);
  return limits.length === 0 ? undefined : durationOf(Math.min(...limits));
}

export function abortOf({ jobId, token }: AttemptRef, why: AbortWhy | "silent"): Answer {
  return { $case: "abort", value: { jobId, token, reason: REASONS[why] } };
}

export function fencedOf({ jobId, token }: AttemptRef, report: RefusedReport): Answer {
  const { currentToken, state } = report;
  return { $case: "fenced", value: { jobId, token, currentToken, state } };
}

export function finishedOf(
  { jobId, token }: AttemptRef,
  { state, nextAttemptMs }: RecordedReport,
): Answer {
  const nextAttemptTime = nextAttemptMs === 0 ? undefined : new Date(nextAttemptMs);
  return { $case: "finished", value: { jobId, token, state, nextAttemptTime } };
}
