// What the gateway refuses of schedules before it troubles the quorum, field by field.
//
// Guarantees: a schedule that passes is one that the leader's own check (command-check.ts) takes
// too, and it has a slot to come. What is wrong is told with what was given and an example of what
// would be right.
// Does not own: whether kind and queue are registered, which is the ledger's to say.

import type { JobSpec } from "../../ledger/command.ts";
import type { ScheduleRule } from "../../ledger/schedule.ts";
import type { Schedule as WireSchedule } from "../../protos/gen/quorumq/v1/schedule.ts";
import {
  MissedPolicy as WireMissed,
  OverlapPolicy as WireOverlap,
} from "../../protos/gen/quorumq/v1/schedule.ts";
import { isCron, isTimeZone, nextSlotMs } from "../../transport/calendar.ts";
import { isName } from "../../transport/command-check.ts";
import {
  DURATION_MS_MAX,
  INTERVAL_MS_MIN,
  MISSED_AFTER_MS_DEFAULT,
  MISSED_AFTER_MS_MAX,
  MISSED_AFTER_MS_MIN,
  NAME_LENGTH_MAX,
} from "../../transport/limit.ts";
import { fromWireMissed, fromWireOverlap } from "../../transport/schedule-codec.ts";
import { checkDuration, checkEnd, checkTime } from "./validate.ts";
import { checkSpec } from "./validate-spec.ts";
import { quoted, type Violations } from "./violations.ts";

const CRON_EXAMPLES =
  'five or six fields such as "30 2 * * MON-FRI" or "*/10 * * * * *", or @daily';

export interface CheckedSchedule {
  readonly rule: ScheduleRule;
  readonly job: JobSpec;
}

/** Only of use if no problem was added. */
export function checkSchedule(
  schedule: WireSchedule | undefined,
  traceparent: string,
  nowMs: number,
  violations: Violations,
): CheckedSchedule | null {
  const path = "schedule";
  if (schedule === undefined) {
    violations.add(path, "is missing", "nothing", "a schedule to create");
    return null;
  }
  checkScheduleId(schedule.id, `${path}.id`, violations, true);
  const job = checkSpec(schedule.job, `${path}.job`, traceparent, violations);
  checkTemplate(schedule, violations);
  const timeZone = schedule.cron === "" ? "" : schedule.timeZone || "UTC";
  const rule = {
    cron: schedule.cron,
    timeZone,
    intervalMs: checkDuration(schedule.interval, `${path}.interval`, violations),
    startMs: checkTime(schedule.startTime, `${path}.start_time`, violations),
    endMs: checkEnd(schedule.endTime, `${path}.end_time`, violations),
    overlap: checkOverlap(schedule.overlap, violations),
    missed: checkMissed(schedule.missed, violations),
    missedAfterMs: checkMissedAfter(schedule, violations),
  };
  if (checkTiming(schedule, rule, violations)) checkSlots(rule, nowMs, violations);
  return job === null ? null : { rule, job };
}

export function checkScheduleId(
  id: string,
  field: string,
  violations: Violations,
  mayBeEmpty = false,
): void {
  if (isName(id) || (id === "" && mayBeEmpty)) return;
  const problem = id === "" ? "is empty" : "is not the id of a schedule";
  const limit = `1 to ${NAME_LENGTH_MAX} of A-Z a-z 0-9 _ . -, not beginning with . or -`;
  violations.add(field, problem, quoted(id), limit);
}

/** Each slot is its own time and key, and one job. */
function checkTemplate({ job }: WireSchedule, violations: Violations): void {
  if (job !== undefined && job.children.length > 0) {
    const limit = "none: submit the flow from the scheduled job's handler";
    violations.add("schedule.job.children", "are given", job.children.length, limit);
  }
  // A time that is none is refused as such, with the job's other fields.
  if (job?.runAt !== undefined && !Number.isNaN(job.runAt.getTime())) {
    const limit = "none: a job is due at its slot; see start_time";
    violations.add("schedule.job.run_at", "is given", job.runAt.toISOString(), limit);
  }
  if (job !== undefined && job.idempotencyKey !== "") {
    const limit = "none: a schedule has one job a slot";
    violations.add("schedule.job.idempotency_key", "is given", quoted(job.idempotencyKey), limit);
  }
}

/** Whether cron and interval can be read. */
function checkTiming(
  { cron, timeZone, interval }: WireSchedule,
  { intervalMs }: ScheduleRule,
  violations: Violations,
): boolean {
  if (cron === "" && interval === undefined) {
    violations.add("schedule.cron", "is missing", quoted(cron), `${CRON_EXAMPLES}; or an interval`);
    return false;
  }
  if (cron === "") {
    if (timeZone !== "") {
      const limit = "none with an interval, which counts the time that passes";
      violations.add("schedule.time_zone", "is given", quoted(timeZone), limit);
    }
    if (intervalMs >= INTERVAL_MS_MIN) return true;
    const limit = `${INTERVAL_MS_MIN} to ${DURATION_MS_MAX} ms, such as 90s`;
    violations.add("schedule.interval", "is too short", `${intervalMs} ms`, limit);
    return false;
  }
  const isReadable = isCron(cron);
  if (!isReadable) violations.add("schedule.cron", "is not a cron", quoted(cron), CRON_EXAMPLES);
  const isZone = timeZone === "" || isTimeZone(timeZone);
  if (!isZone) {
    const limit = 'an IANA name such as "Europe/Berlin", or nothing for UTC';
    violations.add("schedule.time_zone", "is not a time zone", quoted(timeZone), limit);
  }
  if (interval !== undefined) {
    const limit = "none beside a cron";
    violations.add("schedule.interval", "is given", `${intervalMs} ms`, limit);
  }
  return isReadable && isZone && interval === undefined;
}

/** A schedule that will never do anything is a mistake. */
function checkSlots(rule: ScheduleRule, nowMs: number, violations: Violations): void {
  const { cron, startMs, endMs } = rule;
  if (endMs !== 0 && endMs <= Math.max(nowMs, startMs)) {
    const limit = `a time after ${new Date(Math.max(nowMs, startMs)).toISOString()}`;
    const given = new Date(endMs).toISOString();
    violations.add("schedule.end_time", "is over already, or not after the start", given, limit);
    return;
  }
  const fromMs = Math.max(nowMs, startMs - 1);
  if (nextSlotMs({ rule, createdMs: nowMs }, fromMs) !== 0) return;
  const [field, value] =
    cron === "" ? ["interval", `${rule.intervalMs} ms`] : ["cron", quoted(cron)];
  violations.add(`schedule.${field}`, "has no slot", value, "one that comes before end_time");
}

function checkOverlap(overlap: number, violations: Violations): ScheduleRule["overlap"] {
  const known = fromWireOverlap(overlap);
  if (known === null && overlap !== WireOverlap.OVERLAP_POLICY_UNSPECIFIED) {
    violations.add("schedule.overlap", "is not a policy", overlap, "SKIP, QUEUE or ALLOW");
  }
  return known ?? "skip";
}

function checkMissed(missed: number, violations: Violations): ScheduleRule["missed"] {
  const known = fromWireMissed(missed);
  if (known === null && missed !== WireMissed.MISSED_POLICY_UNSPECIFIED) {
    violations.add("schedule.missed", "is not a policy", missed, "SKIP, ONCE or ALL");
  }
  return known ?? "skip";
}

function checkMissedAfter({ missedAfter }: WireSchedule, violations: Violations): number {
  if (missedAfter === undefined) return MISSED_AFTER_MS_DEFAULT;
  const ms = checkDuration(missedAfter, "schedule.missed_after", violations);
  if (ms >= MISSED_AFTER_MS_MIN && ms <= MISSED_AFTER_MS_MAX) return ms;
  const limit = `${MISSED_AFTER_MS_MIN} to ${MISSED_AFTER_MS_MAX} ms`;
  violations.add("schedule.missed_after", "is out of range", `${ms} ms`, limit);
  return MISSED_AFTER_MS_DEFAULT;
}
