// The one error class of the edges: what callers of quorumq are told, over gRPC, HTTP and the CLI.
//
// Guarantees: the code is one of gRPC's by name; the message starts with it and `rawMessage` does
// not; every error says whether asking again is safe. Unknown throws become INTERNAL in one place,
// and what they said stays in `cause`, away from callers.
// Does not own: which situation gets which code (reason.ts) nor its bytes (grpc/status.ts).

/** gRPC's codes except OK. */
export const Code = {
  Cancelled: "CANCELLED",
  Unknown: "UNKNOWN",
  InvalidArgument: "INVALID_ARGUMENT",
  DeadlineExceeded: "DEADLINE_EXCEEDED",
  NotFound: "NOT_FOUND",
  AlreadyExists: "ALREADY_EXISTS",
  PermissionDenied: "PERMISSION_DENIED",
  ResourceExhausted: "RESOURCE_EXHAUSTED",
  FailedPrecondition: "FAILED_PRECONDITION",
  Aborted: "ABORTED",
  OutOfRange: "OUT_OF_RANGE",
  Unimplemented: "UNIMPLEMENTED",
  Internal: "INTERNAL",
  Unavailable: "UNAVAILABLE",
  DataLoss: "DATA_LOSS",
  Unauthenticated: "UNAUTHENTICATED",
} as const;
export type Code = (typeof Code)[keyof typeof Code];

/**
 * `never`: the same call fails again. `safe`: nothing happened. `same-key`: it may have happened,
 * so ask again with the same idempotency key.
 */
export type Retry = "never" | "safe" | "same-key";

/** One bad field of a request. */
export interface Violation {
  /** Path in the request, such as job.lock_keys[2]. */
  readonly field: string;
  readonly description: string;
}

export interface PipelineErrorOptions {
  readonly code: Code;
  /** UPPER_SNAKE, stable: what programs decide on. */
  readonly reason: string;
  readonly retry: Retry;
  /** When to try again, if that can help. */
  readonly retryDelayMs?: number;
  /** Every value that the message names. */
  readonly metadata?: Readonly<Record<string, string>>;
  readonly violations?: readonly Violation[];
  readonly cause?: unknown;
}

export class PipelineError extends Error {
  override readonly name = "PipelineError";
  readonly code: Code;
  readonly reason: string;
  readonly retry: Retry;
  readonly retryDelayMs: number | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  readonly violations: readonly Violation[];
  /** The message without its code. */
  readonly rawMessage: string;

  constructor(message: string, options: PipelineErrorOptions) {
    super(
      `${options.code}: ${message}`,
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.rawMessage = message;
    this.code = options.code;
    this.reason = options.reason;
    this.retry = options.retry;
    this.retryDelayMs = options.retryDelayMs;
    this.metadata = options.metadata ?? {};
    this.violations = options.violations ?? [];
  }

  /** What was thrown, as a PipelineError. */
  static from(thrown: unknown): PipelineError {
    if (thrown instanceof PipelineError) return thrown;
    if (isAbort(thrown)) {
      return new PipelineError("the caller went away", {
        code: Code.Cancelled,
        reason: "CALL_CANCELLED",
        retry: "same-key",
        cause: thrown,
      });
    }
    return new PipelineError("an internal error; the process that answered has it in its log", {
      code: Code.Internal,
      reason: "INTERNAL",
      retry: "same-key",
      cause: thrown,
    });
  }
}

function isAbort(thrown: unknown): boolean {
  return (
    typeof thrown === "object" &&
    thrown !== null &&
    "name" in thrown &&
    thrown.name === "AbortError"
  );
}
