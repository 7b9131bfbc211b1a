// What the ledger keeps of a job beyond what it shows: the bookkeeping of its own rules.
//
// Guarantees: all of it follows from the log and is part of the state's hash.

import type { JobSpec } from "./command.ts";
import type { Attempt, FencingToken, Job } from "./job.ts";
import type { Result } from "./result.ts";

export type Finished = Extract<Result, { kind: "finished" }>;

export interface AttemptRecord extends Attempt {
  /** The answer to the report that ended it, to be given again; null if none did. */
  answer: Finished | null;
}

export interface JobRecord extends Job {
  /** Order of acceptance, from 0. */
  readonly number: number;
  /** What was asked for, before any default was filled in: a repeat is compared with it. */
  readonly submitted: JobSpec;
  attempts: AttemptRecord[];
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
}
