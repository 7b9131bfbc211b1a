// What has happened to a job, beyond waiting to be run for the first time; and its family.
//
// Guarantees: most waiting jobs share NO_PAST, which nobody changes: a record makes its own at the
// first write (record.ts). A new field that few waiting jobs have goes here, with its "nothing" in
// NO_PAST, and a pair of accessors in the record.

import type { Attempt, EndedRun, FencingToken, JobError, LogLine, Receipt } from "./job.ts";
import type { PackedBytes } from "./packed-bytes.ts";
import type { Result } from "./result.ts";
import { isSameValue } from "./same-value.ts";

export type Finished = Extract<Result, { kind: "finished" }>;

export interface AttemptRecord extends Attempt {
  /** The answer to the report that ended it, to be given again; null if none did. */
  answer: Finished | null;
  /** The number of the last report of progress or log lines that was heard; 0: none was. */
  reports: number;
}

/** The others of its family, by their positions: a family is of one entry. */
export interface JobFamily {
  /** 0: it is nobody's child. */
  readonly parentPosition: number;
  readonly childPositions: readonly number[];
}

/** What has happened to a job, beyond waiting to be run for the first time; and its family. */
export interface JobPast extends JobFamily {
  pendingChildCount: number;
  parkedFor: string;
  attemptsUsed: number;
  attempts: readonly AttemptRecord[];
  result: PackedBytes | null;
  error: JobError | null;
  endMs: number;
  earlierRuns: readonly EndedRun[];
  /** When this run began; 0: with the job. */
  runStartMs: number;
  progress: PackedBytes | null;
  progressMs: number;
  logLines: readonly LogLine[];
  logLineCount: number;
  receipts: readonly Receipt[];
  refusedCount: number;
  /** The token of the live attempt; 0: none is. */
  currentToken: FencingToken;
  /** The last startId refused: a late copy of that command must not start what nobody awaits. */
  refusedStartId: string;
  /** Place in the line for locks, from 1; kept from the first parking to the start. 0: none. */
  place: number;
  /** An unparked job's keys are put by for it until then. 0: they are not. */
  claimExpiryMs: number;
  /**
   * A job that was cancelled while it ran holds its keys until then, or until its worker says that
   * the handler has stopped. 0: it does not.
   */
  keysUntilMs: number;
  scheduleId: string;
  slotMs: number;
}

export const NO_FAMILY: JobFamily = Object.freeze({
  parentPosition: 0,
  childPositions: Object.freeze([]),
});

export const NO_PAST: JobPast = Object.freeze({
  ...NO_FAMILY,
  pendingChildCount: 0,
  parkedFor: "",
  attemptsUsed: 0,
  attempts: Object.freeze([]),
  result: null,
  error: null,
  endMs: 0,
  earlierRuns: Object.freeze([]),
  runStartMs: 0,
  progress: null,
  progressMs: 0,
  logLines: Object.freeze([]),
  logLineCount: 0,
  receipts: Object.freeze([]),
  refusedCount: 0,
  currentToken: 0,
  refusedStartId: "",
  place: 0,
  claimExpiryMs: 0,
  keysUntilMs: 0,
  scheduleId: "",
  slotMs: 0,
});

/** One object for all jobs to which nothing has happened. */
export function orNoPast(past: JobPast): JobPast {
  return isSameValue(past, NO_PAST) ? NO_PAST : past;
}
