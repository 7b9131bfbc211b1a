// Thrown by a handler to say: trying again would fail the same way.
//
// Guarantees: recognised also when it was made by another copy of this package. Its `code`, if
// given, is what the job's error carries; else the class's name is.

const MARK = Symbol.for("quorumq.non-retryable");

export interface NonRetryableErrorOptions extends ErrorOptions {
  /** A stable word for programs, such as "CARD_DECLINED". */
  readonly code?: string;
}

export class NonRetryableError extends Error {
  override readonly name: string = "NonRetryableError";
  readonly code: string | undefined;
  readonly [MARK] = true;

  constructor(message: string, options: NonRetryableErrorOptions = {}) {
    super(message, options);
    this.code = options.code;
  }
}

export function isNonRetryable(error: unknown): boolean {
  return typeof error === "object" && error !== null && MARK in error;
}
