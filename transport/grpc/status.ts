// PipelineError to gRPC status and back: the only place that knows google.rpc's error details.
//
// Guarantees: every status carries exactly one ErrorInfo (domain quorumq.v1), whose metadata has
// every value that the message names; RetryInfo and BadRequest where they apply (AIP-193). What
// leaves here decodes to an equal PipelineError on the other side.
// Trailers must fit a peer's header limit, so texts and lists are cut (TRAILER_TEXT_LENGTH_MAX).
// Does not own: which reason has which code (../reason.ts).

import { status as GrpcCode, Metadata } from "@grpc/grpc-js";
import type { Any } from "../../protos/gen/google/protobuf/any.ts";
import { BadRequest, ErrorInfo, RetryInfo } from "../../protos/gen/google/rpc/error_details.ts";
import { Status } from "../../protos/gen/google/rpc/status.ts";
import { numberOf } from "../code-number.ts";
import { TRAILER_TEXT_LENGTH_MAX, TRAILER_VIOLATIONS_MAX } from "../limit.ts";
import { Code, PipelineError, type Retry, type Violation } from "../pipeline-error.ts";
import { REASONS, type Reason, refusal } from "../reason.ts";

export const ERROR_DOMAIN = "quorumq.v1";
export const DETAILS_KEY = "grpc-status-details-bin";
/** Metadata key of ErrorInfo that carries PipelineError.retry. */
const RETRY_KEY = "retry";
const TYPE_PREFIX = "type.googleapis.com/google.rpc.";

export interface GrpcStatus {
  readonly code: GrpcCode;
  readonly details: string;
  readonly metadata: Metadata;
}

/** What grpc-js gives to callers: a ServiceError, or the like of it. */
export interface GrpcFailure {
  readonly code: number;
  readonly details: string;
  readonly metadata?: Metadata | undefined;
}

export function toStatus(error: PipelineError, trailer: Metadata = new Metadata()): GrpcStatus {
  const code = numberOf(error.code);
  const details = shorten(error.rawMessage);
  const bytes = Status.encode({ code, message: details, details: detailsOf(error) }).finish();
  trailer.set(DETAILS_KEY, Buffer.from(bytes));
  return { code, details, metadata: trailer };
}

function detailsOf(error: PipelineError): Any[] {
  const info: ErrorInfo = {
    reason: error.reason,
    domain: ERROR_DOMAIN,
    metadata: { ...mapValues(error.metadata, shorten), [RETRY_KEY]: error.retry },
  };
  const details = [packed("ErrorInfo", ErrorInfo.encode(info).finish())];
  if (error.retryDelayMs !== undefined) {
    const retryDelay = {
      seconds: Math.floor(error.retryDelayMs / 1_000),
      nanos: (error.retryDelayMs % 1_000) * 1_000_000,
    };
    details.push(packed("RetryInfo", RetryInfo.encode({ retryDelay }).finish()));
  }
  if (error.violations.length > 0) {
    const fieldViolations = error.violations.slice(0, TRAILER_VIOLATIONS_MAX).map((violation) => ({
      field: violation.field,
      description: shorten(violation.description),
      reason: "",
    }));
    details.push(packed("BadRequest", BadRequest.encode({ fieldViolations }).finish()));
  }
  return details;
}

function packed(type: string, value: Uint8Array): Any {
  return { typeUrl: `${TYPE_PREFIX}${type}`, value: Buffer.from(value) };
}

/** The error that a peer told, or what its bare code can mean. */
export function fromStatus(failure: GrpcFailure): PipelineError {
  const code = codeOf(failure.code);
  const detail = decodeDetails(failure.metadata);
  if (detail?.info === undefined) return undetailed(code, failure);
  const { [RETRY_KEY]: retry, ...metadata } = detail.info.metadata;
  const delay = detail.retryInfo?.retryDelay;
  const violations: readonly Violation[] = (detail.badRequest?.fieldViolations ?? []).map(
    ({ field, description }) => ({ field, description }),
  );
  return new PipelineError(failure.details, {
    code,
    reason: detail.info.reason,
    retry: isRetry(retry) ? retry : defaultRetry(code),
    metadata,
    violations,
    cause: failure,
    ...(delay === undefined ? {} : { retryDelayMs: delay.seconds * 1_000 + delay.nanos / 1e6 }),
  });
}

interface Details {
  info?: ErrorInfo;
  retryInfo?: RetryInfo;
  badRequest?: BadRequest;
}

function decodeDetails(metadata: Metadata | undefined): Details | null {
  const bytes = metadata?.get(DETAILS_KEY)[0];
  if (!Buffer.isBuffer(bytes)) return null;
  const details: Details = {};
  try {
    for (const { typeUrl, value } of Status.decode(bytes).details) {
      if (typeUrl === `${TYPE_PREFIX}ErrorInfo`) details.info = ErrorInfo.decode(value);
      if (typeUrl === `${TYPE_PREFIX}RetryInfo`) details.retryInfo = RetryInfo.decode(value);
      if (typeUrl === `${TYPE_PREFIX}BadRequest`) details.badRequest = BadRequest.decode(value);
    }
  } catch {
    // A peer's trailer that does not decode says no more than its bare code does.
    return null;
  }
  return details;
}

/** Made by gRPC itself on either side: no connection, a deadline, a limit, an unknown method. */
function undetailed(code: Code, failure: GrpcFailure): PipelineError {
  const reason = UNDETAILED[code];
  if (reason !== undefined) {
    return refusal(reason, innermost(failure.details), { cause: failure });
  }
  return new PipelineError(failure.details, {
    code,
    reason: code,
    retry: defaultRetry(code),
    cause: failure,
  });
}

/** gRPC wraps what happened in each of its layers; only a person reads it. */
function innermost(details: string): string {
  const last = details.split("Last error: ").at(-1) ?? details;
  return last.replace(/[.]? *Resolution note: *$/, "").replace(/^Error: /, "");
}

const UNDETAILED: Partial<Record<Code, Reason>> = {
  [Code.Cancelled]: "CALL_CANCELLED",
  [Code.DeadlineExceeded]: "OUTCOME_UNKNOWN",
  [Code.Internal]: "INTERNAL",
  [Code.ResourceExhausted]: "MESSAGE_TOO_LARGE",
  [Code.Unavailable]: "UNREACHABLE",
  [Code.Unimplemented]: "METHOD_NOT_IMPLEMENTED",
};

function defaultRetry(code: Code): Retry {
  for (const row of Object.values(REASONS)) {
    if (row.code === code) return row.retry;
  }
  return "never";
}

function isRetry(word: string | undefined): word is Retry {
  return word === "never" || word === "safe" || word === "same-key";
}

function codeOf(code: number): Code {
  const name = GrpcCode[code];
  return Object.values(Code).find((known) => known === name) ?? Code.Unknown;
}

/** Cut to the limit, and never inside a surrogate pair, which gRPC could not encode. */
function shorten(text: string): string {
  const wellFormed = text.toWellFormed();
  if (wellFormed.length <= TRAILER_TEXT_LENGTH_MAX) return wellFormed;
  return `${wellFormed.slice(0, TRAILER_TEXT_LENGTH_MAX - 1).toWellFormed()}…`;
}

function mapValues(
  record: Readonly<Record<string, string>>,
  change: (value: string) => string,
): Record<string, string> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}
