// The records of a snapshot, written as the messages of protos/ledger/v1/snapshot.proto.
//
// By hand (proto-writer.ts): a node has several hundred thousand jobs to write while it serves.
// Guarantees: equal records give equal bytes. The numbers are the proto's.
// Does not own: the file around the records (snapshot-codec.ts).

import { JITTER_DEFAULT } from "../ledger/backoff.ts";
import type { Kind } from "../ledger/command.ts";
import type { Counts } from "../ledger/counts.ts";
import type {
  Backoff,
  ConcurrencyKey,
  EndedRun,
  JobError,
  LogLine,
  Receipt,
} from "../ledger/job.ts";
import type { Asked, KeptAttempt, KeptJob } from "../ledger/kept-job.ts";
import type { ForgottenKey } from "../ledger/key-book.ts";
import type {
  SnapshotHead,
  SnapshotKind,
  SnapshotQueueLimits,
  SnapshotRecord,
} from "../ledger/snapshot.ts";
import type { ProtoWriter } from "./proto-writer.ts";
import {
  CHILD_FAILURE_TO_WIRE,
  COUNTS,
  OUTCOME_TO_WIRE,
  RECORD,
  STATE_TO_WIRE,
  TRIED_TO_WIRE,
} from "./snapshot-fields.ts";
import { writeLock } from "./snapshot-lock.ts";
import { writeSchedule } from "./snapshot-schedule.ts";

export function writeRecord(writer: ProtoWriter, record: SnapshotRecord): void {
  const start = writer.openRecord();
  switch (record.kind) {
    case "head":
      writeHead(writer, record);
      break;
    case "kind":
      writeKind(writer, record);
      break;
    case "queue-limits":
      writeQueueLimits(writer, record);
      break;
    case "schedule":
      writeSchedule(writer, record.schedule);
      break;
    case "job":
      writeJob(writer, record.job);
      break;
    case "queue":
      writer.uints(1, record.numbers);
      break;
    case "forgotten-key":
      writeForgottenKey(writer, record.forgotten);
      break;
    case "lock":
      writeLock(writer, record.lock);
      break;
  }
  writer.closeRecord(start, RECORD[record.kind]);
}

/** `records`: how many were written before. */
export function writeTrailer(writer: ProtoWriter, records: number): void {
  const start = writer.openRecord();
  writer.uint(1, records);
  writer.closeRecord(start, RECORD.trailer);
}

function writeHead(writer: ProtoWriter, head: SnapshotHead): void {
  writer.uint(1, head.appliedIndex);
  writer.uint(2, head.clockMs);
  writer.uint(3, head.termOpenedMs);
  writer.uint(4, head.lastPlace);
  writer.uint(5, head.receiptsMax);
  writer.uint(6, head.kindCount);
  const start = writer.open(7);
  for (const [name, field] of Object.entries(COUNTS)) {
    writer.uint(field, head.counts[name as keyof Counts]);
  }
  writer.close(start);
  writer.uint(15, head.lastArrival);
  writer.uint(16, head.queueCount);
  writer.bool(17, head.isPaused);
  writer.uint(18, head.runningMax);
  writer.texts(19, head.keysDue);
  writer.uint(20, head.scheduleCount);
  writer.uint(25, head.lockCount);
  writer.uint(30, head.forgottenKeyCount);
}

function writeQueueLimits(writer: ProtoWriter, queue: SnapshotQueueLimits): void {
  writer.text(1, queue.name);
  writer.bool(2, queue.isPaused);
  writer.uint(3, queue.limits.runningMax);
  writer.uint(4, queue.limits.rateCount);
  writer.uint(5, queue.limits.ratePeriodMs);
  writer.uint(6, queue.limits.waitingMax);
  writer.uints(7, queue.recentStarts);
}

function writeKind(writer: ProtoWriter, { latest, queues }: SnapshotKind): void {
  const start = writer.open(1);
  writeDefaults(writer, latest);
  writer.close(start);
  writer.texts(2, queues);
}

function writeForgottenKey(writer: ProtoWriter, forgotten: ForgottenKey): void {
  writer.text(1, forgotten.key);
  writer.uint(2, forgotten.logIndex);
  writer.uint(3, forgotten.position);
  writer.text(4, forgotten.askedQueue);
  writer.text(5, forgotten.queue);
  writer.text(6, forgotten.fingerprint);
  writer.text(7, forgotten.traceparent);
  writer.uint(8, forgotten.untilMs);
  writer.uints(9, forgotten.members);
}

/** The log's own message, ledger.v1.Kind. */
function writeDefaults(writer: ProtoWriter, kind: Kind): void {
  writer.text(1, kind.kind);
  writer.text(2, kind.queue);
  writer.uint(3, kind.maxAttempts);
  writeBackoff(writer, 4, kind.backoff);
  writer.uint(5, kind.attemptTimeoutMs);
  writer.texts(6, kind.lockTemplates);
  writer.uint(12, kind.totalTimeoutMs);
  writeConcurrencyKeys(writer, 20, kind.concurrencyTemplates);
}

function writeJob(writer: ProtoWriter, job: KeptJob): void {
  writer.text(1, job.id);
  writer.uint(2, job.logIndex);
  writer.text(3, job.kind);
  writer.text(4, job.queue);
  if (job.payload.length > 0) writer.bytes(5, job.payload);
  writer.uint(6, STATE_TO_WIRE[job.state]);
  writer.uint(7, job.createdMs);
  writer.uint(8, job.runAtMs);
  writer.uint(9, job.endMs);
  writer.uint(10, job.changeIndex);
  writer.uint(11, job.dispatch);
  writer.uint(12, job.maxAttempts);
  writeBackoff(writer, 13, job.backoff);
  for (const attempt of job.attempts) writeAttempt(writer, 14, attempt);
  writer.bytes(15, job.result);
  writeError(writer, 16, job.error);
  writer.sint(17, job.priority);
  writer.uint(18, job.attemptTimeoutMs);
  writer.texts(19, job.lockKeys);
  writer.text(20, job.idempotencyKey);
  writer.text(21, job.traceparent);
  writeAsked(writer, 22, job.asked);
  for (const receipt of job.receipts) writeReceipt(writer, 23, receipt);
  writer.uint(24, job.refusedCount);
  writer.text(25, job.refusedStartId);
  writer.text(26, job.parkedFor);
  writer.uint(27, job.place);
  writer.uint(28, job.claimExpiryMs);
  writer.uint(29, job.keysUntilMs);
  writer.uint(50, job.arrival);
  writer.text(51, job.waitsAt);
  writeConcurrencyKeys(writer, 52, job.concurrencyKeys);
  writer.uint(40, job.totalTimeoutMs);
  writer.uint(41, job.runStartMs);
  for (const run of job.earlierRuns) writeRun(writer, 42, run);
  writer.bytes(43, job.progress);
  writer.uint(44, job.progressMs);
  for (const line of job.logLines) writeLogLine(writer, 45, line);
  writer.uint(46, job.logLineCount);
  writer.text(60, job.scheduleId);
  writer.uint(61, job.slotMs);
  writer.uint(70, job.parentPosition);
  writer.uints(71, job.childPositions);
  writer.uint(72, CHILD_FAILURE_TO_WIRE[job.onChildFailure]);
  writer.uint(80, job.number);
}

function writeAttempt(writer: ProtoWriter, field: number, attempt: KeptAttempt): void {
  const start = writer.open(field);
  writer.text(1, attempt.worker);
  writer.uint(2, attempt.token);
  writer.text(3, attempt.startId);
  writer.uint(4, attempt.startMs);
  writer.uint(5, attempt.leaseMs);
  writer.uint(6, attempt.leaseExpiryMs);
  writer.uint(7, attempt.endMs);
  writer.uint(8, OUTCOME_TO_WIRE[attempt.outcome]);
  writeError(writer, 9, attempt.error);
  if (attempt.answer !== null) {
    const answer = writer.open(10);
    writer.uint(1, STATE_TO_WIRE[attempt.answer.state]);
    writer.uint(2, attempt.answer.nextAttemptMs);
    writer.close(answer);
  }
  writer.uint(12, attempt.run);
  writer.uint(13, attempt.reports);
  writer.close(start);
}

function writeAsked(writer: ProtoWriter, field: number, asked: Asked): void {
  const start = writer.open(field);
  writer.text(1, asked.queue);
  writer.uint(2, asked.runAtMs);
  writer.uint(3, asked.maxAttempts);
  writeBackoff(writer, 4, asked.backoff);
  writer.uint(5, asked.attemptTimeoutMs);
  writer.texts(6, asked.lockKeys);
  writer.uint(12, asked.totalTimeoutMs);
  writeConcurrencyKeys(writer, 20, asked.concurrencyKeys);
  writer.close(start);
}

function writeRun(writer: ProtoWriter, field: number, run: EndedRun): void {
  const start = writer.open(field);
  writer.uint(1, STATE_TO_WIRE[run.state]);
  writeError(writer, 2, run.error);
  writer.uint(3, run.endMs);
  writer.text(4, run.retryId);
  writer.close(start);
}

function writeLogLine(writer: ProtoWriter, field: number, line: LogLine): void {
  const start = writer.open(field);
  writer.uint(1, line.attempt);
  writer.uint(2, line.timeMs);
  writer.text(3, line.text);
  writer.close(start);
}

function writeConcurrencyKeys(
  writer: ProtoWriter,
  field: number,
  keys: readonly ConcurrencyKey[],
): void {
  for (const { key, limit } of keys) {
    const start = writer.open(field);
    writer.text(1, key);
    writer.uint(2, limit);
    writer.close(start);
  }
}

function writeReceipt(writer: ProtoWriter, field: number, receipt: Receipt): void {
  const start = writer.open(field);
  writer.uint(1, receipt.token);
  writer.uint(2, receipt.currentToken);
  writer.text(3, receipt.worker);
  writer.uint(4, TRIED_TO_WIRE[receipt.tried]);
  writer.uint(5, receipt.refusedMs);
  writer.close(start);
}

function writeBackoff(writer: ProtoWriter, field: number, backoff: Backoff | null): void {
  if (backoff === null) return;
  const start = writer.open(field);
  writer.uint(1, backoff.initialMs);
  writer.double(2, backoff.multiplier);
  writer.uint(3, backoff.maxMs);
  // The usual one is what a field that is not there says.
  if (backoff.jitter !== JITTER_DEFAULT) writer.optionalDouble(4, backoff.jitter);
  writer.close(start);
}

function writeError(writer: ProtoWriter, field: number, error: JobError | null): void {
  if (error === null) return;
  const start = writer.open(field);
  writer.text(1, error.code);
  writer.text(2, error.message);
  writer.bool(3, error.retryable);
  writer.close(start);
}
