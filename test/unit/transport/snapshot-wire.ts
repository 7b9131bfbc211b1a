// The file of a snapshot by the book: its frames by the library, its records by the generated code.
//
// Guarantees: nothing of the hand-written codec is used, so that the two can be compared.

import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";
import type { JobError } from "../../../ledger/job.ts";
import type { KeptAttempt, KeptJob } from "../../../ledger/kept-job.ts";
import type { SnapshotRecord } from "../../../ledger/snapshot.ts";
import {
  AttemptOutcome,
  JobState,
  type SnapshotAttempt,
  type SnapshotJob,
  type SnapshotRecord as WireRecord,
} from "../../../protos/gen/ledger/v1/snapshot.ts";

export const HEADER = Buffer.from("QQLEDGR\u0001", "latin1");

const STATES = JobState as unknown as Readonly<Record<string, JobState>>;
const OUTCOMES = AttemptOutcome as unknown as Readonly<Record<string, AttemptOutcome>>;

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
      return { record: { $case: "head", value: head } };
    }
    case "kind": {
      const { latest, queues } = record;
      const lockTemplates = [...latest.lockTemplates];
      const value = { latest: { ...latest, lockTemplates }, queues: [...queues] };
      return { record: { $case: "kind", value } };
    }
    case "job":
      return { record: { $case: "job", value: jobOf(record.job) } };
    case "queue":
      return { record: { $case: "queue", value: { numbers: [...record.numbers] } } };
  }
}

function jobOf(job: KeptJob): SnapshotJob {
  const { asked } = job;
  return {
    ...job,
    payload: Buffer.from(job.payload),
    result: job.result === null ? undefined : Buffer.from(job.result),
    error: errorOf(job.error),
    lockKeys: [...job.lockKeys],
    state: stateOf(job.state),
    attempts: job.attempts.map(attemptOf),
    receipts: job.receipts.map((one) => ({ ...one, tried: outcomeOf(one.tried) })),
    asked: { ...asked, backoff: asked.backoff ?? undefined, lockKeys: [...asked.lockKeys] },
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
