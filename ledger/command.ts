// What an entry of the log can say to the ledger.
//
// Guarantees: a command carries its time and randomness, stamped by the leader when it was
// proposed; applying one reads no clock and no generator. Bytes are transport's
// (transport/command-codec.ts).

import type { AttemptOutcome, Backoff, FencingToken, JobError } from "./job.ts";

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
  /** Empty: what the kind's lock templates give for this payload. */
  readonly lockKeys: readonly string[];
  /** "": none. */
  readonly idempotencyKey: string;
  /** W3C traceparent of the submission, or "". */
  readonly traceparent: string;
}

export interface Kind {
  readonly kind: string;
  readonly queue: string;
  readonly maxAttempts: number;
  readonly backoff: Backoff;
  /** 0: no limit. */
  readonly attemptTimeoutMs: number;
  /** Such as "account:{accountId}", filled from the payload's top-level fields. */
  readonly lockTemplates: readonly string[];
}

/** Outcomes that a worker may report; the others are the ledger's own findings. */
export type ReportedOutcome = Extract<
  AttemptOutcome,
  "succeeded" | "failed" | "timed-out" | "handed-back" | "fenced"
>;

export type CommandBody =
  | { readonly kind: "submit-jobs"; readonly jobs: readonly JobSpec[] }
  | {
      readonly kind: "start-attempt";
      readonly jobId: string;
      readonly worker: string;
      readonly startId: string;
      readonly leaseMs: number;
    }
  | {
      readonly kind: "renew-leases";
      readonly worker: string;
      readonly renewals: readonly { readonly jobId: string; readonly token: FencingToken }[];
    }
  | {
      readonly kind: "finish-attempt";
      readonly jobId: string;
      readonly token: FencingToken;
      readonly worker: string;
      readonly outcome: ReportedOutcome;
      /** JSON, with "succeeded"; else null. */
      readonly result: Uint8Array | null;
      /** With all other outcomes; else null. */
      readonly error: JobError | null;
    }
  | { readonly kind: "cancel-job"; readonly jobId: string; readonly reason: string }
  | { readonly kind: "register-kinds"; readonly kinds: readonly Kind[] }
  /** Brings the clock forward: due jobs are queued, overdue attempts ended. */
  | { readonly kind: "tick" }
  /** First command of a leader: each live attempt gets a whole lease again. */
  | { readonly kind: "open-term"; readonly leader: string }
  /** Changes nothing: a place at which replicas are compared. */
  | { readonly kind: "checkpoint" }
  /** A command of a newer version: applied as nothing, so that replicas stay equal. */
  | { readonly kind: "unknown" };

export interface Command {
  /** The leader's clock, Unix ms. The ledger's clock is the maximum it has seen. */
  readonly timeMs: number;
  /** Uniform in [0, 2^32): the jitter of backoffs. */
  readonly random: number;
  readonly body: CommandBody;
}
