// A ledger as plain records, to be written down and brought back (restore.ts).
//
// Guarantees: the records hold all that the ledger's future depends on, and equal ledgers give
// equal records in one order: the head, the kinds and the queues by name, the schedules in the
// order of their creation, the jobs by number, the order of what is before workers, locks outside
// jobs (by number, then those that are over as they ended), the keys of forgotten jobs. What
// follows exactly from them is left out: live tokens, attempts used, the owners of ids and keys,
// who holds, claims or waits for a lock or a limit, what is due, what may be forgotten. No record
// shares what the ledger changes later. They are made one at a time, so that a caller can spread
// the work; the ledger must not move meanwhile, which is asserted: records of two moments are no
// state at all.
// Does not own: bytes (transport/snapshot-codec.ts), nor when a snapshot is taken.

import { assert } from "./assert.ts";
import type { Kind } from "./command.ts";
import { countsOf } from "./counts.ts";
import { type KeptJob, keptOf } from "./kept-job.ts";
import { type KeptLock, keptLockOf } from "./kept-lock.ts";
import { type KeptSchedule, keptScheduleOf } from "./kept-schedule.ts";
import type { ForgottenKey } from "./key-book.ts";
import type { QueueLimits, QueueRecord } from "./queue.ts";
import type { SnapshotHead } from "./snapshot-head.ts";
import type { Ledger, RegisteredKind } from "./state.ts";

export type { SnapshotHead } from "./snapshot-head.ts";

export type SnapshotRecord =
  | SnapshotHead
  | SnapshotKind
  | SnapshotQueueLimits
  | SnapshotSchedule
  | SnapshotJob
  | SnapshotQueue
  | SnapshotLock
  | SnapshotForgottenKey;

export interface SnapshotKind {
  readonly kind: "kind";
  readonly latest: Kind;
  /** By code units. */
  readonly queues: readonly string[];
}

export interface SnapshotQueueLimits {
  readonly kind: "queue-limits";
  readonly name: string;
  readonly isPaused: boolean;
  readonly limits: QueueLimits;
  readonly recentStarts: readonly number[];
}

export interface SnapshotSchedule {
  readonly kind: "schedule";
  readonly schedule: KeptSchedule;
}

export interface SnapshotJob {
  readonly kind: "job";
  readonly job: KeptJob;
}

/** The next jobs that are before workers, by number, in the order they came there. */
export interface SnapshotQueue {
  readonly kind: "queue";
  readonly numbers: readonly number[];
}

export interface SnapshotLock {
  readonly kind: "lock";
  readonly lock: KeptLock;
}

/** What was counted and is told by nothing that is kept. */
export const COUNTED_ONLY = ["deduplicated", "locksGranted", "locksExpired"] as const;

/** The next one in the order in which their jobs were forgotten. */
export interface SnapshotForgottenKey {
  readonly kind: "forgotten-key";
  readonly forgotten: ForgottenKey;
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
  for (const name of [...ledger.queues.keys()].sort()) {
    const queue = ledger.queues.get(name);
    if (queue !== undefined) yield limitsOf(queue);
  }
  for (const schedule of ledger.schedules.values()) {
    yield { kind: "schedule", schedule: keptScheduleOf(schedule) };
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
  for (const lock of ledger.locks.values()) {
    if (lock.state !== "over") yield { kind: "lock", lock: keptLockOf(lock) };
  }
  for (const lock of ledger.endedLocks) yield { kind: "lock", lock: keptLockOf(lock) };
  for (const forgotten of ledger.keys.forgotten()) yield { kind: "forgotten-key", forgotten };
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
    queueCount: ledger.queues.size,
    lastArrival: ledger.lastArrival,
    isPaused: ledger.allQueues.isPaused,
    runningMax: ledger.allQueues.runningMax,
    keysDue: [...ledger.keysDue].sort(),
    scheduleCount: ledger.schedules.size,
    lockCount: ledger.locks.size,
    forgottenKeyCount: ledger.keys.forgottenCount,
    counts: countsOf(ledger.counters),
  };
}

function limitsOf({ name, isPaused, limits, recentStarts }: QueueRecord): SnapshotQueueLimits {
  return { kind: "queue-limits", name, isPaused, limits, recentStarts: [...recentStarts] };
}

function kindOf({ latest, queues }: RegisteredKind): SnapshotKind {
  return { kind: "kind", latest, queues: [...queues].sort() };
}
