// What an entry of the log can say to the ledger.
//
// Guarantees: a command carries its time and randomness, stamped by the leader when it was
// proposed; applying one reads no clock and no generator. Bytes are transport's
// (transport/command-codec.ts).

import type { AttemptOutcome, Backoff, ConcurrencyKey, FencingToken, JobError } from "./job.ts";
import type { JobSpec } from "./job-spec.ts";
import type { ScheduleRule, ScheduleTick } from "./schedule.ts";

export type { JobSpec } from "./job-spec.ts";

export interface Kind {
  readonly kind: string;
  readonly queue: string;
  readonly maxAttempts: number;
  readonly backoff: Backoff;
  /** 0: no limit. */
  readonly attemptTimeoutMs: number;
  /** 0: no limit. */
  readonly totalTimeoutMs: number;
  /** Such as "account:{accountId}", filled from the payload's top-level fields. */
  readonly lockTemplates: readonly string[];
  /** Keys that are filled likewise. */
  readonly concurrencyTemplates: readonly ConcurrencyKey[];
}

export interface QueueRate {
  readonly count: number;
  readonly periodMs: number;
}

/** Outcomes that a worker may report; the others are the ledger's own findings. */
export type ReportedOutcome = Extract<
  AttemptOutcome,
  "succeeded" | "failed" | "timed-out" | "handed-back" | "fenced"
>;

/** What one attempt tells of itself while it runs. */
export interface AttemptReport {
  readonly jobId: string;
  readonly token: FencingToken;
  /** Above 0, rising with each report of the attempt: one that arrives twice is heard once. */
  readonly sequence: number;
  /** JSON; null: as it was. */
  readonly progress: Uint8Array | null;
  readonly lines: readonly string[];
  /** Lines written since the last report: more than `lines` if the oldest were left out. */
  readonly lineCount: number;
}

/** Which jobs a bulk retry is about; "" and 0 match all. */
export interface RetryFilter {
  readonly state: "failed" | "cancelled";
  readonly kind: string;
  readonly queue: string;
  readonly errorCode: string;
  readonly createdFromMs: number;
  /** Exclusive. */
  readonly createdBeforeMs: number;
}

/** A lock and its token; 0 for one that waits. */
export interface LockRef {
  readonly lockId: string;
  readonly token: FencingToken;
}

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
  | {
      readonly kind: "report-progress";
      readonly worker: string;
      readonly reports: readonly AttemptReport[];
    }
  | {
      readonly kind: "retry-job";
      readonly jobId: string;
      /** Names this retry; "": nameless, each copy is a retry of its own. */
      readonly requestId: string;
    }
  /** A bounded piece of a bulk retry: looks at some jobs from a number on, oldest first. */
  | {
      readonly kind: "retry-jobs";
      readonly filter: RetryFilter;
      readonly requestId: string;
      readonly fromNumber: number;
      readonly retriesMax: number;
    }
  | { readonly kind: "register-kinds"; readonly kinds: readonly Kind[] }
  /** null: it stays as it is. A limit of 0 is none. "*": all queues together. */
  | {
      readonly kind: "set-queue";
      readonly queue: string;
      readonly isPaused: boolean | null;
      readonly runningMax: number | null;
      readonly rate: QueueRate | null;
      readonly waitingMax: number | null;
    }
  /** Cancels up to jobsMax of a queue's waiting jobs, in the order in which they began to wait. */
  | {
      readonly kind: "drain-queue";
      readonly queue: string;
      readonly withScheduled: boolean;
      readonly jobsMax: number;
      /** Only those that began to wait up to here; 0: all that wait now. */
      readonly untilArrival: number;
      readonly reason: string;
    }
  /** Brings the clock forward: due jobs are queued, overdue attempts ended. */
  | { readonly kind: "tick" }
  /** First command of a leader: each live attempt gets a whole lease again. */
  | { readonly kind: "open-term"; readonly leader: string }
  | {
      readonly kind: "create-schedule";
      readonly scheduleId: string;
      readonly rule: ScheduleRule;
      /** Its key, run time and trace are not kept: each slot has its own. */
      readonly job: JobSpec;
    }
  | { readonly kind: "delete-schedule"; readonly scheduleId: string }
  | {
      readonly kind: "set-schedule-paused";
      readonly scheduleId: string;
      readonly isPaused: boolean;
    }
  /** A job of the schedule now, beside its slots. */
  | {
      readonly kind: "trigger-schedule";
      readonly scheduleId: string;
      /** The job's. */
      readonly idempotencyKey: string;
      /** The job's. */
      readonly traceparent: string;
      /** Even while another job of the schedule has not ended. */
      readonly mayOverlap: boolean;
    }
  /** Slots that the leader's calendar says have come. */
  | { readonly kind: "tick-schedules"; readonly ticks: readonly ScheduleTick[] }
  /** Some keys for whoever asks, outside of jobs; a request that waits may be repeated. */
  | {
      readonly kind: "acquire-lock";
      readonly lockKeys: readonly string[];
      readonly owner: string;
      readonly requestId: string;
      readonly ttlMs: number;
      /** 0: not at all. */
      readonly waitMs: number;
    }
  | { readonly kind: "renew-locks"; readonly locks: readonly LockRef[] }
  | { readonly kind: "release-locks"; readonly locks: readonly LockRef[] }
  /** Some finished jobs, oldest first, and keys that outlived theirs (retention.ts). */
  | {
      readonly kind: "forget-jobs";
      /** Those that ended before. 0: none for its age. */
      readonly endedBeforeMs: number;
      /** Beyond so many, the oldest, but none that ended at or after `spareBeforeMs`. */
      readonly keptMax: number;
      readonly spareBeforeMs: number;
      /** How long an idempotency key stays, from the end of its job. */
      readonly keyMs: number;
      /** At most so many, of jobs and of keys. */
      readonly limit: number;
    }
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
