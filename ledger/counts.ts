// The ledger's counters: equal on every replica at the same index.
//
// Guarantees: the six states and `forgotten` sum to `accepted`; `recorded` is raised where a
// result or final error is written, so it tells a second recording from a first (I16).
// Owns no rule: who counts is where the thing happens.

import { JobState } from "./job.ts";

export interface Counters {
  accepted: number;
  deduplicated: number;
  readonly byState: Record<JobState, number>;
  recorded: number;
  refusedLate: number;
  attemptsStarted: number;
  attemptsLost: number;
  retried: number;
  locksGranted: number;
  locksExpired: number;
  forgotten: number;
}

export interface Counts {
  readonly accepted: number;
  /** Submissions answered with an earlier job. */
  readonly deduplicated: number;
  readonly scheduled: number;
  readonly queued: number;
  readonly running: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly cancelled: number;
  /** Results and final errors written: one for each run that succeeded or failed. */
  readonly recorded: number;
  /** Reports refused because their attempt was over. */
  readonly refusedLate: number;
  readonly attemptsStarted: number;
  /** Attempts whose lease ended without a sign of life. */
  readonly attemptsLost: number;
  /** Runs that a retry began. */
  readonly retried: number;
  /** Locks outside jobs. */
  readonly locksGranted: number;
  /** Of these, whose time ran out before they were let go. */
  readonly locksExpired: number;
  /** Finished jobs that are not kept any more; the states count those that are. */
  readonly forgotten: number;
}

export function newCounters(): Counters {
  return {
    accepted: 0,
    deduplicated: 0,
    byState: {
      [JobState.Scheduled]: 0,
      [JobState.Queued]: 0,
      [JobState.Running]: 0,
      [JobState.Succeeded]: 0,
      [JobState.Failed]: 0,
      [JobState.Cancelled]: 0,
    },
    recorded: 0,
    refusedLate: 0,
    attemptsStarted: 0,
    attemptsLost: 0,
    retried: 0,
    locksGranted: 0,
    locksExpired: 0,
    forgotten: 0,
  };
}

export function countsOf({ byState, ...counters }: Counters): Counts {
  return { ...counters, ...byState };
}
