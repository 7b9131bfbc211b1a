// The only code that changes a job's state.
//
// Guarantees: every change is in job.ts's table (asserted); counters, indexes, changeIndex and the
// changes to publish follow it, and a job that becomes queued is put before workers or held back
// (admission.ts). Set the fields that a state is about (run time, lease, result)
// before entering it.
// Does not own: whether a change is due (submit.ts, attempt.ts, cancel.ts, tick.ts, park.ts).

import { goOn, isGated } from "./admission.ts";
import { assert } from "./assert.ts";
import { indexDue } from "./due.ts";
import { isLegalChange, isTerminal, JobState } from "./job.ts";
import { countUnder } from "./key-gate.ts";
import { ended, opened } from "./open-slots.ts";
import { countIn, countOut, type QueueRecord, queueOf } from "./queue.ts";
import { noteStart } from "./queue-rate.ts";
import type { JobRecord } from "./record.ts";
import { indexEnded } from "./retention.ts";
import type { Ledger, Turn } from "./state.ts";
import { record } from "./tell.ts";

/** A new job, in its first state. */
export function accept(turn: Turn, job: JobRecord): void {
  const { ledger } = turn;
  assert(job.number === ledger.counters.accepted, "jobs are numbered in order");
  ledger.jobs.push(job);
  ledger.index.add(job);
  ledger.keys.add(job);
  ledger.counters.accepted += 1;
  opened(ledger, job);
  arrive(turn, job, queueOf(ledger, job));
}

export function enter(turn: Turn, job: JobRecord, state: JobState): void {
  assert(isLegalChange(job.state, state), `I17: ${job.id} goes from ${job.state} to ${state}`);
  const { ledger } = turn;
  const queue = queueOf(ledger, job);
  ledger.counters.byState[job.state] -= 1;
  countOut(queue, job);
  if (job.state === JobState.Queued) ledger.queued.delete(job);
  if (job.state === JobState.Running) {
    ledger.running.delete(job);
    if (job.concurrencyKeys.length > 0) countUnder(ledger, job, "running", -1);
  }
  if (isTerminal(job.state) && !isTerminal(state)) opened(ledger, job);
  else if (isTerminal(state) && !isTerminal(job.state)) ended(turn, job);
  const from = job.state;
  job.state = state;
  ledger.index.moved(job, from);
  arrive(turn, job, queue);
}

function arrive(turn: Turn, job: JobRecord, queue: QueueRecord): void {
  const { ledger } = turn;
  ledger.counters.byState[job.state] += 1;
  job.arrival = isWaiting(job.state) ? nextArrival(ledger) : 0;
  countIn(queue, job);
  if (job.state === JobState.Running) {
    ledger.running.add(job);
    if (job.concurrencyKeys.length > 0) countUnder(ledger, job, "running", 1);
    noteStart(queue, ledger.clockMs);
  }
  if (isTerminal(job.state)) {
    job.endMs = ledger.clockMs;
    turn.ended.push(job);
  }
  indexDue(ledger, job);
  indexEnded(ledger, job);
  record(turn, job, job.state);
  if (job.state !== JobState.Queued) return;
  job.dispatch += 1;
  if (isGated(ledger, queue, job)) goOn(turn, job, "arrival");
  else ledger.queued.add(job);
}

function isWaiting(state: JobState): boolean {
  return state === JobState.Queued || state === JobState.Scheduled;
}

function nextArrival(ledger: Ledger): number {
  ledger.lastArrival += 1;
  return ledger.lastArrival;
}
