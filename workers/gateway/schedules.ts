// CreateSchedule, GetSchedule, ListSchedules, DeleteSchedule, PauseSchedule, ResumeSchedule and
// TriggerSchedule.
//
// Guarantees: all may be repeated: the same schedule is created once, a schedule that is gone is
// gone. One without an id gets one here, so that sending again inside the gateway's time is safe.
// Reads are linearizable; pages are in the order of creation.
// Does not own: what can be right (schedule-check.ts), nor what becomes of slots (ledger/slots.ts).

import { randomUUID } from "node:crypto";
import type { CommandBody } from "../../ledger/command.ts";
import {
  type Applied,
  type ScheduleRefused,
  ScheduleRefused_Reason,
} from "../../protos/gen/node/v1/exchange.ts";
import type {
  CreateScheduleRequest,
  CreateScheduleResponse,
  ListSchedulesRequest,
  ListSchedulesResponse,
  TriggerScheduleRequest,
  TriggerScheduleResponse,
} from "../../protos/gen/quorumq/v1/job_service.ts";
import type { Schedule } from "../../protos/gen/quorumq/v1/schedule.ts";
import { nextSlotMs } from "../../transport/calendar.ts";
import type { Call } from "../../transport/grpc/call.ts";
import type { JobHandlers } from "../../transport/grpc/server.ts";
import { KEY_LENGTH_MAX, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX } from "../../transport/limit.ts";
import type { PipelineError } from "../../transport/pipeline-error.ts";
import type { Quorum } from "../../transport/quorum.ts";
import { refusal } from "../../transport/reason.ts";
import { AttributeName } from "../../transport/telemetry/name.ts";
import { traceIdOf } from "../../transport/telemetry/trace.ts";
import { propose, read, timeLeft } from "./ask.ts";
import { outcomeUnknown, submitRefused } from "./outcome.ts";
import { checkSchedule, checkScheduleId } from "./schedule-check.ts";
import { parseScheduleToken, scheduleToken } from "./schedule-token.ts";
import { checkLength } from "./validate.ts";
import { quoted, Violations } from "./violations.ts";

/** Slots that are shown ahead. */
const UPCOMING_MAX = 5;

type ScheduleHandlers = Required<
  Pick<
    JobHandlers,
    | "createSchedule"
    | "getSchedule"
    | "listSchedules"
    | "deleteSchedule"
    | "pauseSchedule"
    | "resumeSchedule"
    | "triggerSchedule"
  >
>;

export function scheduleHandlers(quorum: Quorum): ScheduleHandlers {
  return {
    createSchedule: (request, call) => create(quorum, request, call),
    getSchedule: async ({ scheduleId }, call) => {
      requireId(scheduleId);
      const question = { $case: "schedule" as const, value: { scheduleId } };
      const { schedules } = await read(quorum, { read: question }, call);
      const [schedule] = schedules;
      if (schedule === undefined) throw scheduleNotFound(scheduleId);
      return { schedule: { ...schedule, upcomingTimes: upcoming(schedule) } };
    },
    listSchedules: (request, call) => list(quorum, request, call),
    deleteSchedule: async ({ scheduleId }, call) => {
      requireId(scheduleId);
      const { result } = await ask(quorum, { kind: "delete-schedule", scheduleId }, call);
      if (result?.$case !== "scheduleDeleted") throw unexpected(result);
      return { existed: result.value.hasExisted };
    },
    pauseSchedule: ({ scheduleId }, call) => setPaused(quorum, scheduleId, true, call),
    resumeSchedule: ({ scheduleId }, call) => setPaused(quorum, scheduleId, false, call),
    triggerSchedule: (request, call) => trigger(quorum, request, call),
  };
}

async function create(
  quorum: Quorum,
  { schedule }: CreateScheduleRequest,
  call: Call,
): Promise<CreateScheduleResponse> {
  const violations = new Violations();
  const checked = checkSchedule(schedule, call.traceparent, Date.now(), violations);
  violations.requireNone();
  if (checked === null || schedule === undefined) throw new Error("nothing has passed the check");
  const { rule, job } = checked;
  const scheduleId = schedule.id === "" ? `s-${randomUUID()}` : schedule.id;
  const body = { kind: "create-schedule", scheduleId, rule, job } as const;
  const { result } = await ask(quorum, body, call);
  if (result?.$case === "submitRefused") throw submitRefused(result.value, ["schedule.job"]);
  if (result?.$case === "scheduleRefused") throw scheduleRefused(result.value, scheduleId);
  if (result?.$case !== "schedule" || result.value.schedule === undefined) throw unexpected(result);
  const { schedule: stands, isNew } = result.value;
  // The leader computes the first slot a moment later; the caller wants to know it now.
  const createdMs = stands.createTime?.getTime() ?? 0;
  const slotMs = nextSlotMs({ rule, createdMs }, Math.max(createdMs, rule.startMs - 1));
  const nextTime = slotMs === null || slotMs === 0 ? undefined : new Date(slotMs);
  return { schedule: isNew ? { ...stands, nextTime } : stands, created: isNew };
}

async function setPaused(
  quorum: Quorum,
  scheduleId: string,
  isPaused: boolean,
  call: Call,
): Promise<{ schedule: Schedule | undefined }> {
  requireId(scheduleId);
  const body = { kind: "set-schedule-paused", scheduleId, isPaused } as const;
  const { result } = await ask(quorum, body, call);
  if (result?.$case === "scheduleNotFound") throw scheduleNotFound(scheduleId);
  if (result?.$case !== "schedule") throw unexpected(result);
  return { schedule: result.value.schedule };
}

async function trigger(
  quorum: Quorum,
  { scheduleId, idempotencyKey, allowOverlap }: TriggerScheduleRequest,
  call: Call,
): Promise<TriggerScheduleResponse> {
  const violations = new Violations();
  checkScheduleId(scheduleId, "schedule_id", violations);
  checkLength(idempotencyKey, "idempotency_key", KEY_LENGTH_MAX, violations);
  violations.requireNone();
  const key = idempotencyKey === "" ? randomUUID() : idempotencyKey;
  const names = { scheduleId, idempotencyKey: key, traceparent: call.traceparent };
  const body = { kind: "trigger-schedule", ...names, mayOverlap: allowOverlap } as const;
  const applied = await propose(quorum, body, call, timeLeft(call));
  if (applied === null) {
    const advice = `trigger it again with the idempotency key ${quoted(key)}`;
    const metadata = { schedule_id: scheduleId, idempotency_key: key };
    throw outcomeUnknown(`schedule ${scheduleId} may have been triggered`, advice, metadata);
  }
  const { result } = applied;
  if (result?.$case === "scheduleNotFound") throw scheduleNotFound(scheduleId);
  if (result?.$case === "scheduleRefused") throw scheduleRefused(result.value, scheduleId);
  if (result?.$case === "submitRefused") throw submitRefused(result.value, ["schedule.job"]);
  const job = result?.$case === "submitted" ? result.value.jobs[0] : undefined;
  if (job === undefined) throw unexpected(result);
  const { jobId, logIndex, deduplicated, traceparent } = job;
  call.annotate({ [AttributeName.JobId]: jobId });
  return { jobId, logIndex, deduplicated, traceId: traceIdOf(traceparent) };
}

/** By this gateway's calendar; what it cannot read has none. */
function upcoming(schedule: Schedule): Date[] {
  const { cron, timeZone, interval, startTime, endTime, createTime, nextTime } = schedule;
  const times: Date[] = [];
  const rule = {
    cron,
    timeZone,
    intervalMs: interval === undefined ? 0 : interval.seconds * 1_000 + interval.nanos / 1e6,
    startMs: startTime?.getTime() ?? 0,
    endMs: endTime?.getTime() ?? 0,
  };
  const createdMs = createTime?.getTime() ?? 0;
  let slotMs: number | null = nextTime?.getTime() ?? 0;
  while (slotMs !== null && slotMs !== 0 && times.length < UPCOMING_MAX) {
    times.push(new Date(slotMs));
    slotMs = nextSlotMs({ rule, createdMs }, slotMs);
  }
  return times;
}

async function list(
  quorum: Quorum,
  { pageSize, pageToken }: ListSchedulesRequest,
  call: Call,
): Promise<ListSchedulesResponse> {
  const violations = new Violations();
  if (pageSize < 0) violations.add("page_size", "is negative", pageSize, `0 to ${PAGE_SIZE_MAX}`);
  const afterLogIndex = pageToken === "" ? 0 : parseScheduleToken(pageToken);
  if (afterLogIndex === null) {
    const limit = "the next_page_token of a list of schedules";
    violations.add("page_token", "does not belong to this list", quoted(pageToken), limit);
  }
  violations.requireNone();
  const value = {
    pageSize: Math.min(pageSize === 0 ? PAGE_SIZE_DEFAULT : pageSize, PAGE_SIZE_MAX),
    afterLogIndex: afterLogIndex ?? 0,
  };
  const answer = await read(quorum, { read: { $case: "schedules", value } }, call);
  const { schedules, hasMore } = answer;
  const last = schedules.at(-1);
  const nextPageToken = hasMore && last !== undefined ? scheduleToken(last.logIndex) : "";
  return { schedules, nextPageToken };
}

async function ask(
  quorum: Quorum,
  body: Extract<CommandBody, { readonly scheduleId: string }>,
  call: Call,
): Promise<Applied> {
  const applied = await propose(quorum, body, call, timeLeft(call));
  if (applied !== null) return applied;
  const { scheduleId } = body;
  throw outcomeUnknown(
    `schedule ${scheduleId} may have been changed`,
    "ask for the same again; it does no harm done twice",
    { schedule_id: scheduleId },
  );
}

function requireId(scheduleId: string): void {
  const violations = new Violations();
  checkScheduleId(scheduleId, "schedule_id", violations);
  violations.requireNone();
}

function scheduleNotFound(scheduleId: string): PipelineError {
  return refusal("SCHEDULE_NOT_FOUND", `there is no schedule ${quoted(scheduleId)}`, {
    metadata: { schedule_id: scheduleId },
  });
}

function scheduleRefused({ reason, value }: ScheduleRefused, scheduleId: string): PipelineError {
  if (reason === ScheduleRefused_Reason.REASON_TOO_MANY) {
    return refusal("SCHEDULES_FULL", `there are ${value} schedules, and no more may be added`, {
      metadata: { limit: value },
    });
  }
  if (reason === ScheduleRefused_Reason.REASON_BUSY) {
    const why = `job ${value} of schedule ${quoted(scheduleId)} has not ended`;
    const advice = "wait for its end, or ask with allow_overlap to run one beside it";
    const metadata = { schedule_id: scheduleId, job_id: value };
    return refusal("SCHEDULE_BUSY", `${why}: ${advice}`, { metadata });
  }
  const message = `schedule ${quoted(scheduleId)} is there already, with another rule or job`;
  return refusal("SCHEDULE_EXISTS", message, { metadata: { schedule_id: scheduleId } });
}

function unexpected(result: Applied["result"]): Error {
  return new Error(`a schedule's command answered with ${result?.$case ?? "nothing"}`);
}
