// A job, its attempts, and the table of legal changes of state.
//
// Guarantees: `isLegalChange` has the only list of changes. Terminal states are left by a retry
// alone, which is a new run of the same job.
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

/** What becomes of a parent when a child of it ends without a result. */
export type ChildFailurePolicy = "fail-parent" | "run-parent";

export interface Backoff {
  readonly initialMs: number;
  readonly multiplier: number;
  readonly maxMs: number;
  /** The share of the delay that is random, 0 to 1. */
  readonly jitter: number;
}

/** The job runs only while fewer than `limit` running jobs have the key. */
export interface ConcurrencyKey {
  readonly key: string;
  readonly limit: number;
}

export interface JobError {
  /** A stable word for programs. */
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
}

export interface Attempt {
  /** From 1, rising over all runs. */
  readonly number: number;
  /** Which run of the job it belongs to, from 1. */
  readonly run: number;
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

/** What an attempt can try to write. */
export type Tried = AttemptOutcome | "progress" | "log" | "heartbeat";

/** A write of a fenced-out attempt, refused. */
export interface Receipt {
  readonly token: FencingToken;
  /** 0: no attempt was live. */
  readonly currentToken: FencingToken;
  readonly worker: string;
  readonly tried: Tried;
  readonly refusedMs: number;
}

/** A line that a handler wrote. */
export interface LogLine {
  /** The attempt's number. */
  readonly attempt: number;
  readonly timeMs: number;
  readonly text: string;
}

/** How an earlier run of a job ended, which was then retried. */
export interface EndedRun {
  readonly state: "failed" | "cancelled";
  readonly error: JobError;
  readonly endMs: number;
  /** The request that began the next run, so that asking twice begins one; "": nameless. */
  readonly retryId: string;
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
  /** From acceptance to the end of a run, all attempts and waits included. 0: no limit. */
  readonly totalTimeoutMs: number;
  readonly lockKeys: readonly string[];
  readonly concurrencyKeys: readonly ConcurrencyKey[];
  readonly idempotencyKey: string;
  readonly traceparent: string;
  /** The schedule that it was made by, and the slot that it is for; "" and 0: none. */
  scheduleId: string;
  slotMs: number;
  readonly createdMs: number;
  /** The entry that accepted it. */
  readonly logIndex: number;
  state: JobState;
  /** When it is due; rises with each backoff. */
  runAtMs: number;
  /** When the run ends at the latest. 0: no limit. */
  readonly deadlineMs: number;
  /** From 1; rises with each retry. */
  readonly run: number;
  /** The runs before this one, oldest first. */
  earlierRuns: readonly EndedRun[];
  /** The entry that last changed it. */
  changeIndex: number;
  /**
   * Rises each time the job must be put before a worker anew (queued, retried, unparked): the
   * BullMQ job's name is derived from it, so adding again what is there already does nothing.
   */
  dispatch: number;
  /** The held lock key that the job is parked for, or "". A parked job is not in BullMQ. */
  parkedFor: string;
  /**
   * The limit that holds the job back: "queue" (paused, or a limit of it or of all queues), or
   * "key:" and a concurrency key; "": none does. A job that is held back is not in BullMQ.
   */
  waitsAt: string;
  /** Attempts of this run that count against maxAttempts (handed-back ones do not). */
  attemptsUsed: number;
  attempts: readonly Attempt[];
  result: Uint8Array | null;
  error: JobError | null;
  endMs: number;
  /** What the last attempt has told of itself, JSON; null: nothing. */
  progress: Uint8Array | null;
  progressMs: number;
  /** The last few lines that attempts have written, oldest first; all are counted. */
  logLines: readonly LogLine[];
  logLineCount: number;
  /** The last few refused writes, oldest first. */
  receipts: readonly Receipt[];
  refusedCount: number;
  /** The job that waits for this one, or "". */
  readonly parentJobId: string;
  /** In the order they were given. */
  readonly childJobIds: readonly string[];
  readonly onChildFailure: ChildFailurePolicy;
  /** Children that have not ended. A SCHEDULED job does not fall due while there are any. */
  pendingChildCount: number;
}

const LEGAL_CHANGES: Readonly<Record<JobState, readonly JobState[]>> = {
  scheduled: ["queued", "cancelled", "failed"],
  queued: ["running", "cancelled", "failed"],
  running: ["succeeded", "failed", "cancelled", "scheduled", "queued"],
  succeeded: [],
  failed: ["queued", "scheduled"],
  cancelled: ["queued", "scheduled"],
};
const TERMINAL: ReadonlySet<JobState> = new Set(["succeeded", "failed", "cancelled"]);

export function isLegalChange(from: JobState, to: JobState): boolean {
  return LEGAL_CHANGES[from].includes(to);
}

export function isTerminal(state: JobState): boolean {
  return TERMINAL.has(state);
}
