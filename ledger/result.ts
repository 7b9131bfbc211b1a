// What applying a command returns: the answer for who proposed it, and the changes to publish.
//
// Guarantees: expected outcomes are values, never throws; a replay of the log returns the same.

import type { FencingToken, Job, JobState } from "./job.ts";

export type Result =
  | {
      readonly kind: "submitted";
      readonly jobs: readonly {
        readonly jobId: string;
        readonly logIndex: number;
        readonly deduplicated: boolean;
        readonly traceparent: string;
      }[];
    }
  | {
      readonly kind: "submit-refused";
      readonly reason:
        | "unknown-kind"
        | "unknown-queue"
        | "idempotency-key-reused"
        | "lock-template-unfilled";
      /** Which of the jobs. */
      readonly position: number;
      readonly value: string;
      /** The owner of the idempotency key, or "". */
      readonly jobId: string;
    }
  | {
      readonly kind: "started";
      readonly token: FencingToken;
      readonly number: number;
      readonly job: Readonly<Job>;
    }
  | {
      readonly kind: "start-refused";
      readonly reason: "finished" | "cancelled" | "held" | "locked" | "not-due";
      readonly lockKey: string;
    }
  | { readonly kind: "renewed"; readonly stale: readonly Fenced[] }
  | { readonly kind: "finished"; readonly state: JobState; readonly nextAttemptMs: number }
  | Fenced
  | { readonly kind: "cancelled"; readonly job: Readonly<Job> }
  | { readonly kind: "cancel-refused"; readonly state: JobState }
  | { readonly kind: "job-not-found"; readonly jobId: string }
  | { readonly kind: "done" };

/** The attempt that spoke is not the current one; nothing was recorded but a receipt. */
export interface Fenced {
  readonly kind: "fenced";
  readonly jobId: string;
  readonly token: FencingToken;
  /** 0: no attempt is live. */
  readonly currentToken: FencingToken;
  readonly state: JobState;
}

/** One committed change of one job. The job is the ledger's own: read it at once, never keep it. */
export interface Change {
  readonly index: number;
  readonly job: Readonly<Job>;
  /** What happened: a state was entered, or the job was parked or unparked while queued. */
  readonly event: JobState | "parked" | "unparked";
}

export interface Applied {
  readonly result: Result;
  readonly changes: readonly Change[];
}
