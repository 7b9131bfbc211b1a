// defineJob: a kind of job, its input and output, how it is retried and locked, and its handler.
//
// Guarantees: the types of input, output and lock templates are checked against each other when
// compiled; limits and names are checked when defined, so that a worker fails at its start and not
// at its first job. A definition is a plain value: the client uses it for its types, the worker
// for its handler.

import assert from "node:assert";
import {
  CONCURRENCY_MAX,
  DURATION_MS_MAX,
  JOB_ATTEMPTS_MAX,
  JOB_CONCURRENCY_KEYS_MAX,
  JOB_LOCK_KEYS_MAX,
  NAME_LENGTH_MAX,
} from "../transport/limit.ts";
import type { Logger } from "../transport/telemetry/logger.ts";
import type { CheckedConcurrency, CheckedLock } from "./lock-template.ts";
import type { InputOf, OutputOf, StandardSchema } from "./standard-schema.ts";

/** What JSON can say. */
export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue };

export interface JobSchedule {
  readonly id: string;
  /** Of a job that was triggered: when it was. */
  readonly slotTime: Date;
  /** By hand, beside the slots. */
  readonly isTriggered: boolean;
} /** How a child ended, as its parent's handler sees it. */
export interface ChildEnd {
  readonly jobId: string;
  readonly kind: string;
  readonly state: "SUCCEEDED" | "FAILED" | "CANCELLED";
  /** undefined without one, and if the start did not carry it: `childResult` reads it then. */
  readonly result: unknown;
  readonly isResultLeftOut: boolean;
  /** null of one that succeeded. Its message is cut. */
  readonly error: { readonly code: string; readonly message: string } | null;
}

export interface AttemptContext {
  readonly jobId: string;
  readonly kind: string;
  /** From 1, rising over all runs of the job. */
  readonly attempt: number;
  /** Which run of the job this is, from 1: it rises when a job that had failed is retried. */
  readonly run: number;
  /** The schedule that made the job, and the slot that it is for; null: it was submitted. */
  readonly schedule: JobSchedule | null;
  /** Aborted when this attempt must stop; its reason is an AttemptAborted. */
  readonly signal: AbortSignal;
  /**
   * Rises with every attempt of every job. Hand it to the store that you write to and let the
   * store refuse lower ones: then a worker that was frozen cannot overwrite what came after it.
   */
  readonly fencingToken: bigint;
  readonly logger: Logger;
  /**
   * W3C traceparent of the handler's span; "" when nobody traces. Spans of this process nest there
   * by themselves: hand it to a child process (as TRACEPARENT) or to a request made by hand.
   */
  readonly traceparent: string;
  /** Of a parent: how its children ended, in the order they were given. Else empty. */
  readonly children: readonly ChildEnd[];
  /**
   * The result of one of them, read from the quorum if it is not in `children` (their results
   * together are over 1 MiB). `childResults` gives those of a kind, typed.
   */
  childResult(jobId: string): Promise<unknown>;
  /**
   * How far it is: any JSON of at most 4 KiB, for whoever looks at or watches the job. The latest
   * counts; it is on record a moment later, and at the latest before the attempt ends. Throws a
   * RangeError when it is too large.
   */
  progress(value: JsonValue): void;
  /**
   * A line for the job's record, which keeps the last 100 lines of at most 1 KiB; longer ones are
   * cut. For what an operator needs to see with the job; the rest goes to `logger`.
   */
  log(line: string): void;
  /**
   * Renews the lease now and resolves when the quorum has answered; rejects with the signal's
   * reason if the attempt is over. Only needed around code that blocks the event loop for longer
   * than `blockedMsMax`, or to hear of a cancel between two pieces of it.
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
    /** The share of a delay that is random: 0 none, 1 all of it. Default 0.5. */
    readonly jitter?: number;
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
  /** 0: no limit. */
  readonly totalTimeoutMs: number;
  readonly lockTemplates: readonly string[];
  readonly concurrencyTemplates: readonly Concurrency[];
  /** The user's handler; the worker calls it with what `input` made of the payload. */
  readonly run: (input: unknown, context: AttemptContext) => Promise<unknown>;
  /** For the compiler only. */
  readonly types?: { readonly output: Output };
}

/** At most `limit` running jobs have the key. */
export interface Concurrency<Key extends string = string> {
  /** A template, as a lock's: "customer:{customerId}". */
  readonly key: Key;
  /** 1 to 1000. */
  readonly limit: number;
}

export interface JobOptions<
  Kind extends string,
  Input extends StandardSchema,
  Output,
  Lock extends string | readonly string[],
  Key extends string = string,
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
  /**
   * How long the job may take from its submission to its end, all attempts and waits included; then
   * it has failed with the code DEADLINE_PASSED. Default: no limit.
   */
  readonly totalTimeoutMs?: number;
  /** Keys that only one running job may hold: "account:{accountId}". */
  readonly lock?: Lock & CheckedLock<Lock, InputOf<Input>>;
  /** How many jobs may run at once by a key: { key: "customer:{customerId}", limit: 3 }. */
  readonly concurrency?: (Concurrency<Key> | readonly Concurrency<Key>[]) &
    CheckedConcurrency<Key, InputOf<Input>>;
  readonly handler: (input: OutputOf<Input>, context: AttemptContext) => Promise<Output> | Output;
}

export const DEFAULT_QUEUE = "default";
export const DEFAULT_RETRY: RetryPolicy = {
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
  const Key extends string = never,
>(
  options: JobOptions<Kind, Input, Output, Lock, Key>,
): JobDefinition<Kind, InputOf<Input>, Output> {
  const { kind, queue = DEFAULT_QUEUE, timeoutMs = 0, totalTimeoutMs = 0 } = options;
  const lock: string | readonly string[] = options.lock ?? [];
  const lockTemplates = typeof lock === "string" ? [lock] : [...lock];
  const concurrencyTemplates = [options.concurrency ?? []].flat();
  const retry = { ...DEFAULT_RETRY, ...options.retry };
  checkName("kind", kind);
  checkName("queue", queue);
  checkRetry(kind, retry);
  for (const [name, ms] of Object.entries({ timeoutMs, totalTimeoutMs })) {
    assert(
      Number.isInteger(ms) && ms >= 0 && ms <= DURATION_MS_MAX,
      `job ${kind}: ${name} is a whole number of milliseconds up to ${DURATION_MS_MAX}, got ${ms}`,
    );
  }
  assert(
    lockTemplates.length <= JOB_LOCK_KEYS_MAX,
    `job ${kind}: at most ${JOB_LOCK_KEYS_MAX} lock keys, got ${lockTemplates.length}`,
  );
  checkConcurrency(kind, concurrencyTemplates);
  return {
    kind,
    queue,
    input: options.input as StandardSchema<InputOf<Input>, unknown>,
    output: options.output ?? null,
    retry,
    timeoutMs,
    totalTimeoutMs,
    lockTemplates,
    concurrencyTemplates,
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

function checkConcurrency(kind: string, keys: readonly Concurrency[]): void {
  assert(
    keys.length <= JOB_CONCURRENCY_KEYS_MAX,
    `job ${kind}: at most ${JOB_CONCURRENCY_KEYS_MAX} concurrency keys, got ${keys.length}`,
  );
  for (const { key, limit } of keys) {
    assert(
      key !== "" && Number.isInteger(limit) && limit >= 1 && limit <= CONCURRENCY_MAX,
      `job ${kind}: concurrency needs a key and a limit of 1 to ${CONCURRENCY_MAX}, ` +
        `got "${key}" and ${limit}`,
    );
  }
}

function checkRetry(kind: string, { maxAttempts, backoff }: RetryPolicy): void {
  assert(
    Number.isInteger(maxAttempts) && maxAttempts >= 1 && maxAttempts <= JOB_ATTEMPTS_MAX,
    `job ${kind}: maxAttempts is 1 to ${JOB_ATTEMPTS_MAX}, got ${maxAttempts}`,
  );
  const { initialMs, multiplier, maxMs, jitter = 0 } = backoff;
  assert(
    Number.isInteger(initialMs) && initialMs >= 0 && Number.isInteger(maxMs) && maxMs >= initialMs,
    `job ${kind}: backoff needs whole 0 <= initialMs <= maxMs, got ${initialMs} and ${maxMs}`,
  );
  assert(multiplier >= 1, `job ${kind}: backoff.multiplier is at least 1, got ${multiplier}`);
  const isShare = jitter >= 0 && jitter <= 1;
  assert(isShare, `job ${kind}: backoff.jitter is a share from 0 to 1, got ${jitter}`);
}
