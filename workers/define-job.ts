// defineJob: a kind of job, its input and output, how it is retried and locked, and its handler.
//
// Guarantees: the types of input, output and lock templates are checked against each other when
// compiled; limits and names are checked when defined, so that a worker fails at its start and not
// at its first job. A definition is a plain value: the client uses it for its types, the worker
// for its handler.

import assert from "node:assert";
import { JOB_ATTEMPTS_MAX, JOB_LOCK_KEYS_MAX, NAME_LENGTH_MAX } from "../transport/limit.ts";
import type { Logger } from "../transport/telemetry/logger.ts";
import type { CheckedLock } from "./lock-template.ts";
import type { InputOf, OutputOf, StandardSchema } from "./standard-schema.ts";

export interface AttemptContext {
  readonly jobId: string;
  readonly kind: string;
  /** From 1. */
  readonly attempt: number;
  /** Aborted when this attempt must stop; its reason is an AttemptAborted. */
  readonly signal: AbortSignal;
  /**
   * Rises with every attempt of every job. Hand it to the store that you write to and let the
   * store refuse lower ones: then a worker that was frozen cannot overwrite what came after it.
   */
  readonly fencingToken: bigint;
  readonly logger: Logger;
  /** For whoever watches the trace and the log; not part of the job's record. */
  progress(value: string | number | Readonly<Record<string, string | number | boolean>>): void;
  /**
   * Renews the lease now and resolves when the quorum has answered; rejects with the signal's
   * reason if the attempt is over. Only needed around code that blocks the event loop for long:
   * leases are renewed by themselves.
   */
  heartbeat(): Promise<void>;
}

export interface RetryPolicy {
  /** All attempts, the first one included. */
  readonly maxAttempts: number;
  readonly backoff: {
    readonly initialMs: number;
    readonly multiplier: number;
    readonly maxMs: number;
  };
}

/** `Input` is what callers submit, `Output` what they get. */
export interface JobDefinition<Kind extends string = string, Input = unknown, Output = unknown> {
  readonly kind: Kind;
  readonly queue: string;
  readonly input: StandardSchema<Input, unknown>;
  readonly output: StandardSchema<unknown, unknown> | null;
  readonly retry: RetryPolicy;
  /** 0: no limit. */
  readonly timeoutMs: number;
  readonly lockTemplates: readonly string[];
  /** The user's handler; the worker calls it with what `input` made of the payload. */
  readonly run: (input: unknown, context: AttemptContext) => Promise<unknown>;
  /** For the compiler only. */
  readonly types?: { readonly output: Output };
}

export interface JobOptions<
  Kind extends string,
  Input extends StandardSchema,
  Output,
  Lock extends string | readonly string[],
> {
  readonly kind: Kind;
  /** Default "default". One queue is best served by workers that all know its kinds. */
  readonly queue?: string;
  readonly input: Input;
  /** Checks the handler's result; what it makes of it is recorded. */
  readonly output?: StandardSchema<unknown, Output>;
  readonly retry?: Partial<RetryPolicy>;
  /** How long one attempt may take. Default: no limit. */
  readonly timeoutMs?: number;
  /** Keys that only one running job may hold: "account:{accountId}". */
  readonly lock?: Lock & CheckedLock<Lock, InputOf<Input>>;
  readonly handler: (input: OutputOf<Input>, context: AttemptContext) => Promise<Output> | Output;
}

export const DEFAULT_QUEUE = "default";
const DEFAULT_RETRY: RetryPolicy = {
  maxAttempts: 3,
  backoff: { initialMs: 1_000, multiplier: 2, maxMs: 60_000 },
};
/** BullMQ refuses colons in queue names; the rest keeps routing keys and file names simple. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

export function defineJob<
  const Kind extends string,
  Input extends StandardSchema,
  Output,
  const Lock extends string | readonly string[] = readonly [],
>(options: JobOptions<Kind, Input, Output, Lock>): JobDefinition<Kind, InputOf<Input>, Output> {
  const { kind, queue = DEFAULT_QUEUE, timeoutMs = 0 } = options;
  const lock: string | readonly string[] = options.lock ?? [];
  const lockTemplates = typeof lock === "string" ? [lock] : [...lock];
  const retry = { ...DEFAULT_RETRY, ...options.retry };
  checkName("kind", kind);
  checkName("queue", queue);
  checkRetry(kind, retry);
  assert(
    Number.isInteger(timeoutMs) && timeoutMs >= 0,
    `job ${kind}: timeoutMs is a whole number of milliseconds, got ${timeoutMs}`,
  );
  assert(
    lockTemplates.length <= JOB_LOCK_KEYS_MAX,
    `job ${kind}: at most ${JOB_LOCK_KEYS_MAX} lock keys, got ${lockTemplates.length}`,
  );
  return {
    kind,
    queue,
    input: options.input as StandardSchema<InputOf<Input>, unknown>,
    output: options.output ?? null,
    retry,
    timeoutMs,
    lockTemplates,
    // Only what options.input has validated is ever handed in (attempt-runner.ts).
    run: async (input, context) => options.handler(input as OutputOf<Input>, context),
  };
}

function checkName(what: string, name: string): void {
  assert(
    NAME.test(name) && name.length <= NAME_LENGTH_MAX,
    `a ${what} is 1 to ${NAME_LENGTH_MAX} letters, digits, ".", "_" or "-", got "${name}"`,
  );
}

function checkRetry(kind: string, { maxAttempts, backoff }: RetryPolicy): void {
  assert(
    Number.isInteger(maxAttempts) && maxAttempts >= 1 && maxAttempts <= JOB_ATTEMPTS_MAX,
    `job ${kind}: maxAttempts is 1 to ${JOB_ATTEMPTS_MAX}, got ${maxAttempts}`,
  );
  const { initialMs, multiplier, maxMs } = backoff;
  assert(
    Number.isInteger(initialMs) && initialMs >= 0 && Number.isInteger(maxMs) && maxMs >= initialMs,
    `job ${kind}: backoff needs whole 0 <= initialMs <= maxMs, got ${initialMs} and ${maxMs}`,
  );
  assert(multiplier >= 1, `job ${kind}: backoff.multiplier is at least 1, got ${multiplier}`);
}
