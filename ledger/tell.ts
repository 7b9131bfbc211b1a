// Telling of a change: what is published, and where the job says that it changed.
//
// Guarantees: every change that a command makes to a job's state, or to what a queued job waits
// for, is told once, in the order in which it happened.
// Does not own: the changes themselves (change.ts, park.ts, admission.ts).

import type { JobRecord } from "./record.ts";
import type { Change } from "./result.ts";
import type { Turn } from "./state.ts";

export function record(turn: Turn, job: JobRecord, event: Change["event"]): void {
  job.changeIndex = turn.index;
  turn.changes.push({ index: turn.index, job, event });
}
