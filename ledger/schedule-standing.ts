// How schedules stand: what of one is under way, and what became of all of them together.
//
// Guarantees: asking changes nothing. What is counted is that of the schedules that there are: one
// that is deleted takes its counts with it. All together cost a look at each schedule, of which
// there are few.

import type { JobState } from "./job.ts";
import type { Schedule } from "./schedule.ts";
import type { Ledger } from "./state.ts";

export interface ScheduleStanding {
  /** Its jobs that have not ended. */
  readonly openCount: number;
  /** Of the job of its last slot that got one; null: it is forgotten, or there was none. */
  readonly lastJobState: JobState | null;
}

export interface ScheduleCounts {
  readonly schedules: number;
  readonly schedulesPaused: number;
  readonly slotsFired: number;
  readonly slotsSkipped: number;
  readonly slotsMissed: number;
  readonly slotsRefused: number;
  readonly slotsPending: number;
  readonly schedulesTriggered: number;
}

export function scheduleStanding(
  { openSlots, jobs }: Ledger,
  { id, firedJobId }: Readonly<Schedule>,
): ScheduleStanding {
  return { openCount: openSlots.get(id) ?? 0, lastJobState: jobs.get(firedJobId)?.state ?? null };
}

export function scheduleCounts({ schedules }: Ledger): ScheduleCounts {
  const counts = {
    schedules: schedules.size,
    ...{ schedulesPaused: 0, slotsFired: 0, slotsSkipped: 0, slotsMissed: 0 },
    ...{ slotsRefused: 0, slotsPending: 0, schedulesTriggered: 0 },
  };
  for (const schedule of schedules.values()) {
    if (schedule.isPaused) counts.schedulesPaused += 1;
    counts.slotsFired += schedule.firedCount;
    counts.slotsSkipped += schedule.skippedCount;
    counts.slotsMissed += schedule.missedCount;
    counts.slotsRefused += schedule.refusedCount;
    counts.slotsPending += schedule.pending.length;
    counts.schedulesTriggered += schedule.triggeredCount;
  }
  return counts;
}
