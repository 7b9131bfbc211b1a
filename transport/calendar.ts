// The calendar of schedules: which moment is the next slot of a rule.
//
// Guarantees: total: a rule that cannot be read gives null, never a throw; the same rule and moment
// give the same slot, whatever the machine's own time zone is. An interval's slots follow from its
// first one alone. A cron whose hours, minutes and seconds are numbers, lists or ranges has one
// slot a day for each, also when clocks change: a time that a day leaves out comes when the gap is
// over, one that a day has twice comes the first time. One with a wildcard or step in them goes by
// the time that passes: it leaves the gap out and comes in both of the doubled hours.
// Does not own: who computes slots (due-ticks.ts, on the leader; the gateway, to show the next).

import { Cron } from "croner";
import type { Schedule, ScheduleRule } from "../ledger/schedule.ts";
import { CRON_LENGTH_MAX, PARSED_CRONS_MAX, TIME_MS_MAX } from "./limit.ts";

/** What of a schedule says when its slots are. */
export interface Timing extends Pick<Schedule, "createdMs"> {
  readonly rule: Pick<ScheduleRule, "cron" | "timeZone" | "intervalMs" | "startMs" | "endMs">;
}

/** Five or six fields of what crons are written with, or a name. "?" means too many things. */
const CRON = /^(@[a-z]+|[0-9A-Za-z*,/#+-]+( +[0-9A-Za-z*,/#+-]+){4,5})$/;

const parsed = new Map<string, Cron | null>();

export function isTimeZone(timeZone: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone });
    return true;
  } catch {
    // There is no other way to ask.
    return false;
  }
}

/** Whether it can be read, in any time zone. */
export function isCron(cron: string): boolean {
  return cronOf(cron, "UTC") !== null;
}

/** The first slot after this moment; 0: there is none; null: the rule cannot be read. */
export function nextSlotMs(timing: Timing, afterMs: number): number | null {
  const { rule } = timing;
  const nextMs = rule.cron === "" ? nextOfInterval(timing, afterMs) : nextOfCron(timing, afterMs);
  if (nextMs === null) return null;
  const lastMs = rule.endMs === 0 ? TIME_MS_MAX : rule.endMs;
  return nextMs > lastMs ? 0 : nextMs;
}

/** The last slot up to this moment. `slotMs` is a slot that is not later. */
export function lastSlotMs(timing: Timing, slotMs: number, uptoMs: number): number {
  let [lastMs, endMs] = [slotMs, uptoMs];
  // No slot is behind endMs: halve what is between.
  while (endMs > lastMs) {
    const middleMs = Math.floor((lastMs + endMs) / 2);
    const nextMs = nextSlotMs(timing, middleMs) ?? 0;
    if (nextMs !== 0 && nextMs <= uptoMs) lastMs = nextMs;
    else endMs = middleMs;
  }
  return lastMs;
}

function nextOfInterval({ rule, createdMs }: Timing, afterMs: number): number | null {
  const { intervalMs, startMs } = rule;
  if (intervalMs <= 0) return null;
  const [fromMs, leastCount] = startMs === 0 ? [createdMs, 1] : [startMs, 0];
  const count = Math.floor((afterMs - fromMs) / intervalMs) + 1;
  return fromMs + Math.max(count, leastCount) * intervalMs;
}

function nextOfCron({ rule }: Timing, afterMs: number): number | null {
  const cron = cronOf(rule.cron, rule.timeZone);
  if (cron === null) return null;
  try {
    return cron.nextRun(new Date(afterMs))?.getTime() ?? 0;
  } catch {
    // A time zone that this machine does not know: croner has no other way to say so.
    return null;
  }
}

function cronOf(text: string, timezone: string): Cron | null {
  // Not kept: whoever asks could fill the memory with texts of any length.
  if (text.length > CRON_LENGTH_MAX || !CRON.test(text)) return null;
  const key = `${text}\n${timezone}`;
  const known = parsed.get(key);
  if (known !== undefined) return known;
  const cron = parse(text, timezone);
  if (parsed.size >= PARSED_CRONS_MAX) parsed.clear();
  parsed.set(key, cron);
  return cron;
}

function parse(text: string, timezone: string): Cron | null {
  try {
    return new Cron(text, { timezone, mode: "5-or-6-parts", fixedTimeRule: "no-wildcard" });
  } catch {
    // Croner's only way to say no.
    return null;
  }
}
