// What clients and workers ask about one job, and what they are told.
//
// Guarantees: the words are the ledger's (kinds of results, states, outcomes), so that an answer
// is written into a history as it came; nothing here is imported from it, so that a mistake there
// is not a mistake here. What names a call in the log (its index, its time) is left out.

import type { History, Operation } from "./history.ts";

export type JobState = "scheduled" | "queued" | "running" | "succeeded" | "failed" | "cancelled";

/** What a worker may say of an attempt. */
export type Report = "succeeded" | "failed" | "timed-out" | "handed-back" | "fenced";

export type AttemptOutcome = Report | "started" | "lost" | "cancelled";

/** By a caller or a worker. */
export type AskedCall =
  | {
      readonly kind: "submit";
      /** Every submission of a checked history has one. */
      readonly key: string;
      /** What was asked for, in any text that is equal for equal jobs only. */
      readonly spec: string;
      /** null: not known to whoever keeps the history. */
      readonly maxAttempts: number | null;
      /** Asked to run later than now: the job may be scheduled at first. */
      readonly isDelayed: boolean;
    }
  | { readonly kind: "start"; readonly jobId: string; readonly startId: string }
  | {
      readonly kind: "finish";
      readonly jobId: string;
      readonly token: number;
      readonly report: Report;
      /** The result of what succeeded, the code of the error of all else. */
      readonly body: string;
      readonly isRetryable: boolean;
    }
  | { readonly kind: "renew"; readonly jobId: string; readonly token: number }
  | { readonly kind: "cancel"; readonly jobId: string }
  /** A new run; the same requestId begins one. */
  | { readonly kind: "retry"; readonly jobId: string; readonly requestId: string }
  | { readonly kind: "get"; readonly jobId: string };

/** By the quorum itself, as whoever watches its log saw it. */
export type WatchedCall =
  | { readonly kind: "forget"; readonly jobId: string }
  | { readonly kind: "free-key"; readonly key: string };

export type JobCall = AskedCall | WatchedCall;

/** A job as a read shows it. */
export interface JobView {
  readonly state: JobState;
  readonly attempts: readonly { readonly token: number; readonly outcome: AttemptOutcome }[];
  /** null: none yet. */
  readonly result: string | null;
  /** The code of the final error; null: none. */
  readonly error: string | null;
}

export type StartRefusal = "finished" | "cancelled" | "held" | "locked" | "limited" | "not-due";

export type JobOutcome =
  | { readonly kind: "submitted"; readonly jobId: string; readonly deduplicated: boolean }
  | { readonly kind: "submit-refused"; readonly reason: string }
  /** `number`: of the attempt, from 1. */
  | { readonly kind: "started"; readonly token: number; readonly number: number }
  | { readonly kind: "start-refused"; readonly reason: StartRefusal }
  | { readonly kind: "finished"; readonly state: JobState }
  /** `currentToken` is 0 when no attempt is live. */
  | { readonly kind: "fenced"; readonly currentToken: number; readonly state: JobState }
  | { readonly kind: "renewed" }
  | { readonly kind: "cancelled" }
  | { readonly kind: "cancel-refused"; readonly state: JobState }
  | { readonly kind: "retried" }
  | { readonly kind: "retry-refused"; readonly state: JobState }
  | { readonly kind: "job"; readonly view: JobView }
  | { readonly kind: "job-not-found" }
  | { readonly kind: "witnessed" };

export type JobOperation = Operation<JobCall, JobOutcome>;
export type JobHistory = History<JobCall, JobOutcome>;
