// Random work for schedules: few of them, whose slots come every second, and leaders that are late,
// repeat themselves, or are mistaken.

import type { CommandBody } from "../../../ledger/command.ts";
import type { Ledger } from "../../../ledger/ledger.ts";
import type { Schedule, ScheduleTick } from "../../../ledger/schedule.ts";
import type { Intent } from "./workload.ts";
import { bytes, ruleOf, specOf } from "./world.ts";

const EVERY_MS = 1_000;
const OVERLAPS = ["skip", "queue", "allow"] as const;
const MISSED = ["skip", "once", "all"] as const;

export function scheduleBodyOf(ledger: Ledger, intent: Intent, nowMs: number): CommandBody {
  const { pick } = intent;
  const scheduleId = `s${pick % 4}`;
  switch (intent.what) {
    case "schedule":
      return creationOf(scheduleId, intent, nowMs);
    case "unschedule":
      return { kind: "delete-schedule", scheduleId };
    case "pause":
      return { kind: "set-schedule-paused", scheduleId, isPaused: pick % 3 === 0 };
    case "trigger":
      return {
        ...{ kind: "trigger-schedule", scheduleId, traceparent: "" },
        // Some come twice.
        ...{ idempotencyKey: `by hand ${pick % 40}`, mayOverlap: pick % 2 === 0 },
      };
    default: {
      const ticks = [...ledger.schedules.values()].map((one) => tickOf(one, intent, nowMs));
      return { kind: "tick-schedules", ticks };
    }
  }
}

/** Mostly the same under one id. */
function creationOf(
  scheduleId: string,
  { pick, keys, delayMs }: Intent,
  nowMs: number,
): CommandBody {
  const which = Number(scheduleId.slice(1)) + (pick % 11 === 0 ? 1 : 0);
  const rule = ruleOf({
    intervalMs: EVERY_MS,
    overlap: OVERLAPS[which % 3] ?? "skip",
    missed: MISSED[which % 3] ?? "skip",
    missedAfterMs: 4_000,
    startMs: pick % 7 === 0 ? nowMs + delayMs : 0,
    endMs: pick % 9 === 0 ? nowMs + 20_000 : 0,
  });
  const kind = ["mail", "print", "now"][which % 3] ?? "mail";
  const payload = which === 1 && pick % 5 === 0 ? bytes({}) : bytes({ doc: keys[0] ?? "z" });
  return { kind: "create-schedule", scheduleId, rule, job: specOf({ kind, payload }) };
}

function tickOf(schedule: Schedule, { what, pick }: Intent, nowMs: number): ScheduleTick {
  const { id: scheduleId, number, decidedMs } = schedule;
  const hasGap = pick % 13 === 0;
  const slots: number[] = [];
  let slotMs = Math.ceil((decidedMs + 1) / EVERY_MS) * EVERY_MS;
  const endMs = schedule.rule.endMs || Number.POSITIVE_INFINITY;
  for (; slotMs <= nowMs && slotMs <= endMs && slots.length < 40; slotMs += EVERY_MS) {
    slots.push(slotMs);
  }
  const nextSlotMs = slotMs > endMs ? 0 : slotMs;
  // Some leader may have none.
  const traceparents = slots.slice(pick % 2).map((at) => `trace of ${scheduleId} ${at}`);
  const tick = { scheduleId, number, decidedMs, slots, traceparents, nextSlotMs, hasGap };
  if (what === "slots") return tick;
  // Of a leader that has seen something else, or whose calendar is another one.
  const wrong = [
    { decidedMs: decidedMs - EVERY_MS },
    { number: number - 1 },
    { slots: [...slots, nowMs + 5_000] },
    { slots: [decidedMs, ...slots] },
    { slots: [], nextSlotMs: decidedMs },
    { slots: slots.map((at) => at - 250), nextSlotMs: nowMs + 250 },
  ][pick % 6];
  return { ...tick, ...wrong };
}
