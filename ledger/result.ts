// What applying a command returns: the answer for who proposed it, and the changes to publish.
//
// Guarantees: expected outcomes are values, never throws; a replay of the log returns the same.

import type { FencingToken, Job, JobState } from "./job.ts";
import type { LockEnd, LockRecord, LockState } from "./lock.ts";
import type { QueueView } from "./queue-view.ts";
import type { Schedule } from "./schedule.ts";
import type { ScheduleStanding } from "./schedule-standing.ts";

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
        | "lock-template-unfilled"
        | "backlog-full";
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
      /** Those that the ledger still has, in the order they were given. */
      readonly children: readonly Readonly<Job>[];
    }
  | {
      readonly kind: "start-refused";
      readonly reason: "finished" | "cancelled" | "held" | "locked" | "limited" | "not-due";
      readonly lockKey: string;
    }
  | { readonly kind: "renewed"; readonly stale: readonly Fenced[] }
  | { readonly kind: "finished"; readonly state: JobState; readonly nextAttemptMs: number }
  | Fenced
  | { readonly kind: "cancelled"; readonly job: Readonly<Job> }
  | { readonly kind: "cancel-refused"; readonly state: JobState }
  | { readonly kind: "reported"; readonly stale: readonly Fenced[] }
  /** By this request, now or before. */
  | { readonly kind: "retried"; readonly job: Readonly<Job> }
  /** It has succeeded, or has not ended. */
  | { readonly kind: "retry-refused"; readonly state: JobState }
  | {
      readonly kind: "retried-jobs";
      readonly retriedCount: number;
      /** Where the next piece begins; 0: all were looked at. */
      readonly nextNumber: number;
    }
  | { readonly kind: "job-not-found"; readonly jobId: string }
  | { readonly kind: "queue-set"; readonly queue: QueueView }
  | {
      readonly kind: "queue-drained";
      readonly cancelled: number;
      /** Whether more of those asked for wait. */
      readonly hasMore: boolean;
      /** For the next command of the same drain. */
      readonly untilArrival: number;
    }
  | { readonly kind: "queue-not-found"; readonly queue: string }
  | {
      readonly kind: "schedule";
      readonly schedule: Readonly<Schedule>;
      readonly standing: ScheduleStanding;
      readonly isNew: boolean;
    }
  | {
      readonly kind: "schedule-refused";
      /** Another one has the id, there are as many as there may be, or a job of it is open. */
      readonly reason: "id-taken" | "too-many" | "busy";
      /** The id, how many there may be, or the job. */
      readonly value: string;
    }
  | { readonly kind: "schedule-deleted"; readonly hasExisted: boolean }
  | { readonly kind: "schedule-not-found"; readonly scheduleId: string }
  /** How the locks stand now, in the order they were named. */
  | { readonly kind: "locks"; readonly standings: readonly LockStanding[] }
  | {
      readonly kind: "lock-refused";
      readonly reason: "request-id-reused" | "no-keys" | "too-many-locks";
      /** The lock that the request id belongs to, or "". */
      readonly lockId: string;
    }
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

export interface LockStanding {
  readonly lockId: string;
  readonly lockKeys: readonly string[];
  readonly state: LockState;
  /** null: not over, or nothing is known of it (any more). */
  readonly end: LockEnd | null;
  /** 0: it was never held. */
  readonly token: FencingToken;
  /** Held or waiting: over by then without a sign of life. */
  readonly expiryMs: number;
  /** Not held: who has a key of it, or will have it before. */
  readonly blocker: LockHolder | null;
}

export interface LockHolder {
  readonly key: string;
  /** Of a job or a lock. */
  readonly id: string;
  /** The worker, or the owner of the lock. */
  readonly owner: string;
  /** 0: it does not hold the key yet. */
  readonly token: FencingToken;
  readonly expiryMs: number;
}

/** One committed change of one lock outside jobs: the ledger's own, as a job's. */
export interface LockChange {
  readonly index: number;
  readonly lock: Readonly<LockRecord>;
  readonly event: "granted" | LockEnd;
}

/** One committed change of one job. The job is the ledger's own: read it at once, never keep it. */
export interface Change {
  readonly index: number;
  readonly job: Readonly<Job>;
  /**
   * What happened: a state was entered, the job was parked or unparked while queued, or its attempt
   * told of its progress.
   */
  readonly event: JobState | "parked" | "unparked" | "progress";
}

export interface Applied {
  readonly result: Result;
  readonly changes: readonly Change[];
  readonly lockChanges: readonly LockChange[];
}
