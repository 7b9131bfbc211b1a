// The records of a snapshot, read from the messages of protos/ledger/v1/snapshot.proto.
//
// Guarantees: total: bytes that are no record give a fault. A field that this version does not know
// is passed over, a kind of record, a state or an outcome is not: what it stands for would be lost.
// Every text, list and number is of the sort that the ledger expects; whether they make sense is
// the ledger's to say (ledger/restore.ts).

import type { Kind } from "../ledger/command.ts";
import type { Counts } from "../ledger/counts.ts";
import type { SnapshotHead, SnapshotKind, SnapshotRecord } from "../ledger/snapshot.ts";
import type { ProtoFault, ProtoReader } from "./proto-reader.ts";
import { COUNTS, namesOf, RECORD, type Writable } from "./snapshot-fields.ts";
import { NO_BACKOFF, readBackoff, readJob } from "./snapshot-read-job.ts";

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
    case RECORD.job:
      return { kind: "job", job: readJob(from) };
    case RECORD.queue:
      return { kind: "queue", numbers: readQueue(from) };
    case RECORD.trailer:
      return { kind: "trailer", records: readTrailer(from) };
    default:
      return "unknown-record";
  }
}

function readHead(from: ProtoReader): SnapshotHead {
  const head: Writable<SnapshotHead> = {
    kind: "head",
    appliedIndex: 0,
    clockMs: 0,
    termOpenedMs: 0,
    lastPlace: 0,
    receiptsMax: 0,
    kindCount: 0,
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
  const kind: Writable<Kind> = {
    kind: "",
    queue: "",
    maxAttempts: 0,
    backoff: NO_BACKOFF,
    attemptTimeoutMs: 0,
    lockTemplates,
  };
  const outer = from.enter();
  for (let field = from.next(); field !== 0; field = from.next()) {
    if (field === 1) kind.kind = from.text();
    else if (field === 2) kind.queue = from.text();
    else if (field === 3) kind.maxAttempts = from.uint();
    else if (field === 4) kind.backoff = readBackoff(from);
    else if (field === 5) kind.attemptTimeoutMs = from.uint();
    else if (field === 6) lockTemplates.push(from.text());
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
