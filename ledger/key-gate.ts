// Concurrency keys: how many jobs run under each, and the line of those that wait for it.
//
// Guarantees: a key is remembered only while a job runs, claims or waits under it. Jobs may give it
// different limits: each holds for as long as its job runs, so the least of them counts. Lines go
// by priority, then by arrival.
// Does not own: who is let in (admission.ts) and when (wake.ts).

import type { ConcurrencyKey } from "./job.ts";
import { OrderedIndex } from "./ordered-index.ts";
import type { JobRecord } from "./record.ts";
import type { Ledger } from "./state.ts";

export interface KeyGate {
  readonly running: Tally;
  /** Jobs that have not started, for which a place is put by. */
  readonly claimed: Tally;
  readonly line: OrderedIndex<JobRecord>;
}

/** How many jobs, and how many of them with each limit: mostly there is one. */
export interface Tally {
  count: number;
  readonly byLimit: Map<number, number>;
}

/** Above every priority that a proposer lets through. */
const PRIORITY_RANKS = 1_000;
/** Arrivals that fit below one rank of priority, exactly. */
const ARRIVALS = 2 ** 42;

/** The lower, the earlier: by priority, then by arrival. */
export function rankOf({ priority, arrival }: JobRecord): number {
  const raised = priority >= 0 ? Math.min(PRIORITY_RANKS, Math.floor(priority)) : 0;
  return (PRIORITY_RANKS - raised) * ARRIVALS + arrival;
}

/** Whether somebody in the line comes before the job. */
export function isBehind(line: OrderedIndex<JobRecord>, job: JobRecord): boolean {
  const first = line.first();
  return first !== null && first.rank < rankOf(job);
}

export function isShortFor({ running, claimed }: KeyGate, { limit }: ConcurrencyKey): boolean {
  const least = Math.min(limit, leastOf(running), leastOf(claimed));
  return running.count + claimed.count >= least;
}

/** The first of the job's keys under which it cannot be let in now, or "". */
export function shortKeyOf(ledger: Ledger, job: JobRecord): string {
  for (const one of job.concurrencyKeys) {
    const gate = ledger.keyGates.get(one.key);
    if (gate === undefined) continue;
    if (isShortFor(gate, one) || isBehind(gate.line, job)) return one.key;
  }
  return "";
}

/** The first of the job's keys under which as many run as may, or "". */
export function fullKeyOf(ledger: Ledger, job: JobRecord): string {
  for (const { key, limit } of job.concurrencyKeys) {
    const running = ledger.keyGates.get(key)?.running;
    if (running !== undefined && running.count >= Math.min(limit, leastOf(running))) return key;
  }
  return "";
}

export function openGate(ledger: Ledger, key: string): KeyGate {
  const known = ledger.keyGates.get(key);
  if (known !== undefined) return known;
  const gate: KeyGate = { running: noTally(), claimed: noTally(), line: new OrderedIndex() };
  ledger.keyGates.set(key, gate);
  return gate;
}

export function countUnder(
  ledger: Ledger,
  job: JobRecord,
  what: "running" | "claimed",
  change: 1 | -1,
): void {
  for (const { key, limit } of job.concurrencyKeys) {
    const gate = openGate(ledger, key);
    const { byLimit } = gate[what];
    gate[what].count += change;
    const count = (byLimit.get(limit) ?? 0) + change;
    if (count === 0) byLimit.delete(limit);
    else byLimit.set(limit, count);
    forgetIdle(ledger, key, gate);
  }
}

function noTally(): Tally {
  return { count: 0, byLimit: new Map() };
}

function leastOf({ byLimit }: Tally): number {
  let least = Number.POSITIVE_INFINITY;
  for (const limit of byLimit.keys()) least = Math.min(least, limit);
  return least;
}

export function forgetIdle(ledger: Ledger, key: string, gate: KeyGate): void {
  if (gate.running.count === 0 && gate.claimed.count === 0 && gate.line.size === 0) {
    ledger.keyGates.delete(key);
    ledger.keysDue.delete(key);
  }
}
