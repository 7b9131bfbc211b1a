// Creating, pausing and deleting schedules, at the caller's wish.
//
// Guarantees: creating the same schedule twice is creating it once; another one under the same id
// is refused and changes nothing. What a submission of the job would be refused for, its schedule
// is refused for. Deleting and pausing twice is doing it once; jobs that were made stay.
// Does not own: what becomes of slots (slots.ts).

import type { CommandBody, JobSpec } from "./command.ts";
import { wholeMs } from "./milliseconds.ts";
import type { Result } from "./result.ts";
import { isSameValue } from "./same-value.ts";
import { SCHEDULES_MAX, type Schedule, type ScheduleRule } from "./schedule.ts";
import { scheduleStanding } from "./schedule-standing.ts";
import { firePending, indexSchedule } from "./slots.ts";
import type { Ledger, Turn } from "./state.ts";
import { refusalOfSlot } from "./submit.ts";

type CreateSchedule = Extract<CommandBody, { kind: "create-schedule" }>;

export function createSchedule(turn: Turn, create: CreateSchedule): Result {
  const { ledger, index } = turn;
  const { scheduleId: id } = create;
  const rule = normalRule(create.rule);
  const job = templateOf(create.job);
  const known = ledger.schedules.get(id);
  // "" is no schedule's id: jobs without one have it.
  if (id === "") return { kind: "schedule-refused", reason: "id-taken", value: id };
  if (known !== undefined) {
    const isRepeat = isSameValue(known.rule, rule) && isSameValue(known.job, job);
    if (isRepeat) return stands(ledger, known, false);
    return { kind: "schedule-refused", reason: "id-taken", value: id };
  }
  const refused = refusalOfSlot(turn, job);
  if (refused !== null) return refused;
  if (ledger.schedules.size >= SCHEDULES_MAX) {
    return { kind: "schedule-refused", reason: "too-many", value: String(SCHEDULES_MAX) };
  }
  const schedule: Schedule = {
    id,
    rule,
    job,
    createdMs: ledger.clockMs,
    number: index,
    traceparent: create.job.traceparent,
    isPaused: false,
    // A slot at the start itself counts; one at the moment of the creation does not.
    decidedMs: Math.max(ledger.clockMs, rule.startMs - 1),
    nextSlotMs: 0,
    isOver: false,
    pending: [],
    pendingTraces: [],
    firedSlotMs: 0,
    firedJobId: "",
    firedCount: 0,
    skippedCount: 0,
    missedCount: 0,
    refusedCount: 0,
    triggeredCount: 0,
    gapCount: 0,
  };
  ledger.schedules.set(id, schedule);
  indexSchedule(ledger, schedule);
  return stands(ledger, schedule, true);
}

export function setSchedulePaused(
  turn: Turn,
  { scheduleId, isPaused }: Extract<CommandBody, { kind: "set-schedule-paused" }>,
): Result {
  const { ledger } = turn;
  const schedule = ledger.schedules.get(scheduleId);
  if (schedule === undefined) return { kind: "schedule-not-found", scheduleId };
  if (schedule.isPaused !== isPaused) {
    schedule.isPaused = isPaused;
    // The slots of the pause are nobody's: it goes on with the next one from now.
    schedule.decidedMs = Math.max(schedule.decidedMs, ledger.clockMs);
    schedule.nextSlotMs = 0;
    indexSchedule(ledger, schedule);
    firePending(turn, schedule);
  }
  return stands(ledger, schedule, false);
}

export function deleteSchedule({ ledger }: Turn, scheduleId: string): Result {
  const schedule = ledger.schedules.get(scheduleId);
  if (schedule !== undefined) {
    ledger.schedules.delete(scheduleId);
    ledger.schedulesDue.remove(schedule);
  }
  return { kind: "schedule-deleted", hasExisted: schedule !== undefined };
}

function stands(ledger: Ledger, schedule: Schedule, isNew: boolean): Result {
  return { kind: "schedule", schedule, standing: scheduleStanding(ledger, schedule), isNew };
}

function normalRule(rule: ScheduleRule): ScheduleRule {
  const { cron, timeZone, overlap, missed } = rule;
  return {
    cron,
    timeZone,
    intervalMs: wholeMs(rule.intervalMs),
    startMs: wholeMs(rule.startMs),
    endMs: wholeMs(rule.endMs),
    overlap,
    missed,
    missedAfterMs: wholeMs(rule.missedAfterMs),
  };
}

/**
 * What the slot gives is not the template's: neither a key, since the slot is one, nor a time. The
 * trace of whoever created the schedule is not that of its jobs, which would never end: theirs
 * point to it.
 */
function templateOf(job: JobSpec): JobSpec {
  const payload = new Uint8Array(job.payload);
  return { ...job, payload, idempotencyKey: "", runAtMs: 0, traceparent: "", parent: 0 };
}
