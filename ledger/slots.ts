// What becomes of a schedule's slots: each gets a job, waits, or is counted as skipped or missed.
//
//   slot ──▶ missed? ──policy──▶ counted
//     │         └──▶ made good ─┐
//     └────────────────────────▶├─ none open, or "allow" ──▶ job
//                               ├─ "skip"  ──▶ counted
//                               └─ "queue" ──▶ pending ──the job before has ended──▶ job
//
// Guarantees: exactly one of these happens to a slot, in one entry. A tick that was computed from
// another state of the schedule, or that names slots which are not later than those decided, or not
// due, does nothing. A slot that waits is taken up in the entry in which the last open job of its
// schedule ends.
// Does not own: which moments are slots (the leader's calendar).

import { PENDING_SLOTS_MAX, type Schedule, type ScheduleTick, TICK_SLOTS_MAX } from "./schedule.ts";
import type { Ledger, Turn } from "./state.ts";
import { submitSlot } from "./submit.ts";

export function tickSchedules(turn: Turn, ticks: readonly ScheduleTick[]): void {
  for (const tick of ticks) {
    const schedule = turn.ledger.schedules.get(tick.scheduleId);
    if (schedule === undefined || !isSound(turn.ledger, schedule, tick)) continue;
    const { clockMs } = turn.ledger;
    const { slots, nextSlotMs } = tick;
    for (const [at, slotMs] of slots.entries()) {
      const followingMs = slots[at + 1] ?? nextSlotMs;
      if (isDropped(schedule, slotMs, followingMs, clockMs)) schedule.missedCount += 1;
      else take(turn, schedule, slotMs, tick.traceparents[at] ?? "");
    }
    schedule.decidedMs = slots.at(-1) ?? schedule.decidedMs;
    schedule.nextSlotMs = nextSlotMs;
    schedule.isOver = nextSlotMs === 0;
    if (tick.hasGap) schedule.gapCount += 1;
    indexSchedule(turn.ledger, schedule);
  }
}

/** The tick was made from the schedule as it is, and its slots may be decided now. */
function isSound({ clockMs }: Ledger, schedule: Schedule, tick: ScheduleTick): boolean {
  const { number, decidedMs, isPaused, isOver, rule } = schedule;
  const { slots, nextSlotMs } = tick;
  if (isPaused || isOver || tick.number !== number || tick.decidedMs !== decidedMs) return false;
  if (slots.length > TICK_SLOTS_MAX) return false;
  const latestMs = rule.endMs === 0 ? clockMs : Math.min(clockMs, rule.endMs);
  let lastMs = decidedMs;
  for (const slotMs of slots) {
    if (!Number.isSafeInteger(slotMs) || slotMs <= lastMs || slotMs > latestMs) return false;
    lastMs = slotMs;
  }
  return nextSlotMs === 0 || (Number.isSafeInteger(nextSlotMs) && nextSlotMs > lastMs);
}

/** A missed slot that its policy does not make good. "once" makes the last one of a row good. */
function isDropped(
  { rule: { missed, missedAfterMs } }: Schedule,
  slotMs: number,
  followingMs: number,
  clockMs: number,
): boolean {
  const isMissed = (ms: number): boolean => clockMs - ms > missedAfterMs;
  if (missed === "all" || !isMissed(slotMs)) return false;
  return missed === "skip" || (followingMs !== 0 && isMissed(followingMs));
}

function take(turn: Turn, schedule: Schedule, slotMs: number, traceparent: string): void {
  const { id, rule, pending, pendingTraces } = schedule;
  const isFree = pending.length === 0 && !turn.ledger.openSlots.has(id);
  if (isFree || rule.overlap === "allow") {
    fire(turn, schedule, slotMs, traceparent);
  } else if (rule.overlap === "queue" && pending.length < PENDING_SLOTS_MAX) {
    pending.push(slotMs);
    pendingTraces.push(traceparent);
  } else {
    schedule.skippedCount += 1;
  }
}

function fire(turn: Turn, schedule: Schedule, slotMs: number, traceparent: string): void {
  const slot = { scheduleId: schedule.id, slotMs };
  const job = submitSlot(turn, { ...schedule.job, traceparent }, slot);
  if (job === null) {
    schedule.refusedCount += 1;
    return;
  }
  schedule.firedCount += 1;
  schedule.firedSlotMs = slotMs;
  schedule.firedJobId = job.id;
}

/** The next of the slots that wait, if no job of the schedule is open. */
export function firePending(turn: Turn, schedule: Schedule): void {
  while (!schedule.isPaused && !turn.ledger.openSlots.has(schedule.id)) {
    const slotMs = schedule.pending.shift();
    if (slotMs === undefined) return;
    fire(turn, schedule, slotMs, schedule.pendingTraces.shift() ?? "");
  }
}

/** At the end of a turn: jobs have ended, and slots may have waited for that. */
export function firePendingOfAll(turn: Turn): void {
  for (const scheduleId of turn.freedSchedules) {
    const schedule = turn.ledger.schedules.get(scheduleId);
    if (schedule !== undefined) firePending(turn, schedule);
  }
}

/** To be called whenever its next slot has changed, or whether it waits for one. */
export function indexSchedule({ schedulesDue }: Ledger, schedule: Schedule): void {
  if (schedule.isPaused || schedule.isOver) schedulesDue.remove(schedule);
  // Not computed yet is due at once: the leader has to.
  else schedulesDue.set(schedule, schedule.nextSlotMs);
}
