// Which slots of which schedules have come: what a leader proposes as one entry.
//
// Guarantees: looks back to the last slot that is decided, however long ago that was; slots rise,
// none is in the future. What one entry says is bounded in schedules and slots: what is left over
// comes with the next one. Of more slots than one schedule may have in an entry it names the oldest
// and the last, and says that it left some out. However many rules cannot be read, the others have
// their slots.
// Does not own: when this is asked (ledger-ticker.ts), what becomes of a slot (ledger/slots.ts).

import { dueSchedules, type Ledger } from "../ledger/ledger.ts";
import { type Schedule, type ScheduleTick, TICK_SLOTS_MAX } from "../ledger/schedule.ts";
import { lastSlotMs, nextSlotMs } from "./calendar.ts";
import { TICKED_SCHEDULES_MAX } from "./limit.ts";

/**
 * Empty: nothing is due. `unreadable` is told of schedules whose rule this node cannot read; those
 * stay due, so that as many more are looked at as it was told of before.
 */
export function dueTicks(
  ledger: Ledger,
  nowMs: number,
  unreadable: (scheduleId: string) => void,
  unreadableCount = 0,
): readonly ScheduleTick[] {
  const ticks: ScheduleTick[] = [];
  let slotCount = 0;
  const looksMax = TICKED_SCHEDULES_MAX + unreadableCount;
  for (const schedule of dueSchedules(ledger, nowMs, looksMax)) {
    if (slotCount >= TICK_SLOTS_MAX || ticks.length >= TICKED_SCHEDULES_MAX) break;
    const tick = tickOf(schedule, nowMs);
    if (tick === null) {
      unreadable(schedule.id);
      continue;
    }
    ticks.push(tick);
    slotCount += tick.slots.length;
  }
  return ticks;
}

/** null: the rule cannot be read. */
function tickOf(schedule: Schedule, nowMs: number): ScheduleTick | null {
  const { id: scheduleId, number, decidedMs } = schedule;
  const slots: number[] = [];
  let hasGap = false;
  let nextMs = nextSlotMs(schedule, decidedMs);
  while (nextMs !== null && nextMs !== 0 && nextMs <= nowMs) {
    if (slots.length === TICK_SLOTS_MAX - 1) {
      const lastMs = lastSlotMs(schedule, nextMs, nowMs);
      hasGap = lastMs > nextMs;
      nextMs = lastMs;
    }
    slots.push(nextMs);
    nextMs = nextSlotMs(schedule, nextMs);
  }
  if (nextMs === null) return null;
  return { scheduleId, number, decidedMs, slots, traceparents: [], nextSlotMs: nextMs, hasGap };
}
