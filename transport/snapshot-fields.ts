// What the writer and the reader of snapshots share: kinds of records, counts, names.
//
// The numbers are those of protos/ledger/v1/snapshot.proto; the other messages' are in the reader
// and the writer, side by side with the fields. A test holds all against the generated code.

import type { AttemptOutcome, ChildFailurePolicy, JobState, Tried } from "../ledger/job.ts";
import { ChildFailurePolicy as WirePolicy } from "../protos/gen/ledger/v1/family.ts";
import {
  AttemptOutcome as WireOutcome,
  JobState as WireState,
  Tried as WireTried,
} from "../protos/gen/ledger/v1/snapshot.ts";

export const RECORD = {
  head: 1,
  kind: 2,
  job: 3,
  queue: 4,
  trailer: 5,
  "queue-limits": 6,
  schedule: 10,
  lock: 14,
  "forgotten-key": 18,
} as const;

export const COUNTS = {
  accepted: 1,
  deduplicated: 2,
  scheduled: 3,
  queued: 4,
  running: 5,
  succeeded: 6,
  failed: 7,
  cancelled: 8,
  recorded: 9,
  refusedLate: 10,
  attemptsStarted: 11,
  attemptsLost: 12,
  retried: 13,
  locksGranted: 20,
  locksExpired: 21,
  forgotten: 22,
} as const;

export const STATE_TO_WIRE: Readonly<Record<JobState, WireState>> = {
  scheduled: WireState.JOB_STATE_SCHEDULED,
  queued: WireState.JOB_STATE_QUEUED,
  running: WireState.JOB_STATE_RUNNING,
  succeeded: WireState.JOB_STATE_SUCCEEDED,
  failed: WireState.JOB_STATE_FAILED,
  cancelled: WireState.JOB_STATE_CANCELLED,
};

export const OUTCOME_TO_WIRE: Readonly<Record<AttemptOutcome, WireOutcome>> = {
  started: WireOutcome.ATTEMPT_OUTCOME_STARTED,
  succeeded: WireOutcome.ATTEMPT_OUTCOME_SUCCEEDED,
  failed: WireOutcome.ATTEMPT_OUTCOME_FAILED,
  "timed-out": WireOutcome.ATTEMPT_OUTCOME_TIMED_OUT,
  lost: WireOutcome.ATTEMPT_OUTCOME_LOST,
  fenced: WireOutcome.ATTEMPT_OUTCOME_FENCED,
  cancelled: WireOutcome.ATTEMPT_OUTCOME_CANCELLED,
  "handed-back": WireOutcome.ATTEMPT_OUTCOME_HANDED_BACK,
};

export const TRIED_TO_WIRE: Readonly<Record<Tried, WireTried>> = {
  started: WireTried.TRIED_STARTED,
  succeeded: WireTried.TRIED_SUCCEEDED,
  failed: WireTried.TRIED_FAILED,
  "timed-out": WireTried.TRIED_TIMED_OUT,
  lost: WireTried.TRIED_LOST,
  fenced: WireTried.TRIED_FENCED,
  cancelled: WireTried.TRIED_CANCELLED,
  "handed-back": WireTried.TRIED_HANDED_BACK,
  progress: WireTried.TRIED_PROGRESS,
  log: WireTried.TRIED_LOG,
  heartbeat: WireTried.TRIED_HEARTBEAT,
};

/** The default goes unsaid. */
export const CHILD_FAILURE_TO_WIRE: Readonly<Record<ChildFailurePolicy, WirePolicy>> = {
  "fail-parent": WirePolicy.CHILD_FAILURE_POLICY_UNSPECIFIED,
  "run-parent": WirePolicy.CHILD_FAILURE_POLICY_RUN_PARENT,
};

export type Writable<T> = { -readonly [Name in keyof T]: T[Name] };

/** Each name at its number; what is not there is of a newer version, or no number at all. */
export function namesOf<T extends string>(numbers: Readonly<Record<T, number>>): readonly T[] {
  const names: T[] = [];
  for (const name of Object.keys(numbers) as T[]) names[numbers[name]] = name;
  return names;
}
