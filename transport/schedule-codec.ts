// Schedules as bytes say them: in the log's entries, and as callers see them.
//
// Guarantees: each policy has exactly one number on either wire; a rule whose policies this version
// does not know is none. What is returned shares nothing that the ledger will change.
// Does not own: what a leader or a gateway accepts (command-check.ts, workers/gateway).

import type { JobSpec } from "../ledger/command.ts";
import type { ScheduleStanding } from "../ledger/ledger.ts";
import type { Result } from "../ledger/result.ts";
import type {
  MissedPolicy,
  OverlapPolicy,
  Schedule,
  ScheduleRule,
  ScheduleTick,
} from "../ledger/schedule.ts";
import {
  MissedPolicy as LogMissed,
  OverlapPolicy as LogOverlap,
  type ScheduleRule as LogRule,
  type ScheduleTick as LogTick,
} from "../protos/gen/ledger/v1/schedule.ts";
import { ScheduleRefused_Reason as Reason } from "../protos/gen/node/v1/exchange.ts";
import {
  ChildFailurePolicy,
  type JobSpec as WireSpec,
  JobState as WireState,
} from "../protos/gen/quorumq/v1/job.ts";
import {
  MissedPolicy as WireMissed,
  OverlapPolicy as WireOverlap,
  type Schedule as WireSchedule,
} from "../protos/gen/quorumq/v1/schedule.ts";
import { STATE_TO_WIRE } from "./job-state-codec.ts";
import { toWireKeys } from "./queue-codec.ts";
import { dateOf, durationOf, toWireBackoff } from "./wire-value.ts";

type ScheduleRefusal = Extract<Result, { kind: "schedule-refused" }>["reason"];

const OVERLAP_TO_LOG: Readonly<Record<OverlapPolicy, LogOverlap>> = {
  skip: LogOverlap.OVERLAP_POLICY_SKIP,
  queue: LogOverlap.OVERLAP_POLICY_QUEUE,
  allow: LogOverlap.OVERLAP_POLICY_ALLOW,
};
const MISSED_TO_LOG: Readonly<Record<MissedPolicy, LogMissed>> = {
  skip: LogMissed.MISSED_POLICY_SKIP,
  once: LogMissed.MISSED_POLICY_ONCE,
  all: LogMissed.MISSED_POLICY_ALL,
};
const OVERLAP_TO_WIRE: Readonly<Record<OverlapPolicy, WireOverlap>> = {
  skip: WireOverlap.OVERLAP_POLICY_SKIP,
  queue: WireOverlap.OVERLAP_POLICY_QUEUE,
  allow: WireOverlap.OVERLAP_POLICY_ALLOW,
};
const MISSED_TO_WIRE: Readonly<Record<MissedPolicy, WireMissed>> = {
  skip: WireMissed.MISSED_POLICY_SKIP,
  once: WireMissed.MISSED_POLICY_ONCE,
  all: WireMissed.MISSED_POLICY_ALL,
};
const REFUSAL_TO_WIRE: Readonly<Record<ScheduleRefusal, Reason>> = {
  "id-taken": Reason.REASON_ID_TAKEN,
  "too-many": Reason.REASON_TOO_MANY,
  busy: Reason.REASON_BUSY,
};

/** null: unspecified, or of a newer version. */
export function fromWireOverlap(overlap: number): OverlapPolicy | null {
  return nameOf(OVERLAP_TO_WIRE, overlap);
}

/** null: unspecified, or of a newer version. */
export function fromWireMissed(missed: number): MissedPolicy | null {
  return nameOf(MISSED_TO_WIRE, missed);
}

/** In the form of protos/ledger/v1/schedule.proto, as snapshots have it, too. */
export function ruleToLog(rule: ScheduleRule): LogRule {
  const { cron, timeZone, intervalMs, startMs, endMs, missedAfterMs } = rule;
  const overlap = OVERLAP_TO_LOG[rule.overlap];
  const missed = MISSED_TO_LOG[rule.missed];
  return { cron, timeZone, intervalMs, startMs, endMs, missedAfterMs, overlap, missed };
}

/** null: its policies are of a newer version, or there is none. */
export function ruleFromLog(rule: LogRule | undefined): ScheduleRule | null {
  if (rule === undefined) return null;
  const overlap = nameOf(OVERLAP_TO_LOG, rule.overlap);
  const missed = nameOf(MISSED_TO_LOG, rule.missed);
  return overlap === null || missed === null ? null : { ...rule, overlap, missed };
}

export function tickToLog(tick: ScheduleTick): LogTick {
  const { scheduleId, number, decidedMs, nextSlotMs, hasGap } = tick;
  const [slots, traceparents] = [[...tick.slots], [...tick.traceparents]];
  return { scheduleId, number, decidedMs, slots, nextSlotMs, hasGap, traceparents };
}

export function refusalToWire(reason: ScheduleRefusal): Reason {
  return REFUSAL_TO_WIRE[reason];
}

export interface WireScheduleOptions {
  /** False in lists: a payload may be 256 KiB. */
  readonly hasBodies: boolean;
}

export function toWireSchedule(
  schedule: Readonly<Schedule>,
  { openCount, lastJobState }: ScheduleStanding,
  { hasBodies }: WireScheduleOptions,
): WireSchedule {
  const { rule } = schedule;
  return {
    id: schedule.id,
    cron: rule.cron,
    timeZone: rule.timeZone,
    interval: rule.intervalMs === 0 ? undefined : durationOf(rule.intervalMs),
    overlap: OVERLAP_TO_WIRE[rule.overlap],
    missed: MISSED_TO_WIRE[rule.missed],
    startTime: dateOf(rule.startMs),
    endTime: dateOf(rule.endMs),
    missedAfter: durationOf(rule.missedAfterMs),
    job: jobToWire(schedule.job, hasBodies),
    nextTime: schedule.isPaused ? undefined : dateOf(schedule.nextSlotMs),
    paused: schedule.isPaused,
    createTime: dateOf(schedule.createdMs),
    logIndex: schedule.number,
    lastTime: dateOf(schedule.firedSlotMs),
    lastJobId: schedule.firedJobId,
    firedCount: schedule.firedCount,
    skippedCount: schedule.skippedCount,
    missedCount: schedule.missedCount,
    refusedCount: schedule.refusedCount,
    pendingCount: schedule.pending.length,
    gapCount: schedule.gapCount,
    triggeredCount: schedule.triggeredCount,
    openCount,
    lastJobState:
      lastJobState === null ? WireState.JOB_STATE_UNSPECIFIED : STATE_TO_WIRE[lastJobState],
    // The gateway's calendar has them.
    upcomingTimes: [],
  };
}

/** What was asked for: a default that the kind has is not filled in. */
function jobToWire(job: JobSpec, hasBodies: boolean): WireSpec {
  return {
    kind: job.kind,
    queue: job.queue,
    payload: hasBodies ? Buffer.from(job.payload) : Buffer.alloc(0),
    priority: job.priority,
    runAt: undefined,
    maxAttempts: job.maxAttempts,
    backoff: job.backoff === null ? undefined : toWireBackoff(job.backoff),
    attemptTimeout: job.attemptTimeoutMs === 0 ? undefined : durationOf(job.attemptTimeoutMs),
    totalTimeout: job.totalTimeoutMs === 0 ? undefined : durationOf(job.totalTimeoutMs),
    lockKeys: [...job.lockKeys],
    concurrencyKeys: toWireKeys(job.concurrencyKeys),
    idempotencyKey: "",
    // A schedule's job has none.
    children: [],
    onChildFailure: ChildFailurePolicy.CHILD_FAILURE_POLICY_UNSPECIFIED,
  };
}

function nameOf<K extends string>(table: Readonly<Record<K, number>>, value: number): K | null {
  for (const name in table) if (table[name] === value) return name;
  return null;
}
