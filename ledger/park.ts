// Lock keys: who holds them, and who waits for them in line.
//
//   start ──▶ held ──end──▶ free ──▶ put by for the first in line (claim) ──start──▶ held
//     └─ key held: park, in line          └─ claim over (10 s), cancelled, parked again ──▶ free
//
// Guarantees: no two live attempts hold one key, and none takes it while the handler of a cancelled
// one may still run. A parked job always waits for a key that is held or put by for another queued
// job: each time a key comes free the line is looked at, so none is stranded. The line is first
// come, first served; a job that has to park again keeps its place. A claim keeps the rest of the
// line back, so that one release wakes one job and not all; it does not bind those who start, and
// it ends by itself, so that a job whose queue has no workers cannot keep a key from others.
// Does not own: Redis' copy of the locks (transport/redis).

import { assert } from "./assert.ts";
import { record } from "./change.ts";
import { indexDue } from "./due.ts";
import { JobState } from "./job.ts";
import { plusMs } from "./milliseconds.ts";
import { OrderedIndex } from "./ordered-index.ts";
import type { JobRecord } from "./record.ts";
import type { Ledger, Turn } from "./state.ts";

/** About what an idle worker needs to start an unparked job, with much to spare. */
export const CLAIM_MS = 10_000;

/** The first of the job's keys that a live attempt holds, or "". */
export function heldKeyOf(ledger: Ledger, job: JobRecord): string {
  return job.lockKeys.find((key) => ledger.holders.has(key)) ?? "";
}

/** The job waits for this key, which a live attempt holds. */
export function park(turn: Turn, job: JobRecord, key: string): void {
  const { ledger } = turn;
  if (job.parkedFor === key) return;
  if (job.place === 0) {
    ledger.lastPlace += 1;
    job.place = ledger.lastPlace;
  }
  const wasClaiming = dropClaim(ledger, job);
  standInLine(turn, job, key);
  if (wasClaiming) wakeLine(turn, job.lockKeys);
}

/** The job starts: it leaves the line and holds all its keys. */
export function hold(ledger: Ledger, job: JobRecord): void {
  leaveLine(ledger, job);
  dropClaim(ledger, job);
  job.place = 0;
  for (const key of job.lockKeys) {
    assert(!ledger.holders.has(key), `${key} has one holder`);
    ledger.holders.set(key, job);
  }
}

/** The job's attempt has ended: its keys are free. */
export function release(turn: Turn, job: JobRecord): void {
  for (const key of job.lockKeys) {
    assert(turn.ledger.holders.get(key) === job, `${key} is released by its holder`);
    turn.ledger.holders.delete(key);
  }
  wakeLine(turn, job.lockKeys);
}

/** The handler of a job that was cancelled has stopped, or its lease is over. */
export function letGo(turn: Turn, job: JobRecord): void {
  if (job.keysUntilMs === 0) return;
  job.keysUntilMs = 0;
  indexDue(turn.ledger, job);
  release(turn, job);
}

/** The job was cancelled while it waited: it needs neither place nor claim. */
export function giveUp(turn: Turn, job: JobRecord): void {
  leaveLine(turn.ledger, job);
  job.place = 0;
  if (dropClaim(turn.ledger, job)) wakeLine(turn, job.lockKeys);
}

/** The job was unparked long ago and has not started: the next in line may try. */
export function expireClaim(turn: Turn, job: JobRecord): void {
  dropClaim(turn.ledger, job);
  indexDue(turn.ledger, job);
  wakeLine(turn, job.lockKeys);
}

/** Unparks, in line order, whoever finds all keys free; each claims its keys before the next. */
function wakeLine(turn: Turn, keys: readonly string[]): void {
  for (;;) {
    const job = firstInLine(turn.ledger, keys);
    if (job === null) return;
    const key = job.lockKeys.find((one) => !isFree(turn.ledger, one));
    if (key === undefined) unpark(turn, job);
    else standInLine(turn, job, key);
  }
}

function firstInLine(ledger: Ledger, keys: readonly string[]): JobRecord | null {
  let first: JobRecord | null = null;
  for (const key of keys) {
    if (!isFree(ledger, key)) continue;
    const job = ledger.lines.get(key)?.first()?.job;
    if (job !== undefined && (first === null || job.place < first.place)) first = job;
  }
  return first;
}

function isFree(ledger: Ledger, key: string): boolean {
  return !ledger.holders.has(key) && !ledger.claims.has(key);
}

function unpark(turn: Turn, job: JobRecord): void {
  const { ledger } = turn;
  assert(job.state === JobState.Queued, `${job.id} waits for a lock while queued`);
  leaveLine(ledger, job);
  for (const key of job.lockKeys) ledger.claims.set(key, job);
  // Never 0, which says that there is none.
  job.claimExpiryMs = plusMs(ledger.clockMs, CLAIM_MS);
  job.dispatch += 1;
  ledger.queued.add(job);
  indexDue(ledger, job);
  record(turn, job, "unparked");
}

function standInLine(turn: Turn, job: JobRecord, key: string): void {
  const { ledger } = turn;
  leaveLine(ledger, job);
  job.parkedFor = key;
  const line = ledger.lines.get(key) ?? new OrderedIndex();
  ledger.lines.set(key, line);
  line.set(job, job.place);
  ledger.queued.delete(job);
  indexDue(ledger, job);
  record(turn, job, "parked");
}

function leaveLine(ledger: Ledger, job: JobRecord): void {
  if (job.parkedFor === "") return;
  const line = ledger.lines.get(job.parkedFor);
  assert(line !== undefined, `${job.id} stands in the line that it says`);
  line.remove(job);
  if (line.size === 0) ledger.lines.delete(job.parkedFor);
  job.parkedFor = "";
}

/** Whether there was a claim. Its keys are free then, unless a live attempt holds them. */
function dropClaim(ledger: Ledger, job: JobRecord): boolean {
  if (job.claimExpiryMs === 0) return false;
  job.claimExpiryMs = 0;
  for (const key of job.lockKeys) {
    assert(ledger.claims.get(key) === job, `${key} is put by for one job`);
    ledger.claims.delete(key);
  }
  return true;
}
