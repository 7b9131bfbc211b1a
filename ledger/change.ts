// The only code that changes a job's state.
//
// Guarantees: every change is in job.ts's table (asserted); counters, indexes, changeIndex and the
// changes to publish follow it. Set the fields that a state is about (run time, lease, result)
// before entering it.
// Does not own: whether a change is due (submit.ts, attempt.ts, cancel.ts, tick.ts, park.ts).

import { assert } from "./assert.ts";
import { indexDue } from "./due.ts";
import { isLegalChange, isTerminal, JobState } from "./job.ts";
import type { JobRecord } from "./record.ts";
import type { Change } from "./result.ts";
import type { Turn } from "./state.ts";

/** A new job, in its first state. */
export function accept(turn: Turn, job: JobRecord): void {
  const { ledger } = turn;
  assert(job.number === ledger.jobs.length, "jobs are numbered in order");
  assert(!ledger.jobsById.has(job.id), "an id names one job");
  ledger.jobs.push(job);
  ledger.jobsById.set(job.id, job);
  if (job.idempotencyKey !== "") ledger.jobsByKey.set(job.idempotencyKey, job);
  ledger.counters.accepted += 1;
  arrive(turn, job);
}

export function enter(turn: Turn, job: JobRecord, state: JobState): void {
  assert(isLegalChange(job.state, state), `I17: ${job.id} goes from ${job.state} to ${state}`);
  const { ledger } = turn;
  ledger.counters.byState[job.state] -= 1;
  ledger.queued.delete(job);
  ledger.running.delete(job);
  job.state = state;
  arrive(turn, job);
}

/** Tells of a change, of the state or of what a queued job waits for. */
export function record(turn: Turn, job: JobRecord, event: Change["event"]): void {
  job.changeIndex = turn.index;
  turn.changes.push({ index: turn.index, job, event });
}

function arrive(turn: Turn, job: JobRecord): void {
  const { ledger } = turn;
  ledger.counters.byState[job.state] += 1;
  if (job.state === JobState.Queued) {
    job.dispatch += 1;
    ledger.queued.add(job);
  }
  if (job.state === JobState.Running) ledger.running.add(job);
  if (isTerminal(job.state)) job.endMs = ledger.clockMs;
  indexDue(ledger, job);
  record(turn, job, job.state);
}
