// How many jobs of each schedule have not ended.
//
// Guarantees: follows every change of a job's state; a schedule without such a job is not in the
// map. Counts by the schedule's name, so that one that was deleted and created again does not run
// beside the jobs of the first. Follows from the jobs alone.

import type { JobRecord } from "./record.ts";
import type { Ledger, Turn } from "./state.ts";

/** The job has come to be, or has ended and runs again. */
export function opened({ openSlots }: Ledger, { scheduleId }: JobRecord): void {
  if (scheduleId !== "") openSlots.set(scheduleId, (openSlots.get(scheduleId) ?? 0) + 1);
}

export function ended({ ledger, freedSchedules }: Turn, { scheduleId }: JobRecord): void {
  if (scheduleId === "") return;
  const open = (ledger.openSlots.get(scheduleId) ?? 0) - 1;
  if (open > 0) {
    ledger.openSlots.set(scheduleId, open);
  } else {
    ledger.openSlots.delete(scheduleId);
    freedSchedules.add(scheduleId);
  }
}
