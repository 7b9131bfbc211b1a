// PipelineError as an HTTP answer, in the manner of Google's APIs (AIP-193).
//
// Guarantees: the body has the HTTP status, the canonical code and exactly one ErrorInfo whose
// metadata has every value that the message names; RetryInfo, which Retry-After repeats in whole
// seconds, and BadRequest where they apply.
// Does not own: which reason has which code (../reason.ts).

import { ERROR_DOMAIN } from "../grpc/status.ts";
import { Code, type PipelineError } from "../pipeline-error.ts";
import { type HttpAnswer, jsonAnswer } from "./exchange.ts";

const TYPE_PREFIX = "type.googleapis.com/google.rpc.";

/** As google.rpc.Code says. */
export const STATUS_OF_CODE: Readonly<Record<Code, number>> = {
  [Code.Cancelled]: 499,
  [Code.Unknown]: 500,
  [Code.InvalidArgument]: 400,
  [Code.DeadlineExceeded]: 504,
  [Code.NotFound]: 404,
  [Code.AlreadyExists]: 409,
  [Code.PermissionDenied]: 403,
  [Code.ResourceExhausted]: 429,
  [Code.FailedPrecondition]: 400,
  [Code.Aborted]: 409,
  [Code.OutOfRange]: 400,
  [Code.Unimplemented]: 501,
  [Code.Internal]: 500,
  [Code.Unavailable]: 503,
  [Code.DataLoss]: 500,
  [Code.Unauthenticated]: 401,
};

/** Reasons for which HTTP has a status of its own. */
const STATUS_OF_REASON: Readonly<Record<string, number>> = {
  MESSAGE_TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  VERB_NOT_ALLOWED: 405,
};

export interface ErrorBody {
  readonly error: {
    readonly code: number;
    readonly status: Code;
    readonly message: string;
    readonly details: readonly Readonly<Record<string, unknown>>[];
  };
}

export function httpStatusOf({ code, reason }: Pick<PipelineError, "code" | "reason">): number {
  return STATUS_OF_REASON[reason] ?? STATUS_OF_CODE[code];
}

export function errorBody(error: PipelineError): ErrorBody {
  const { code: status, rawMessage: message } = error;
  return { error: { code: httpStatusOf(error), status, message, details: detailsOf(error) } };
}

export function errorAnswer(
  error: PipelineError,
  headers: Readonly<Record<string, string>> = {},
): HttpAnswer {
  const { retry, retryDelayMs } = error;
  const isWorthIt = retry === "safe" && retryDelayMs !== undefined;
  return jsonAnswer(JSON.stringify(errorBody(error)), httpStatusOf(error), {
    ...(isWorthIt ? { "retry-after": String(Math.ceil(retryDelayMs / 1_000)) } : {}),
    ...headers,
  });
}

function detailsOf(error: PipelineError): ErrorBody["error"]["details"] {
  const { reason, metadata, retry, retryDelayMs, violations } = error;
  const info = {
    "@type": `${TYPE_PREFIX}ErrorInfo`,
    reason,
    domain: ERROR_DOMAIN,
    metadata: { ...metadata, retry },
  };
  const retryInfo = {
    "@type": `${TYPE_PREFIX}RetryInfo`,
    retryDelay: `${(retryDelayMs ?? 0) / 1_000}s`,
  };
  const badRequest = { "@type": `${TYPE_PREFIX}BadRequest`, fieldViolations: violations };
  return [
    info,
    ...(retryDelayMs === undefined ? [] : [retryInfo]),
    ...(violations.length === 0 ? [] : [badRequest]),
  ];
}
