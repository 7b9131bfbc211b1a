// A schedule: a rule that says when, and a job that is made anew for each of its slots.
//
// Guarantees: slots of a schedule are decided in rising order, each once: `decidedMs` only rises,
// and whatever names it must name it as it is. So a slot has one job at most, whoever proposes it
// and however often.
// Does not own: the calendar. Which moments a rule names is computed by the leader and stands in
// its entries (transport/calendar.ts), so that replicas need not agree on time zones.

import type { JobSpec } from "./job-spec.ts";

/** What becomes of a slot while a job of the schedule has not ended. */
export type OverlapPolicy = "skip" | "queue" | "allow";

/** What becomes of slots that came while nobody led. */
export type MissedPolicy = "skip" | "once" | "all";

export interface ScheduleRule {
  /** 5 or 6 fields; "": an interval. */
  readonly cron: string;
  /** IANA name, in which `cron` is read. */
  readonly timeZone: string;
  /** 0: a cron. */
  readonly intervalMs: number;
  /** No slot is earlier. An interval counts from it. 0: from the creation on. */
  readonly startMs: number;
  /** No slot is later. 0: for ever. */
  readonly endMs: number;
  readonly overlap: OverlapPolicy;
  readonly missed: MissedPolicy;
  /** A slot counts as missed when it is decided later than this. */
  readonly missedAfterMs: number;
}

export interface Schedule {
  readonly id: string;
  readonly rule: ScheduleRule;
  /** What each job is made of. */
  readonly job: JobSpec;
  readonly createdMs: number;
  /** The entry that created it: schedules are in this order. */
  readonly number: number;
  /** W3C traceparent of its creation, or "": the traces of its slots point to it. */
  readonly traceparent: string;
  isPaused: boolean;
  /** All slots up to here are decided. */
  decidedMs: number;
  /** The next slot; 0: not computed yet, or none is left. */
  nextSlotMs: number;
  /** No slot is left. */
  isOver: boolean;
  /** Slots that wait for the job before theirs to end, rising. Only with "queue". */
  pending: number[];
  /** The traceparent of each of them, or "". */
  pendingTraces: string[];
  /** The last slot that got a job, and that job. */
  firedSlotMs: number;
  firedJobId: string;
  /** Slots that got a job. */
  firedCount: number;
  /** Slots without a job because an earlier one had not ended. */
  skippedCount: number;
  /** Slots without a job because they were missed. */
  missedCount: number;
  /** Slots whose job the ledger refused, as it would have refused a submission. */
  refusedCount: number;
  /** Jobs that were made by hand, beside the slots. */
  triggeredCount: number;
  /** Outages so long that some of their slots were passed over, uncounted. */
  gapCount: number;
}

/** The slots of one schedule that fell due, as the leader's calendar has them. */
export interface ScheduleTick {
  readonly scheduleId: string;
  /** The schedule's own number and `decidedMs`, as the leader saw them: else nothing is done. */
  readonly number: number;
  readonly decidedMs: number;
  /** Rising, none in the future. */
  readonly slots: readonly number[];
  /** The traceparent for the job of each slot, in their order; what is missing is none. */
  readonly traceparents: readonly string[];
  /** 0: none is left. */
  readonly nextSlotMs: number;
  /** There were more than `slots` could hold: those before the last one were passed over. */
  readonly hasGap: boolean;
}

export const SCHEDULES_MAX = 10_000;
/** Slots of one tick: what an outage may bring back. */
export const TICK_SLOTS_MAX = 1_000;
/** Slots that wait for the job before theirs; further ones are skipped. */
export const PENDING_SLOTS_MAX = 1_000;
