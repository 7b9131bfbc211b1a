// A job, its attempts, and the table of legal changes of state.
//
// Guarantees: `legalChange` is the only list of changes; terminal states have none.
// Does not own: who may ask for a change (ledger.ts) nor tokens (fencing.ts).

/** The fencing token of an attempt: the log index of the entry that started it. */
export type FencingToken = number;

export const JobState = {
  Scheduled: "scheduled",
  Queued: "queued",
  Running: "running",
  Succeeded: "succeeded",
  Failed: "failed",
  Cancelled: "cancelled",
} as const;
export type JobState = (typeof JobState)[keyof typeof JobState];

/** started is the outcome of an attempt that has none yet. */
export type AttemptOutcome =
  | "started"
  | "succeeded"
  | "failed"
  | "timed-out"
  | "lost"
  | "fenced"
  | "cancelled"
  | "handed-back";

export interface Backoff {
  readonly initialMs: number;
  readonly multiplier: number;
  readonly maxMs: number;
}

export interface JobError {
  /** A stable word for programs. */
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
}

export interface Attempt {
  readonly number: number;
  readonly worker: string;
  readonly token: FencingToken;
  /** Names the start: the same start asked twice gets the same token. */
  readonly startId: string;
  readonly startMs: number;
  readonly leaseMs: number;
  /** Ledger time at which the attempt counts as lost unless renewed. */
  leaseExpiryMs: number;
  endMs: number;
  outcome: AttemptOutcome;
  error: JobError | null;
}

/** A write of a fenced-out attempt, refused. */
export interface Receipt {
  readonly token: FencingToken;
  /** 0: no attempt was live. */
  readonly currentToken: FencingToken;
  readonly worker: string;
  readonly tried: AttemptOutcome;
  readonly refusedMs: number;
}

export interface Job {
  readonly id: string;
  readonly kind: string;
  readonly queue: string;
  readonly payload: Uint8Array;
  readonly priority: number;
  readonly maxAttempts: number;
  readonly backoff: Backoff;
  readonly attemptTimeoutMs: number;
  readonly lockKeys: readonly string[];
  readonly idempotencyKey: string;
  readonly traceparent: string;
  readonly createdMs: number;
  /** The entry that accepted it. */
  readonly logIndex: number;
  state: JobState;
  /** When it is due; rises with each backoff. */
  runAtMs: number;
  /** The entry that last changed it. */
  changeIndex: number;
  /**
   * Rises each time the job must be put before a worker anew (queued, retried, unparked): the
   * BullMQ job's name is derived from it, so adding again what is there already does nothing.
   */
  dispatch: number;
  /** The held lock key that the job is parked for, or "". A parked job is not in BullMQ. */
  parkedFor: string;
  /** Attempts that count against maxAttempts (handed-back ones do not). */
  attemptsUsed: number;
  attempts: Attempt[];
  result: Uint8Array | null;
  error: JobError | null;
  endMs: number;
  /** The last few refused writes, oldest first. */
  receipts: Receipt[];
  refusedCount: number;
}

const LEGAL_CHANGES: Readonly<Record<JobState, readonly JobState[]>> = {
  scheduled: ["queued", "cancelled"],
  queued: ["running", "cancelled"],
  running: ["succeeded", "failed", "cancelled", "scheduled", "queued"],
  succeeded: [],
  failed: [],
  cancelled: [],
};

export function isLegalChange(from: JobState, to: JobState): boolean {
  return LEGAL_CHANGES[from].includes(to);
}

export function isTerminal(state: JobState): boolean {
  return LEGAL_CHANGES[state].length === 0;
}
