// Schedules as the public client has them: typed jobs, made anew for each slot.
//
// Guarantees: the input is checked as that of a submission is. Creating with an id may be repeated:
// the same schedule is created once, another one under its id is refused; without one the gateway
// makes one up, and a repetition makes a second schedule.
// Does not own: when slots are (transport/calendar.ts).

import type { JobSpec } from "../../protos/gen/quorumq/v1/job.ts";
import type {
  ListSchedulesResponse,
  TriggerScheduleResponse,
} from "../../protos/gen/quorumq/v1/job_service.ts";
import { MissedPolicy, OverlapPolicy, Schedule } from "../../protos/gen/quorumq/v1/schedule.ts";
import type { JobsConnection } from "../../transport/grpc/client.ts";
import { refusal } from "../../transport/reason.ts";
import { durationOf } from "../../transport/wire-value.ts";
import type { JobDefinition } from "../define-job.ts";
import { type CallOptions, callOptions } from "./call-options.ts";
import { child, type JobSubmitOptions, toSpec } from "./submission.ts";

const OVERLAP = {
  skip: OverlapPolicy.OVERLAP_POLICY_SKIP,
  queue: OverlapPolicy.OVERLAP_POLICY_QUEUE,
  allow: OverlapPolicy.OVERLAP_POLICY_ALLOW,
} as const;
const MISSED = {
  skip: MissedPolicy.MISSED_POLICY_SKIP,
  once: MissedPolicy.MISSED_POLICY_ONCE,
  all: MissedPolicy.MISSED_POLICY_ALL,
} as const;

/** Either a cron or an interval. */
export type ScheduleTiming =
  /** Five or six fields, or @daily and the like; `timeZone` is an IANA name, default UTC. */
  | { readonly cron: string; readonly timeZone?: string }
  /** At least 1000; counted from `startAt`, or else from the creation. */
  | { readonly everyMs: number };

/** A job's time is its slot. */
type OfEachJob = Omit<JobSubmitOptions, "runAt" | "delayMs">;

export type ScheduleOptions = ScheduleTiming & {
  /** Made up when absent. */
  readonly id?: string;
  /** While an earlier job has not ended. Default "skip". */
  readonly overlap?: keyof typeof OVERLAP;
  /** For slots that came while nobody led. Default "skip". */
  readonly missed?: keyof typeof MISSED;
  /** Decided later than this is missed. Default 30 s. */
  readonly missedAfterMs?: number;
  readonly startAt?: Date;
  readonly endAt?: Date;
} & OfEachJob &
  CallOptions;

export interface TriggerOptions extends CallOptions {
  /** Made up by the gateway when absent. */
  readonly idempotencyKey?: string;
  /** Even while another job of the schedule has not ended, whatever its `overlap` is. */
  readonly allowOverlap?: boolean;
}

export interface ScheduleClient {
  create<Input>(
    definition: JobDefinition<string, Input, unknown>,
    input: Input,
    options: ScheduleOptions,
  ): Promise<Schedule>;
  get(scheduleId: string, options?: CallOptions): Promise<Schedule>;
  /** A page, in the order of creation, without payloads. */
  list(
    page?: { readonly pageSize?: number; readonly pageToken?: string },
    options?: CallOptions,
  ): Promise<ListSchedulesResponse>;
  /** Whether there was one. Its jobs stay. */
  delete(scheduleId: string, options?: CallOptions): Promise<boolean>;
  pause(scheduleId: string, options?: CallOptions): Promise<Schedule>;
  /** Goes on with the next slot from now. */
  resume(scheduleId: string, options?: CallOptions): Promise<Schedule>;
  /** A job of it now, beside its slots; the same key again gives the first job. */
  trigger(scheduleId: string, options?: TriggerOptions): Promise<TriggerScheduleResponse>;
}

export function scheduleClient(jobs: JobsConnection["jobs"]): ScheduleClient {
  return {
    create: async (definition, input, options) => {
      // A slot is its own time, and its own key.
      const job = await toSpec(child(definition, input, options), "", () => 0);
      const schedule = scheduleOf(job, options);
      return present((await jobs.createSchedule({ schedule }, callOptions(options))).schedule);
    },
    get: async (scheduleId, options = {}) =>
      present((await jobs.getSchedule({ scheduleId }, callOptions(options))).schedule),
    list: ({ pageSize = 0, pageToken = "" } = {}, options = {}) =>
      jobs.listSchedules({ pageSize, pageToken }, callOptions(options)),
    delete: async (scheduleId, options = {}) =>
      (await jobs.deleteSchedule({ scheduleId }, callOptions(options))).existed,
    pause: async (scheduleId, options = {}) =>
      present((await jobs.pauseSchedule({ scheduleId }, callOptions(options))).schedule),
    resume: async (scheduleId, options = {}) =>
      present((await jobs.resumeSchedule({ scheduleId }, callOptions(options))).schedule),
    trigger: (scheduleId, { idempotencyKey = "", allowOverlap = false, ...options } = {}) =>
      jobs.triggerSchedule({ scheduleId, idempotencyKey, allowOverlap }, callOptions(options)),
  };
}

function scheduleOf(job: JobSpec, options: ScheduleOptions): Schedule {
  const { id = "", overlap = "skip", missed = "skip", missedAfterMs, startAt, endAt } = options;
  const timing =
    "cron" in options
      ? { cron: options.cron, timeZone: options.timeZone ?? "" }
      : { interval: durationOf(options.everyMs) };
  return Schedule.fromPartial({
    id,
    job,
    ...timing,
    overlap: OVERLAP[overlap],
    missed: MISSED[missed],
    ...(missedAfterMs === undefined ? {} : { missedAfter: durationOf(missedAfterMs) }),
    ...(startAt === undefined ? {} : { startTime: startAt }),
    ...(endAt === undefined ? {} : { endTime: endAt }),
  });
}

function present(schedule: Schedule | undefined): Schedule {
  if (schedule !== undefined) return schedule;
  throw refusal("INTERNAL", "the gateway answered without a schedule");
}
