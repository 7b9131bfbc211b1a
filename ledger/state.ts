// The ledger's state, and the turn: one command being applied to it.
//
// Guarantees: a Ledger is a function of the commands applied, nothing else. The indexes beside
// `jobs` (queued, running, due, holders, claims, lines, openSlots, those of queues and keys) can be
// derived from it, but for the queue's order within one entry; they exist so that no rule has to
// look through all jobs. What is added here or to a job has to be in snapshots, too (snapshot.ts,
// kept-job.ts).
// Owns no rule.

import type { Kind } from "./command.ts";
import { type Counters, newCounters } from "./counts.ts";
import { JobIndex } from "./job-index.ts";
import { JobTable } from "./job-table.ts";
import { KeyBook } from "./key-book.ts";
import type { KeyGate } from "./key-gate.ts";
import type { Contender, LockRecord } from "./lock.ts";
import { OrderedIndex } from "./ordered-index.ts";
import type { AllQueues, QueueRecord } from "./queue.ts";
import type { JobRecord } from "./record.ts";
import type { Change, LockChange } from "./result.ts";
import type { Schedule } from "./schedule.ts";
import { TermsPool } from "./terms.ts";

export interface LedgerOptions {
  /** Receipts kept a job; all are counted. */
  readonly receiptsMax?: number;
}

export interface RegisteredKind {
  /** The latest registration: it gives the defaults. */
  latest: Kind;
  readonly queues: Set<string>;
}

export interface Ledger {
  readonly receiptsMax: number;
  /** The entry applied last; 0: none. */
  appliedIndex: number;
  /** The greatest time that a command has brought. */
  clockMs: number;
  /** The clock when the current leader opened its term. */
  termOpenedMs: number;
  /** In the order of acceptance. */
  readonly jobs: JobTable;
  readonly index: JobIndex;
  readonly keys: KeyBook;
  readonly kinds: Map<string, RegisteredKind>;
  /** QUEUED, not parked and not held back, in the order they became so. */
  readonly queued: Set<JobRecord>;
  readonly running: Set<JobRecord>;
  readonly due: OrderedIndex<JobRecord>;
  /** Those that may be forgotten, by their end. */
  readonly ended: OrderedIndex<JobRecord>;
  /** Lock key -> the job whose live attempt holds it, or the lock outside jobs. */
  readonly holders: Map<string, Contender>;
  /** Lock key -> the unparked job that it is put by for. */
  readonly claims: Map<string, JobRecord>;
  /** Lock key -> who waits and wants it. */
  readonly lines: Map<string, OrderedIndex<Contender>>;
  /** Locks outside jobs, in the order of asking; with those that are over, for a while. */
  readonly locks: Map<string, LockRecord>;
  readonly locksByRequest: Map<string, LockRecord>;
  readonly locksDue: OrderedIndex<LockRecord>;
  /** In the order they ended. */
  readonly endedLocks: Set<LockRecord>;
  lastPlace: number;
  /** By name. */
  readonly queues: Map<string, QueueRecord>;
  readonly allQueues: AllQueues;
  /** Those with jobs that they hold back. */
  readonly heldQueues: Set<QueueRecord>;
  /** Concurrency keys that jobs run, claim or wait under. */
  readonly keyGates: Map<string, KeyGate>;
  /** Those of them whose line was not looked at to the end. */
  readonly keysDue: Set<string>;
  /** Of a job that became QUEUED or SCHEDULED. */
  lastArrival: number;
  readonly counters: Counters;
  /** By id, in the order of creation. */
  readonly schedules: Map<string, Schedule>;
  /** By their next slot. Derived. */
  readonly schedulesDue: OrderedIndex<Schedule>;
  /** Schedule id -> how many of its jobs have not ended. Derived. */
  readonly openSlots: Map<string, number>;
  /** No state: what jobs share in memory. */
  readonly terms: TermsPool;
}

/** One command being applied: where its changes are gathered. */
export interface Turn {
  readonly ledger: Ledger;
  readonly index: number;
  readonly random: number;
  readonly changes: Change[];
  /** Jobs that may yet be let out of the lines of limits (wake.ts). */
  wakesLeft: number;
  /** Jobs that have ended: their families are told when the command is done (family.ts). */
  readonly ended: JobRecord[];
  readonly lockChanges: LockChange[];
  /** Jobs that were accepted before this turn. */
  readonly acceptedBefore: number;
  /** Schedules whose last open job has ended in this turn. */
  readonly freedSchedules: Set<string>;
}

const RECEIPTS_MAX_DEFAULT = 16;

export function createLedger(options: LedgerOptions = {}): Ledger {
  return {
    receiptsMax: options.receiptsMax ?? RECEIPTS_MAX_DEFAULT,
    appliedIndex: 0,
    clockMs: 0,
    termOpenedMs: 0,
    jobs: new JobTable(),
    index: new JobIndex(),
    keys: new KeyBook(),
    kinds: new Map(),
    queued: new Set(),
    running: new Set(),
    due: new OrderedIndex(),
    ended: new OrderedIndex(),
    holders: new Map(),
    claims: new Map(),
    lines: new Map(),
    lastPlace: 0,
    locks: new Map(),
    locksByRequest: new Map(),
    locksDue: new OrderedIndex(),
    endedLocks: new Set(),
    queues: new Map(),
    allQueues: { isPaused: false, runningMax: 0, claimed: 0 },
    heldQueues: new Set(),
    keyGates: new Map(),
    keysDue: new Set(),
    lastArrival: 0,
    counters: newCounters(),
    schedules: new Map(),
    schedulesDue: new OrderedIndex(),
    openSlots: new Map(),
    terms: new TermsPool(),
  };
}
