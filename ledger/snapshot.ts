// A ledger as plain records, to be written down and brought back (restore.ts).
//
// Guarantees: the records hold all that the ledger's future depends on, and equal ledgers give
// equal records in one order: the head, the kinds by name, the jobs by number, and the order of the
// queue. What follows exactly from them is left out: numbers, live tokens, attempts used, the
// owners of ids and keys, who holds, claims or waits for a lock, what is due. No record shares what
// the ledger changes later. They are made one at a time, so that a caller can spread the work; the
// ledger must not move meanwhile, which is asserted: records of two moments are no state at all.
// Does not own: bytes (transport/snapshot-codec.ts), nor when a snapshot is taken.

import { assert } from "./assert.ts";
import type { Kind } from "./command.ts";
import { type Counts, countsOf } from "./counts.ts";
import { type KeptJob, keptOf } from "./kept-job.ts";
import type { Ledger, RegisteredKind } from "./state.ts";

export type SnapshotRecord = SnapshotHead | SnapshotKind | SnapshotJob | SnapshotQueue;

export interface SnapshotHead {
  readonly kind: "head";
  readonly appliedIndex: number;
  readonly clockMs: number;
  readonly termOpenedMs: number;
  readonly lastPlace: number;
  readonly receiptsMax: number;
  /** How many kinds follow. */
  readonly kindCount: number;
  /** `accepted` jobs follow; but for `deduplicated` a count of them gives the same. */
  readonly counts: Counts;
}

export interface SnapshotKind {
  readonly kind: "kind";
  readonly latest: Kind;
  /** By code units. */
  readonly queues: readonly string[];
}

export interface SnapshotJob {
  readonly kind: "job";
  readonly job: KeptJob;
}

/** The next jobs of the queue, by number, in the order they became queued. */
export interface SnapshotQueue {
  readonly kind: "queue";
  readonly numbers: readonly number[];
}

/** Places of the queue in one record: keeps the work between two records short. */
export const QUEUE_RECORD_LENGTH_MAX = 1_024;

export function* snapshotRecords(ledger: Ledger): Generator<SnapshotRecord, void, undefined> {
  const { appliedIndex } = ledger;
  for (const record of recordsOf(ledger)) {
    yield record;
    assert(ledger.appliedIndex === appliedIndex, "nothing is applied while a snapshot is taken");
  }
}

function* recordsOf(ledger: Ledger): Generator<SnapshotRecord, void, undefined> {
  yield headOf(ledger);
  // By UTF-16 code units, as sort() does: a locale's order is not the same everywhere.
  for (const name of [...ledger.kinds.keys()].sort()) {
    const registered = ledger.kinds.get(name);
    if (registered !== undefined) yield kindOf(registered);
  }
  for (const job of ledger.jobs) yield { kind: "job", job: keptOf(job) };
  let numbers: number[] = [];
  for (const job of ledger.queued) {
    numbers.push(job.number);
    if (numbers.length === QUEUE_RECORD_LENGTH_MAX) {
      yield { kind: "queue", numbers };
      numbers = [];
    }
  }
  if (numbers.length > 0) yield { kind: "queue", numbers };
}

function headOf(ledger: Ledger): SnapshotHead {
  return {
    kind: "head",
    appliedIndex: ledger.appliedIndex,
    clockMs: ledger.clockMs,
    termOpenedMs: ledger.termOpenedMs,
    lastPlace: ledger.lastPlace,
    receiptsMax: ledger.receiptsMax,
    kindCount: ledger.kinds.size,
    counts: countsOf(ledger.counters),
  };
}

function kindOf({ latest, queues }: RegisteredKind): SnapshotKind {
  return { kind: "kind", latest, queues: [...queues].sort() };
}
