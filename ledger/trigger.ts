// A job of a schedule by hand: now, beside its slots.
//
// Guarantees: a key gives one job, as it does for a submission; asked again it is answered with the
// first one, whatever the schedule's jobs do. It decides no slot and counts as none. Until it has
// ended it is open as the job of a slot is, so that the overlap policy holds for the slots that
// follow; and it is refused itself while another one is open, unless the policy or the caller lets
// it run beside. A schedule that is paused or over can be triggered.
// Does not own: what a job is refused for (submit.ts).

import type { CommandBody } from "./command.ts";
import { JobState } from "./job.ts";
import { jobIdOf } from "./job-id.ts";
import type { Result } from "./result.ts";
import type { Ledger, Turn } from "./state.ts";
import { submitByHand } from "./submit.ts";

type TriggerSchedule = Extract<CommandBody, { kind: "trigger-schedule" }>;

export function triggerSchedule(turn: Turn, trigger: TriggerSchedule): Result {
  const { ledger } = turn;
  const { scheduleId, idempotencyKey, traceparent, mayOverlap } = trigger;
  const schedule = ledger.schedules.get(scheduleId);
  if (schedule === undefined) return { kind: "schedule-not-found", scheduleId };
  const isFree = mayOverlap || schedule.rule.overlap === "allow";
  const mayBeNew = isFree || !ledger.openSlots.has(scheduleId);
  const spec = { ...schedule.job, idempotencyKey, traceparent };
  const result = submitByHand(turn, spec, scheduleId, mayBeNew);
  if (result === null) {
    return { kind: "schedule-refused", reason: "busy", value: openJobId(ledger, scheduleId) };
  }
  if (result.kind === "submitted" && result.jobs[0]?.deduplicated === false) {
    schedule.triggeredCount += 1;
  }
  return result;
}

/** The newest of those that run, else of those that wait; "": none is open. */
function openJobId({ jobs, index, counters }: Ledger, scheduleId: string): string {
  for (const state of [JobState.Running, JobState.Queued, JobState.Scheduled]) {
    const sought = { state, kind: "", queue: "", scheduleId };
    for (const number of index.newest(sought, counters.accepted)) {
      const job = jobs.numbered(number);
      if (job !== undefined) return jobIdOf(job);
    }
  }
  return "";
}
