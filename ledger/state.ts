// The ledger's state, and the turn: one command being applied to it.
//
// Guarantees: a Ledger is a function of the commands applied, nothing else. The indexes beside
// `jobs` (queued, running, due, holders, claims, lines) can be derived from it, but for the queue's
// order within one entry; they exist so that no rule has to look through all jobs. What is added
// here or to a job has to be in snapshots, too (snapshot.ts, kept-job.ts).
// Owns no rule.

import type { Kind } from "./command.ts";
import { type Counters, newCounters } from "./counts.ts";
import { OrderedIndex } from "./ordered-index.ts";
import type { JobRecord } from "./record.ts";
import type { Change } from "./result.ts";

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
  /** In the order of acceptance: a job's number is its position. */
  readonly jobs: JobRecord[];
  readonly jobsById: Map<string, JobRecord>;
  readonly jobsByKey: Map<string, JobRecord>;
  readonly kinds: Map<string, RegisteredKind>;
  /** QUEUED and not parked, in the order they became so. */
  readonly queued: Set<JobRecord>;
  readonly running: Set<JobRecord>;
  readonly due: OrderedIndex;
  /** Lock key -> the job whose live attempt holds it. */
  readonly holders: Map<string, JobRecord>;
  /** Lock key -> the unparked job that it is put by for. */
  readonly claims: Map<string, JobRecord>;
  /** Lock key -> the jobs parked for it. */
  readonly lines: Map<string, OrderedIndex>;
  lastPlace: number;
  readonly counters: Counters;
}

/** One command being applied: where its changes are gathered. */
export interface Turn {
  readonly ledger: Ledger;
  readonly index: number;
  readonly random: number;
  readonly changes: Change[];
}

const RECEIPTS_MAX_DEFAULT = 16;

export function createLedger(options: LedgerOptions = {}): Ledger {
  return {
    receiptsMax: options.receiptsMax ?? RECEIPTS_MAX_DEFAULT,
    appliedIndex: 0,
    clockMs: 0,
    termOpenedMs: 0,
    jobs: [],
    jobsById: new Map(),
    jobsByKey: new Map(),
    kinds: new Map(),
    queued: new Set(),
    running: new Set(),
    due: new OrderedIndex(),
    holders: new Map(),
    claims: new Map(),
    lines: new Map(),
    lastPlace: 0,
    counters: newCounters(),
  };
}
