// Why an attempt's signal was aborted: the `reason` of the AbortSignal that a handler gets.
//
// Guarantees: always one of these reasons, in `why`, so that a handler can tell a cancelled job
// from a worker that shuts down.

export type AbortWhy =
  /** The job was cancelled. */
  | "cancelled"
  /** The ledger says that this attempt is not the current one any more. */
  | "fenced"
  /** The quorum could not be reached for so long that the lease may be over. */
  | "lease-lapsed"
  /** A newer attempt has taken one of the locks. */
  | "lock-lost"
  | "timed-out"
  /** The time that the whole job may take is over: it has failed, and is not tried again. */
  | "deadline"
  /** The worker shuts down and its grace is over; the job will be run by another. */
  | "shutdown";

const MESSAGES: Readonly<Record<AbortWhy, string>> = {
  cancelled: "the job was cancelled",
  fenced: "a newer attempt is current, or none",
  "lease-lapsed": "the quorum could not be reached in time to renew the lease",
  "lock-lost": "a newer attempt has taken the lock",
  "timed-out": "the attempt ran longer than its timeout",
  deadline: "the job did not end within its total timeout",
  shutdown: "the worker is shutting down",
};

export class AttemptAborted extends Error {
  override readonly name = "AttemptAborted";
  readonly why: AbortWhy;

  constructor(why: AbortWhy) {
    super(MESSAGES[why]);
    this.why = why;
  }
}
