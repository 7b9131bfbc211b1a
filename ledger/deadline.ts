// The deadline of a job: when its run ends at the latest, whatever it waits for or does.
//
// Guarantees: a job whose deadline has passed at a tick has FAILED for good, once; a running
// attempt is over with it, and its locks are free when its handler has stopped or its lease is
// over, as after a cancellation. What is reported before that tick counts.
// Does not own: when ticks come (tick.ts), nor telling the worker, who counts the time itself.

import { endAttempt } from "./attempt-end.ts";
import { enter } from "./change.ts";
import { isTerminal, JobState } from "./job.ts";
import { DEADLINE_PASSED } from "./own-error.ts";
import { giveUp } from "./park.ts";
import type { JobRecord } from "./record.ts";
import type { Ledger, Turn } from "./state.ts";

export function isPastDeadline({ clockMs }: Ledger, job: JobRecord): boolean {
  return job.deadlineMs > 0 && job.deadlineMs <= clockMs && !isTerminal(job.state);
}

export function passDeadline(turn: Turn, job: JobRecord): void {
  if (job.state === JobState.Running) {
    endAttempt(turn, job, { outcome: "timed-out", error: DEADLINE_PASSED });
    return;
  }
  job.error = DEADLINE_PASSED;
  turn.ledger.counters.recorded += 1;
  enter(turn, job, JobState.Failed);
  giveUp(turn, job);
}
