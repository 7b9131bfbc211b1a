// The file of a snapshot by the book: its frames by the library, its records by the generated code.
//
// Guarantees: nothing of the hand-written codec is used, so that the two can be compared.

import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";
import type { Backoff, JobError } from "../../../ledger/job.ts";
import type { KeptAttempt, KeptJob } from "../../../ledger/kept-job.ts";
import type { KeptLock } from "../../../ledger/kept-lock.ts";
import type { SnapshotRecord } from "../../../ledger/snapshot.ts";
import type { Backoff as WireBackoff } from "../../../protos/gen/ledger/v1/command.ts";
import { LockEnd, LockState, type SnapshotLock } from "../../../protos/gen/ledger/v1/lock.ts";
import {
  AttemptOutcome,
  JobState,
  type SnapshotAttempt,
  type SnapshotJob,
  Tried,
  type SnapshotRecord as WireRecord,
} from "../../../protos/gen/ledger/v1/snapshot.ts";
import { toWireSpec } from "../../../transport/command-codec.ts";
import { ruleToLog } from "../../../transport/schedule-codec.ts";

export const HEADER = Buffer.from("QQLEDGR\u0002", "latin1");

const STATES = JobState as unknown as Readonly<Record<string, JobState>>;
const TRIED = Tried as unknown as Readonly<Record<string, Tried>>;
const OUTCOMES = AttemptOutcome as unknown as Readonly<Record<string, AttemptOutcome>>;
const LOCK_STATES = LockState as unknown as Readonly<Record<string, LockState>>;
const LOCK_ENDS = LockEnd as unknown as Readonly<Record<string, LockEnd>>;

/** The records of a file, the trailer with them, each without its length. */
export function framesOf(file: Uint8Array): Buffer[] {
  const reader = new BinaryReader(file.subarray(HEADER.length));
  const frames: Buffer[] = [];
  while (reader.pos < reader.len) frames.push(Buffer.from(reader.bytes()));
  return frames;
}

export function framed(frames: readonly Uint8Array[]): Buffer {
  const writer = new BinaryWriter();
  for (const frame of frames) writer.bytes(frame);
  return Buffer.concat([HEADER, writer.finish()]);
}

/** The record with a field behind the others of its message. */
export function withField(frame: Uint8Array, field: number): Buffer {
  const reader = new BinaryReader(frame);
  const [record] = reader.tag();
  const message = new BinaryWriter().raw(reader.bytes()).tag(field, 2).string("more").finish();
  return Buffer.from(new BinaryWriter().tag(record, 2).bytes(message).finish());
}

export function wireOf(record: SnapshotRecord): WireRecord {
  switch (record.kind) {
    case "head": {
      const { kind: _, ...head } = record;
      return { record: { $case: "head", value: { ...head, keysDue: [...head.keysDue] } } };
    }
    case "kind": {
      const { latest, queues } = record;
      const lockTemplates = [...latest.lockTemplates];
      const backoff = backoffOf(latest.backoff);
      const concurrencyTemplates = [...latest.concurrencyTemplates];
      const defaults = { ...latest, backoff, lockTemplates, concurrencyTemplates };
      const value = { latest: defaults, queues: [...queues] };
      return { record: { $case: "kind", value } };
    }
    case "queue-limits": {
      const { name, isPaused, limits, recentStarts } = record;
      const value = { name, isPaused, ...limits, recentStarts: [...recentStarts] };
      return { record: { $case: "queueLimits", value } };
    }
    case "schedule": {
      const { rule, job, pending, pendingTraces } = record.schedule;
      const value = {
        ...record.schedule,
        rule: ruleToLog(rule),
        job: toWireSpec(job),
        pending: [...pending],
        pendingTraces: [...pendingTraces],
      };
      return { record: { $case: "schedule", value } };
    }
    case "job":
      return { record: { $case: "job", value: jobOf(record.job) } };
    case "queue":
      return { record: { $case: "queue", value: { numbers: [...record.numbers] } } };
    case "lock":
      return { record: { $case: "lock", value: lockOf(record.lock) } };
    case "forgotten-key":
      return {
        record: {
          $case: "forgottenKey",
          value: { ...record.forgotten, members: [...record.forgotten.members] },
        },
      };
  }
}

function lockOf(lock: KeptLock): SnapshotLock {
  const state = LOCK_STATES[`LOCK_STATE_${lock.state.toUpperCase()}`];
  const end = LOCK_ENDS[`LOCK_END_${lock.end?.toUpperCase().replace("-", "_")}`];
  return {
    ...lock,
    lockKeys: [...lock.lockKeys],
    state: state ?? LockState.LOCK_STATE_UNSPECIFIED,
    end: end ?? LockEnd.LOCK_END_UNSPECIFIED,
  };
}

function jobOf(job: KeptJob): SnapshotJob {
  const { asked } = job;
  return {
    ...job,
    payload: Buffer.from(job.payload),
    result: job.result === null ? undefined : Buffer.from(job.result),
    error: errorOf(job.error),
    lockKeys: [...job.lockKeys],
    concurrencyKeys: [...job.concurrencyKeys],
    childPositions: [...job.childPositions],
    onChildFailure: job.onChildFailure === "run-parent" ? 2 : 0,
    state: stateOf(job.state),
    attempts: job.attempts.map(attemptOf),
    backoff: backoffOf(job.backoff),
    receipts: job.receipts.map((one) => ({ ...one, tried: triedOf(one.tried) })),
    asked: {
      ...asked,
      backoff: asked.backoff === null ? undefined : backoffOf(asked.backoff),
      lockKeys: [...asked.lockKeys],
      concurrencyKeys: [...asked.concurrencyKeys],
    },
    earlierRuns: job.earlierRuns.map((run) => ({ ...run, state: stateOf(run.state) })),
    progress: job.progress === null ? undefined : Buffer.from(job.progress),
    logLines: [...job.logLines],
  };
}

function attemptOf(attempt: KeptAttempt): SnapshotAttempt {
  const { answer } = attempt;
  const state = answer === null ? 0 : stateOf(answer.state);
  return {
    ...attempt,
    outcome: outcomeOf(attempt.outcome),
    error: errorOf(attempt.error),
    answer: answer === null ? undefined : { state, nextAttemptMs: answer.nextAttemptMs },
  };
}

/** The usual jitter is not written. */
function backoffOf({ jitter, ...backoff }: Backoff): WireBackoff {
  return { ...backoff, jitter: jitter === 0.5 ? undefined : jitter };
}

function triedOf(tried: string): Tried {
  return TRIED[`TRIED_${tried.toUpperCase().replace("-", "_")}`] ?? Tried.TRIED_UNSPECIFIED;
}

function errorOf(error: JobError | null): JobError | undefined {
  return error ?? undefined;
}

function stateOf(state: string): JobState {
  return STATES[`JOB_STATE_${state.toUpperCase()}`] ?? JobState.JOB_STATE_UNSPECIFIED;
}

function outcomeOf(outcome: string): AttemptOutcome {
  const name = `ATTEMPT_OUTCOME_${outcome.toUpperCase().replace("-", "_")}`;
  return OUTCOMES[name] ?? AttemptOutcome.ATTEMPT_OUTCOME_UNSPECIFIED;
}
