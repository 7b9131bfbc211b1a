// How an attempt ended, as the worker reports it: plain values, made here and nowhere else.
//
// Guarantees: a result is JSON within the limit or it is a failure that is not retried; whatever a
// handler throws becomes an error with a stable code and a bounded message; an error is retryable
// unless it says otherwise. Nothing here throws.
// Does not own: whether the ledger accepts it.

import { isNativeError } from "node:util/types";
import type { ReportedOutcome } from "../ledger/command.ts";
import type { JobError } from "../ledger/job.ts";
import { isJson } from "../transport/command-check.ts";
import { PAYLOAD_BYTES_MAX } from "../transport/limit.ts";
import type { AttemptAborted } from "./attempt-aborted.ts";
import { isNonRetryable } from "./non-retryable-error.ts";
import { describeIssues, type StandardIssue } from "./standard-schema.ts";

export interface AttemptEnd {
  readonly outcome: ReportedOutcome;
  /** JSON, with "succeeded"; else null. */
  readonly result: Uint8Array | null;
  readonly error: JobError | null;
}

export const ErrorCode = {
  PayloadRefused: "PAYLOAD_REFUSED",
  ResultRefused: "RESULT_REFUSED",
  AttemptTimedOut: "ATTEMPT_TIMED_OUT",
  DeadlinePassed: "DEADLINE_PASSED",
  LockLost: "LOCK_LOST",
  LeaseLapsed: "LEASE_LAPSED",
  WorkerShutdown: "WORKER_SHUTDOWN",
  KindUnknown: "KIND_UNKNOWN",
  HandedBack: "HANDED_BACK",
} as const;

const HAND_BACK_CODES: Readonly<Partial<Record<AttemptAborted["why"], string>>> = {
  shutdown: ErrorCode.WorkerShutdown,
  cancelled: "CANCELLED",
};
const MESSAGE_LENGTH_MAX = 2_000;
const CODE_LENGTH_MAX = 128;

/** `undefined` is recorded as null. */
export function succeeded(result: unknown): AttemptEnd {
  let text: string | undefined;
  try {
    text = JSON.stringify(result ?? null);
  } catch (error) {
    return refused(ErrorCode.ResultRefused, `the result is not JSON: ${messageOf(error)}`);
  }
  if (text === undefined) {
    return refused(ErrorCode.ResultRefused, `the result is not JSON: a ${typeof result}`);
  }
  return withinLimit(Buffer.from(text, "utf8"));
}

/** A result that was made elsewhere: recorded byte for byte. */
export function succeededWith(json: Uint8Array): AttemptEnd {
  if (json.byteLength === 0) return succeeded(null);
  const end = withinLimit(json);
  if (end.outcome !== "succeeded" || isJson(json)) return end;
  return refused(ErrorCode.ResultRefused, "the result is not JSON in UTF-8");
}

/** As whoever ran it tells it. */
export function failedWith({ code, message, retryable }: JobError): AttemptEnd {
  return ended("failed", code === "" ? "Error" : code, message, retryable);
}

export function handedBackWith(message: string): AttemptEnd {
  return ended("handed-back", ErrorCode.HandedBack, message, true);
}

export function resultRefused(issues: readonly StandardIssue[]): AttemptEnd {
  return refused(ErrorCode.ResultRefused, describeIssues(issues));
}

export function payloadRefused(why: string): AttemptEnd {
  return refused(ErrorCode.PayloadRefused, why);
}

export function threw(error: unknown): AttemptEnd {
  return ended("failed", codeOf(error), messageOf(error), !isNonRetryable(error));
}

export function timedOut(timeoutMs: number): AttemptEnd {
  const message = `the attempt ran longer than ${timeoutMs} ms`;
  return ended("timed-out", ErrorCode.AttemptTimedOut, message, true);
}

/** The job's own time is over: nothing is left to try again. */
export function deadlinePassed(): AttemptEnd {
  const message = "the job did not end within total_timeout";
  return ended("timed-out", ErrorCode.DeadlinePassed, message, false);
}

export function lockLost(message: string): AttemptEnd {
  return ended("fenced", ErrorCode.LockLost, message, true);
}

/** The job's next attempt is someone else's, and this one does not count. */
export function handedBack(aborted: AttemptAborted): AttemptEnd {
  const code = HAND_BACK_CODES[aborted.why] ?? ErrorCode.LeaseLapsed;
  return ended("handed-back", code, aborted.message, true);
}

/** For a worker that knows the kind. */
export function unknownKind(kind: string): AttemptEnd {
  return ended("handed-back", ErrorCode.KindUnknown, `this worker does not know ${kind}`, true);
}

function withinLimit(bytes: Uint8Array): AttemptEnd {
  if (bytes.byteLength <= PAYLOAD_BYTES_MAX) {
    return { outcome: "succeeded", result: bytes, error: null };
  }
  const size = `${bytes.byteLength} bytes, the limit is ${PAYLOAD_BYTES_MAX}`;
  return refused(ErrorCode.ResultRefused, `the result is too large: ${size}`);
}

function refused(code: string, message: string): AttemptEnd {
  return ended("failed", code, message, false);
}

function ended(
  outcome: ReportedOutcome,
  code: string,
  message: string,
  retryable: boolean,
): AttemptEnd {
  const error = {
    code: code.slice(0, CODE_LENGTH_MAX),
    message: message.slice(0, MESSAGE_LENGTH_MAX),
    retryable,
  };
  return { outcome, result: null, error };
}

function codeOf(error: unknown): string {
  if (!isError(error)) return "Error";
  // Only our own class's code: the codes of Node and of libraries come and go with versions.
  return (isNonRetryable(error) ? textOf(error, "code") : "") || textOf(error, "name") || "Error";
}

function messageOf(error: unknown): string {
  if (isError(error)) return textOf(error, "message");
  try {
    return String(error);
  } catch {
    // An object whose toString throws: there is nothing to tell about it.
    return "a value that cannot be printed was thrown";
  }
}

/** "" if there is none: a property of what was thrown may be anything, or throw itself. */
function textOf(error: Error, property: "code" | "name" | "message"): string {
  try {
    const value: unknown = Reflect.get(error, property);
    return typeof value === "string" ? value : "";
  } catch {
    // The getter's own error says nothing about the handler's.
    return "";
  }
}

/** Also for errors of another realm, for which instanceof is false. */
function isError(error: unknown): error is Error {
  return error instanceof Error || isNativeError(error);
}
