// The records of a snapshot, read from the messages of protos/ledger/v1/snapshot.proto.
//
// Guarantees: total: bytes that are no record give a fault. A field that this version does not know
// is passed over, a kind of record, a state or an outcome is not: what it stands for would be lost.
// Every text, list and number is of the sort that the ledger expects; whether they make sense is
// the ledger's to say (ledger/restore.ts).

import type { Kind } from "../ledger/command.ts";
import type { Counts } from "../ledger/counts.ts";
import type { ConcurrencyKey } from "../ledger/job.ts";
import type { ForgottenKey } from "../ledger/key-book.ts";
import { NO_LIMITS } from "../ledger/queue.ts";
import type {
  SnapshotHead,
  SnapshotKind,
  SnapshotQueueLimits,
  SnapshotRecord,
} from "../ledger/snapshot.ts";
import type { ProtoFault, ProtoReader } from "./proto-reader.ts";
import { COUNTS, namesOf, RECORD, type Writable } from "./snapshot-fields.ts";
import { readLock } from "./snapshot-lock.ts";
import { NO_BACKOFF, readBackoff, readConcurrencyKey, readJob } from "./snapshot-read-job.ts";
import { readSchedule } from "./snapshot-schedule.ts";

export type ReadFault = ProtoFault | "unknown-record";

export interface Trailer {
  readonly kind: "trailer";
  /** How many came before. */
  readonly records: number;
}

const COUNT_NAMES = namesOf<keyof Counts>(COUNTS);
const NO_COUNTS = Object.fromEntries(Object.keys(COUNTS).map((name) => [name, 0]));

/** One record: all that the reader has. */
export function readRecord(from: ProtoReader): SnapshotRecord | Trailer | ReadFault {
  const field = from.next();
  const outer = from.enter();
  const record = recordOf(from, field);
  from.leave(outer);
  // One record is one field: what stands behind it is of a version that writes more.
  const isAlone = from.next() === 0;
  return from.fault ?? (isAlone ? record : "unknown-record");
}

function recordOf(from: ProtoReader, field: number): SnapshotRecord | Trailer | ReadFault {
  switch (field) {
    case 0:
      return "malformed";
    case RECORD.head:
      return readHead(from);
    case RECORD.kind:
      return readKind(from) ?? "malformed";
    case RECORD.schedule: {
      const schedule = readSchedule(from);
      return schedule === null ? "malformed" : { kind: "schedule", schedule };
    }
    case RECORD.job:
      return { kind: "job", job: readJob(from) };
    case RECORD.queue:
      return { kind: "queue", numbers: readQueue(from) };
    case RECORD["queue-limits"]:
      return readQueueLimits(from);
    case RECORD.lock:
      return { kind: "lock", lock: readLock(from) };
    case RECORD["forgotten-key"]:
      return { kind: "forgotten-key", forgotten: readForgottenKey(from) };
    case RECORD.trailer:
      return { kind: "trailer", records: readTrailer(from) };
    default:
      return "unknown-record";
  }
}

function readHead(from: ProtoReader): SnapshotHead {
  const keysDue: string[] = [];
  const head: Writable<SnapshotHead> = {
    kind: "head",
    appliedIndex: 0,
    clockMs: 0,
    termOpenedMs: 0,
    lastPlace: 0,
    receiptsMax: 0,
    kindCount: 0,
    queueCount: 0,
    lastArrival: 0,
    isPaused: false,
    runningMax: 0,
    keysDue,
    scheduleCount: 0,
    lockCount: 0,
    forgottenKeyCount: 0,
    counts: newCounts(),
  };
  for (let field = from.next(); field !== 0; field = from.next()) {
    if (field === 1) head.appliedIndex = from.uint();
    else if (field === 2) head.clockMs = from.uint();
    else if (field === 3) head.termOpenedMs = from.uint();
    else if (field === 4) head.lastPlace = from.uint();
    else if (field === 5) head.receiptsMax = from.uint();
    else if (field === 6) head.kindCount = from.uint();
    else if (field === 7) head.counts = readCounts(from);
    else if (field === 15) head.lastArrival = from.uint();
    else if (field === 16) head.queueCount = from.uint();
    else if (field === 17) head.isPaused = from.bool();
    else if (field === 18) head.runningMax = from.uint();
    else if (field === 19) keysDue.push(from.text());
    else if (field === 20) head.scheduleCount = from.uint();
    else if (field === 25) head.lockCount = from.uint();
    else if (field === 30) head.forgottenKeyCount = from.uint();
    else from.skip();
  }
  return head;
}

function readCounts(from: ProtoReader): Counts {
  const counts: Writable<Counts> = newCounts();
  const outer = from.enter();
  for (let field = from.next(); field !== 0; field = from.next()) {
    const name = COUNT_NAMES[field];
    if (name === undefined) from.skip();
    else counts[name] = from.uint();
  }
  from.leave(outer);
  return counts;
}

function readQueueLimits(from: ProtoReader): SnapshotQueueLimits {
  const recentStarts: number[] = [];
  let [name, isPaused] = ["", false];
  const limits: Writable<SnapshotQueueLimits["limits"]> = { ...NO_LIMITS };
  for (let field = from.next(); field !== 0; field = from.next()) {
    if (field === 1) name = from.text();
    else if (field === 2) isPaused = from.bool();
    else if (field === 3) limits.runningMax = from.uint();
    else if (field === 4) limits.rateCount = from.uint();
    else if (field === 5) limits.ratePeriodMs = from.uint();
    else if (field === 6) limits.waitingMax = from.uint();
    else if (field === 7) from.uintsInto(recentStarts);
    else from.skip();
  }
  return { kind: "queue-limits", name, isPaused, limits, recentStarts };
}

/** null: without defaults it is none. */
function readKind(from: ProtoReader): SnapshotKind | null {
  const queues: string[] = [];
  let latest: Kind | null = null;
  for (let field = from.next(); field !== 0; field = from.next()) {
    if (field === 1) latest = readDefaults(from);
    else if (field === 2) queues.push(from.text());
    else from.skip();
  }
  return latest === null ? null : { kind: "kind", latest, queues };
}

function readDefaults(from: ProtoReader): Kind {
  const lockTemplates: string[] = [];
  const concurrencyTemplates: ConcurrencyKey[] = [];
  const kind: Writable<Kind> = {
    kind: "",
    queue: "",
    maxAttempts: 0,
    backoff: NO_BACKOFF,
    attemptTimeoutMs: 0,
    totalTimeoutMs: 0,
    lockTemplates,
    concurrencyTemplates,
  };
  const outer = from.enter();
  for (let field = from.next(); field !== 0; field = from.next()) {
    if (field === 1) kind.kind = from.text();
    else if (field === 2) kind.queue = from.text();
    else if (field === 3) kind.maxAttempts = from.uint();
    else if (field === 4) kind.backoff = readBackoff(from);
    else if (field === 5) kind.attemptTimeoutMs = from.uint();
    else if (field === 6) lockTemplates.push(from.text());
    else if (field === 20) concurrencyTemplates.push(readConcurrencyKey(from));
    else if (field === 12) kind.totalTimeoutMs = from.uint();
    else from.skip();
  }
  from.leave(outer);
  return kind;
}

function readQueue(from: ProtoReader): number[] {
  const numbers: number[] = [];
  for (let field = from.next(); field !== 0; field = from.next()) {
    if (field === 1) from.uintsInto(numbers);
    else from.skip();
  }
  return numbers;
}

function readForgottenKey(from: ProtoReader): ForgottenKey {
  const members: number[] = [];
  const forgotten: Writable<ForgottenKey> = {
    key: "",
    logIndex: 0,
    position: 0,
    askedQueue: "",
    queue: "",
    fingerprint: "",
    traceparent: "",
    untilMs: 0,
    members,
  };
  for (let field = from.next(); field !== 0; field = from.next()) {
    if (field === 1) forgotten.key = from.text();
    else if (field === 2) forgotten.logIndex = from.uint();
    else if (field === 3) forgotten.position = from.uint();
    else if (field === 4) forgotten.askedQueue = from.text();
    else if (field === 5) forgotten.queue = from.text();
    else if (field === 6) forgotten.fingerprint = from.text();
    else if (field === 7) forgotten.traceparent = from.text();
    else if (field === 8) forgotten.untilMs = from.uint();
    else if (field === 9) from.uintsInto(members);
    else from.skip();
  }
  return forgotten;
}

function readTrailer(from: ProtoReader): number {
  let records = 0;
  for (let field = from.next(); field !== 0; field = from.next()) {
    if (field === 1) records = from.uint();
    else from.skip();
  }
  return records;
}

function newCounts(): Writable<Counts> {
  return { ...NO_COUNTS } as Writable<Counts>;
}
