// A schedule as a snapshot keeps it, there and back; and whether one that comes from a snapshot can
// be one that commands have made.
//
// Guarantees: nothing is left out; what is shared is what nothing ever changes. What passes the
// check never gives a slot that was decided a second job, and waits for nothing that nobody brings.
// Does not own: what holds between a schedule and its jobs (restore.ts).

import { isWhole } from "./kept-job-check.ts";
import { PENDING_SLOTS_MAX, type Schedule } from "./schedule.ts";
import type { SnapshotHead } from "./snapshot-head.ts";
import type { Ledger } from "./state.ts";

export type KeptSchedule = Readonly<Omit<Schedule, "pending" | "pendingTraces">> & {
  readonly pending: readonly number[];
  /** Of an older snapshot: none. */
  readonly pendingTraces: readonly string[];
};

export function keptScheduleOf(schedule: Schedule): KeptSchedule {
  const { pending, pendingTraces } = schedule;
  return { ...schedule, pending: [...pending], pendingTraces: [...pendingTraces] };
}

export function scheduleOf(kept: KeptSchedule): Schedule {
  const pendingTraces = kept.pending.map((_, at) => kept.pendingTraces[at] ?? "");
  return { ...kept, pending: [...kept.pending], pendingTraces };
}

/** Whether it makes sense behind the kinds and schedules so far, the last of which has a number. */
export function isSoundSchedule(
  schedule: KeptSchedule,
  { kinds, schedules }: Ledger,
  head: SnapshotHead,
  lastNumber: number,
): boolean {
  const { id, job } = schedule;
  const queues = kinds.get(job.kind)?.queues;
  const isKnown = queues !== undefined && (job.queue === "" || queues.has(job.queue));
  const isTemplate =
    job.idempotencyKey === "" && job.runAtMs === 0 && job.traceparent === "" && job.parent === 0;
  return (
    id !== "" &&
    !schedules.has(id) &&
    schedule.number > lastNumber &&
    isKnown &&
    isTemplate &&
    hasTimes(schedule, head) &&
    hasPending(schedule)
  );
}

function hasTimes(schedule: KeptSchedule, { appliedIndex, clockMs }: SnapshotHead): boolean {
  const { rule, createdMs, number, decidedMs, nextSlotMs, isOver } = schedule;
  const { firedSlotMs, firedJobId, firedCount } = schedule;
  const counts = [firedCount, schedule.skippedCount, schedule.missedCount, schedule.refusedCount];
  const limits = [rule.intervalMs, rule.startMs, rule.endMs, rule.missedAfterMs];
  const moments = [createdMs, number, decidedMs, nextSlotMs, firedSlotMs, schedule.gapCount];
  return (
    [...counts, ...limits, ...moments, schedule.triggeredCount].every(isWhole) &&
    number <= appliedIndex &&
    createdMs <= Math.min(clockMs, decidedMs) &&
    decidedMs <= Math.max(clockMs, rule.startMs - 1) &&
    firedSlotMs <= decidedMs &&
    firedCount > 0 === firedSlotMs > 0 &&
    firedCount > 0 === (firedJobId !== "") &&
    (nextSlotMs === 0 || (nextSlotMs > decidedMs && !isOver))
  );
}

function hasPending(schedule: KeptSchedule): boolean {
  const { pending, pendingTraces, rule, firedSlotMs, decidedMs } = schedule;
  if (pendingTraces.length > pending.length) return false;
  if (pending.length === 0) return true;
  if (rule.overlap !== "queue" || pending.length > PENDING_SLOTS_MAX) return false;
  let lastMs = firedSlotMs;
  for (const slotMs of pending) {
    if (!isWhole(slotMs) || slotMs <= lastMs) return false;
    lastMs = slotMs;
  }
  return lastMs <= decidedMs;
}
