// What is asked for when a job is submitted, or when a schedule is to make it.
//
// Guarantees: as the caller has said it: what is left to the kind's defaults is 0, null or empty.
// Does not own: what it becomes (submit.ts), nor its bytes (transport/job-command-codec.ts).

import type { Backoff, ChildFailurePolicy, ConcurrencyKey } from "./job.ts";

export interface JobSpec {
  readonly kind: string;
  /** "": the queue that the kind was registered with. */
  readonly queue: string;
  /** JSON, UTF-8. Empty means null. */
  readonly payload: Uint8Array;
  readonly priority: number;
  /** 0: now. */
  readonly runAtMs: number;
  /** 0: the kind's default. */
  readonly maxAttempts: number;
  /** null: the kind's default. */
  readonly backoff: Backoff | null;
  /** 0: the kind's default. */
  readonly attemptTimeoutMs: number;
  /** From acceptance to the end. 0: the kind's default. */
  readonly totalTimeoutMs: number;
  /** Empty: what the kind's lock templates give for this payload. */
  readonly lockKeys: readonly string[];
  /** Empty: what the kind's concurrency templates give for this payload. */
  readonly concurrencyKeys: readonly ConcurrencyKey[];
  /** "": none. */
  readonly idempotencyKey: string;
  /** W3C traceparent of the submission, or "". */
  readonly traceparent: string;
  /** The place, from 1, of its parent among the command's jobs, before this one. 0: none. */
  readonly parent: number;
  readonly onChildFailure: ChildFailurePolicy;
}
