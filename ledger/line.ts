// Lock keys: who holds each, whom it is put by for, and who waits for it.
//
// Who waits stands in the lines of all its keys at once, everywhere at one place: places are given
// in the order of coming, so one is before another in one line if it is in every line of both.
// Guarantees: one holder a key. In a line, nobody takes a key before those who came earlier: not
// even a free one that the earlier one cannot use yet, or whoever needs several keys might starve.
// No deadlock: a holder waits for nothing, and who waits, waits for a holder or an earlier place.
// Does not own: when a key is taken or given up (park.ts, lock-command.ts).

import { assert } from "./assert.ts";
import type { Contender } from "./lock.ts";
import { OrderedIndex } from "./ordered-index.ts";
import type { JobRecord } from "./record.ts";
import type { Ledger } from "./state.ts";

/** The first of its keys that another holds or waits for longer; "": there is none. */
export function heldKeyOf(ledger: Ledger, one: Contender): string {
  return one.lockKeys.find((key) => isHeldFrom(ledger, key, one)) ?? "";
}

/** As heldKeyOf, but a key that is put by for another job is not free either. */
export function takenKeyOf(ledger: Ledger, one: Contender): string {
  return one.lockKeys.find((key) => isTakenFrom(ledger, key, one)) ?? "";
}

export function isTakenFrom(ledger: Ledger, key: string, one: Contender): boolean {
  const claimant = ledger.claims.get(key);
  return (claimant !== undefined && claimant !== one) || isHeldFrom(ledger, key, one);
}

function isHeldFrom({ holders, lines }: Ledger, key: string, one: Contender): boolean {
  if (holders.has(key)) return true;
  const first = lines.get(key)?.first() ?? null;
  // Place 0 is nobody's: who has none comes after all who have.
  return first !== null && first.item !== one && (one.place === 0 || first.rank < one.place);
}

/** It leaves the lines and has all its keys. */
export function takeKeys(ledger: Ledger, one: Contender): void {
  leaveLines(ledger, one);
  one.place = 0;
  for (const key of one.lockKeys) {
    assert(!ledger.holders.has(key), `${key} has one holder`);
    ledger.holders.set(key, one);
  }
}

export function freeKeys(ledger: Ledger, one: Contender): void {
  for (const key of one.lockKeys) {
    assert(ledger.holders.get(key) === one, `${key} is released by its holder`);
    ledger.holders.delete(key);
  }
}

/** It waits, at the place that it had before, or behind all others. */
export function enterLines(ledger: Ledger, one: Contender, key: string): void {
  if (one.place === 0) {
    ledger.lastPlace += 1;
    one.place = ledger.lastPlace;
  }
  one.parkedFor = key;
  standInLines(ledger, one);
}

/** At its place. */
export function standInLines(ledger: Ledger, one: Contender): void {
  for (const key of one.lockKeys) {
    const line = ledger.lines.get(key) ?? new OrderedIndex<Contender>();
    ledger.lines.set(key, line);
    line.set(one, one.place);
  }
}

/** Whether it stood there. It keeps its place. */
export function leaveLines(ledger: Ledger, one: Contender): boolean {
  if (one.parkedFor === "") return false;
  one.parkedFor = "";
  for (const key of one.lockKeys) {
    const line = ledger.lines.get(key);
    assert(line !== undefined, `${one.id} stands in the line for ${key}`);
    line.remove(one);
    if (line.size === 0) ledger.lines.delete(key);
  }
  return true;
}

export function claimKeys(ledger: Ledger, job: JobRecord): void {
  for (const key of job.lockKeys) ledger.claims.set(key, job);
}

export function dropClaims(ledger: Ledger, job: JobRecord): void {
  for (const key of job.lockKeys) {
    assert(ledger.claims.get(key) === job, `${key} is put by for one job`);
    ledger.claims.delete(key);
  }
}

/** The first of each of these lines, by place. */
export function firstInLines(ledger: Ledger, keys: Iterable<string>): readonly Contender[] {
  const firsts = new Set<Contender>();
  for (const key of keys) {
    const first = ledger.lines.get(key)?.first();
    if (first) firsts.add(first.item);
  }
  return [...firsts].sort((one, other) => one.place - other.place);
}
