// What jobs do with lock keys: hold them, wait for them in line, be woken when they come free.
//
//   start ──▶ held ──end──▶ free ──▶ put by for the first in line (claim) ──start──▶ held
//     └─ key held: park, in line          └─ claim over (10 s), cancelled, parked again ──▶ free
//
// Guarantees: no two live attempts hold one key, and none takes it while the handler of a cancelled
// one may still run. A parked job always waits for a key that is held, put by, or wanted by one
// that came earlier: each time a key comes free or a place in its line does, the first in line is
// looked at, so none is stranded. A job that has to park again keeps its place. A claim keeps the
// rest of the line back, so that one release wakes one job and not all; it does not bind jobs that
// start, and it ends by itself, so that a job whose queue has no workers cannot keep a key from
// others. A job of a paused queue claims nothing: it goes to its queue's line and lets others pass.
// Does not own: the lines (line.ts), locks outside jobs (lock-command.ts), Redis' copy of the
// locks (transport/redis).

import { countClaim, goOn, isPaused, leave } from "./admission.ts";
import { assert } from "./assert.ts";
import { indexDue } from "./due.ts";
import { JobState } from "./job.ts";
import {
  claimKeys,
  dropClaims,
  enterLines,
  firstInLines,
  freeKeys,
  isTakenFrom,
  leaveLines,
  takeKeys,
  takenKeyOf,
} from "./line.ts";
import { type Contender, isLock } from "./lock.ts";
import { grant } from "./lock-life.ts";
import { plusMs } from "./milliseconds.ts";
import { queueOf } from "./queue.ts";
import type { JobRecord } from "./record.ts";
import { indexEnded } from "./retention.ts";
import type { Ledger, Turn } from "./state.ts";
import { record } from "./tell.ts";
import { wakeAfter } from "./wake.ts";

/** About what an idle worker needs to start an unparked job, with much to spare. */
export const CLAIM_MS = 10_000;

/** The job waits for this key, which another has or wants first. */
export function park(turn: Turn, job: JobRecord, key: string): void {
  if (job.parkedFor === key) return;
  const wasClaiming = dropClaim(turn.ledger, job);
  waitFor(turn, job, key);
  if (!wasClaiming) return;
  wakeLine(turn, job.lockKeys);
  wakeAfter(turn, job);
}

/** The job starts: it leaves the line and holds all its keys. */
export function hold(ledger: Ledger, job: JobRecord): void {
  dropClaim(ledger, job);
  takeKeys(ledger, job);
}

/** The job's attempt has ended: its keys are free. */
export function release(turn: Turn, job: JobRecord): void {
  freeKeys(turn.ledger, job);
  wakeLine(turn, job.lockKeys);
}

/** The handler of a job that was cancelled has stopped, or its lease is over. */
export function letGo(turn: Turn, job: JobRecord): void {
  if (job.keysUntilMs === 0) return;
  job.keysUntilMs = 0;
  indexDue(turn.ledger, job);
  indexEnded(turn.ledger, job);
  release(turn, job);
}

/** The job was cancelled while it waited: it needs neither place nor claim. */
export function giveUp(turn: Turn, job: JobRecord): void {
  const wasInLine = leaveLines(turn.ledger, job);
  job.place = 0;
  const wasClaiming = dropClaim(turn.ledger, job);
  const wasHeldBack = leave(turn.ledger, job);
  if (wasClaiming || wasInLine) wakeLine(turn, job.lockKeys);
  if (wasClaiming || wasHeldBack) wakeAfter(turn, job);
}

/** The job was unparked long ago and has not started: the next in line may try. */
export function expireClaim(turn: Turn, job: JobRecord): void {
  dropClaim(turn.ledger, job);
  indexDue(turn.ledger, job);
  wakeLine(turn, job.lockKeys);
  wakeAfter(turn, job);
}

/**
 * Something about these keys has changed: whoever is first in line for one and finds all its keys
 * free goes on. A lock is granted, a job unparked. One look at each first is enough: who goes takes
 * its keys from all behind it. But for jobs of a paused queue, which take nothing.
 */
export function wakeLine(turn: Turn, keys: Iterable<string>): void {
  let left: Iterable<string> = keys;
  for (let isLooking = true; isLooking; ) {
    const passed: string[] = [];
    for (const one of firstInLines(turn.ledger, left)) {
      if (isTakenFrom(turn.ledger, one.parkedFor, one)) continue;
      const key = takenKeyOf(turn.ledger, one);
      if (key !== "") waitOn(turn, one, key);
      else if (isLock(one) || !isPausedFor(turn, one)) go(turn, one);
      else passed.push(...stepAside(turn, one));
    }
    isLooking = passed.length > 0;
    left = passed;
  }
}

function waitOn(turn: Turn, one: Contender, key: string): void {
  if (isLock(one)) one.parkedFor = key;
  else waitFor(turn, one, key);
}

/** Those beyond what a command may move are unparked: when their claims end, others step aside. */
function isPausedFor({ ledger, wakesLeft }: Turn, job: JobRecord): boolean {
  return wakesLeft > 0 && isPaused(ledger, queueOf(ledger, job));
}

/**
 * To the line of its queue, which is paused: it may be for long, and a claim for each of its jobs
 * would keep the keys from all others. It keeps its place. Returns the keys that are still free.
 */
function stepAside(turn: Turn, job: JobRecord): readonly string[] {
  turn.wakesLeft -= 1;
  leaveLines(turn.ledger, job);
  goOn(turn, job, "arrival");
  return job.lockKeys;
}

function go(turn: Turn, one: Contender): void {
  if (isLock(one)) grant(turn, one);
  else unpark(turn, one);
}

function unpark(turn: Turn, job: JobRecord): void {
  const { ledger } = turn;
  assert(job.state === JobState.Queued, `${job.id} waits for a lock while queued`);
  leaveLines(ledger, job);
  claimKeys(ledger, job);
  // Never 0, which says that there is none.
  job.claimExpiryMs = plusMs(ledger.clockMs, CLAIM_MS);
  goOn(turn, job, "lock");
}

/** Without a claim: in the lines of all its keys, until this one is free. */
export function waitFor(turn: Turn, job: JobRecord, key: string): void {
  const { ledger } = turn;
  enterLines(ledger, job, key);
  ledger.queued.delete(job);
  indexDue(ledger, job);
  record(turn, job, "parked");
}

/** Whether there was a claim. Its keys are free then, unless a live attempt holds them. */
export function dropClaim(ledger: Ledger, job: JobRecord): boolean {
  if (job.claimExpiryMs === 0) return false;
  countClaim(ledger, job, -1);
  job.claimExpiryMs = 0;
  dropClaims(ledger, job);
  return true;
}
