// The table of refusals: each situation's reason, its gRPC code and whether asking again is safe.
//
// Guarantees: `refusal` is how product code makes a PipelineError, so that a reason has one code
// everywhere; whatever may pass by itself (UNAVAILABLE, a full backlog) says when to try again.
// Does not own: the wording, which names the values of the case.

import { Code, PipelineError, type PipelineErrorOptions, type Retry } from "./pipeline-error.ts";

interface Row {
  readonly code: Code;
  readonly retry: Retry;
  readonly retryDelayMs?: number;
}

export const REASONS = {
  /** A field is wrong, or names a kind or queue that nobody registered. */
  INVALID_FIELD: { code: Code.InvalidArgument, retry: "never" },
  PAYLOAD_TOO_LARGE: { code: Code.InvalidArgument, retry: "never" },
  /** The bytes are not the message that the method takes. */
  MALFORMED_REQUEST: { code: Code.InvalidArgument, retry: "never" },
  /** HTTP: a body that does not say that it is JSON. */
  UNSUPPORTED_MEDIA_TYPE: { code: Code.InvalidArgument, retry: "never" },
  /** HTTP: there is nothing at this path, or nothing for this verb. */
  PATH_UNKNOWN: { code: Code.NotFound, retry: "never" },
  VERB_NOT_ALLOWED: { code: Code.Unimplemented, retry: "never" },
  /** HTTP: a page of another site, or a host that is not this machine's. */
  ORIGIN_REFUSED: { code: Code.PermissionDenied, retry: "never" },
  NO_LEADER: { code: Code.Unavailable, retry: "safe", retryDelayMs: 500 },
  BROKER_UNAVAILABLE: { code: Code.Unavailable, retry: "safe", retryDelayMs: 1_000 },
  SHUTTING_DOWN: { code: Code.Unavailable, retry: "safe", retryDelayMs: 500 },
  /** Greeter: the job is accepted, but no worker finished it in time. */
  NO_WORKER_RAN_IT: { code: Code.Unavailable, retry: "safe", retryDelayMs: 1_000 },
  /** Greeter: the job ran and failed. */
  GREETING_FAILED: { code: Code.Unavailable, retry: "safe", retryDelayMs: 1_000 },
  /** Told by our client: nobody listens at the address. */
  UNREACHABLE: { code: Code.Unavailable, retry: "safe", retryDelayMs: 1_000 },
  OUTCOME_UNKNOWN: { code: Code.DeadlineExceeded, retry: "same-key" },
  /** The deadline had passed before anything was done. */
  DEADLINE_EXPIRED: { code: Code.DeadlineExceeded, retry: "safe" },
  FENCED: { code: Code.Aborted, retry: "never" },
  /** A lock of LockService: another holds one of its keys. */
  LOCK_HELD: { code: Code.Aborted, retry: "safe" },
  BACKLOG_FULL: { code: Code.ResourceExhausted, retry: "safe", retryDelayMs: 1_000 },
  /** Told by gRPC itself: a message over the transport's limit. */
  MESSAGE_TOO_LARGE: { code: Code.ResourceExhausted, retry: "never" },
  IDEMPOTENCY_KEY_REUSED: { code: Code.AlreadyExists, retry: "never" },
  JOB_FINISHED: { code: Code.FailedPrecondition, retry: "never" },
  /** Told to whoever retries: it has not ended, or there is a result. */
  JOB_NOT_FINISHED: { code: Code.FailedPrecondition, retry: "never" },
  JOB_SUCCEEDED: { code: Code.FailedPrecondition, retry: "never" },
  /** It has been retried, or handed back, hundreds of times (ledger/history-limit.ts). */
  JOB_SPENT: { code: Code.FailedPrecondition, retry: "never" },
  JOB_NOT_FOUND: { code: Code.NotFound, retry: "never" },
  /** Neither registered with a kind nor configured. */
  QUEUE_NOT_FOUND: { code: Code.NotFound, retry: "never" },
  /** Another schedule has the id. */
  SCHEDULE_EXISTS: { code: Code.AlreadyExists, retry: "never" },
  SCHEDULE_NOT_FOUND: { code: Code.NotFound, retry: "never" },
  /** A job of it has not ended, and none may run beside it. */
  SCHEDULE_BUSY: { code: Code.FailedPrecondition, retry: "never" },
  SCHEDULES_FULL: { code: Code.ResourceExhausted, retry: "never" },
  /** A change of membership, a transfer, a snapshot or a comparison is under way. */
  MEMBERSHIP_BUSY: { code: Code.Unavailable, retry: "safe", retryDelayMs: 1_000 },
  NODE_UNKNOWN: { code: Code.NotFound, retry: "never" },
  /** It is a member already, or the quorum cannot do without it. */
  NODE_UNFIT: { code: Code.FailedPrecondition, retry: "never" },
  /** The leader still leads. */
  TRANSFER_ABORTED: { code: Code.Aborted, retry: "safe" },
  /** Another stream speaks for this worker now. */
  WORKER_REPLACED: { code: Code.Aborted, retry: "never" },
  LOG_COMPACTED: { code: Code.OutOfRange, retry: "never" },
  CREDENTIAL_MISSING: { code: Code.Unauthenticated, retry: "never" },
  SCOPE_MISSING: { code: Code.PermissionDenied, retry: "never" },
  METHOD_NOT_IMPLEMENTED: { code: Code.Unimplemented, retry: "never" },
  CALL_CANCELLED: { code: Code.Cancelled, retry: "same-key" },
  INTERNAL: { code: Code.Internal, retry: "same-key" },
} as const satisfies Record<string, Row>;

export type Reason = keyof typeof REASONS;

export type RefusalOptions = Partial<
  Pick<PipelineErrorOptions, "retry" | "retryDelayMs" | "metadata" | "violations" | "cause">
>;

/** The error of this situation. */
export function refusal(
  reason: Reason,
  message: string,
  options: RefusalOptions = {},
): PipelineError {
  const row: Row = REASONS[reason];
  return new PipelineError(message, { ...row, reason, ...options });
}
