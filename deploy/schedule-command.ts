// What the schedule commands do.
//
// Guarantees: the answer goes to stdout in the form asked for, and nothing else does. Deleting a
// schedule that is not there is no failure, and is told.
// Does not own: how an answer looks (schedule-output.ts), nor refusals (exit-code.ts).

import { MissedPolicy, OverlapPolicy, Schedule } from "../protos/gen/quorumq/v1/schedule.ts";
import { Code, PipelineError } from "../transport/pipeline-error.ts";
import { durationOf } from "../transport/wire-value.ts";
import type { Ask, AskCommand } from "./ask.ts";
import { specOf } from "./client-command.ts";
import { ExitCode } from "./exit-code.ts";
import { printDeleted, printSchedule, printSchedules, printTriggered } from "./schedule-output.ts";

export const SCHEDULE_COMMANDS = {
  create,
  get,
  list,
  delete: remove,
  pause,
  resume,
  run,
} as const satisfies Readonly<Record<string, AskCommand>>;

const PAGE_SIZE_MAX = 1_000;

async function create(ask: Ask): Promise<ExitCode> {
  const { connection, form, timeoutMs } = ask;
  const schedule = await scheduleOf(ask);
  const answer = await connection.jobs.createSchedule({ schedule }, { timeoutMs: timeoutMs() });
  if (!answer.created) process.stderr.write("the same schedule was there already\n");
  printSchedule(present(answer.schedule), form);
  return ExitCode.Ok;
}

async function get({ connection, words, form, timeoutMs }: Ask): Promise<ExitCode> {
  const request = { scheduleId: words[0] ?? "" };
  const answer = await connection.jobs.getSchedule(request, { timeoutMs: timeoutMs() });
  printSchedule(present(answer.schedule), form);
  return ExitCode.Ok;
}

async function list({ connection, options, form, timeoutMs }: Ask): Promise<ExitCode> {
  const limit = Number(options["limit"]);
  const schedules: Schedule[] = [];
  for (let pageToken = ""; ; ) {
    const pageSize = Math.min(limit - schedules.length, PAGE_SIZE_MAX);
    const request = { pageSize, pageToken };
    const page = await connection.jobs.listSchedules(request, { timeoutMs: timeoutMs() });
    schedules.push(...page.schedules);
    pageToken = page.nextPageToken;
    if (pageToken === "" || schedules.length >= limit) break;
  }
  printSchedules(schedules, form);
  return ExitCode.Ok;
}

async function remove({ connection, words, form, timeoutMs }: Ask): Promise<ExitCode> {
  const scheduleId = words[0] ?? "";
  const request = { scheduleId };
  const { existed } = await connection.jobs.deleteSchedule(request, { timeoutMs: timeoutMs() });
  printDeleted(scheduleId, existed, form);
  return ExitCode.Ok;
}

async function pause({ connection, words, form, timeoutMs }: Ask): Promise<ExitCode> {
  const request = { scheduleId: words[0] ?? "" };
  const answer = await connection.jobs.pauseSchedule(request, { timeoutMs: timeoutMs() });
  printSchedule(present(answer.schedule), form);
  return ExitCode.Ok;
}

async function resume({ connection, words, form, timeoutMs }: Ask): Promise<ExitCode> {
  const request = { scheduleId: words[0] ?? "" };
  const answer = await connection.jobs.resumeSchedule(request, { timeoutMs: timeoutMs() });
  printSchedule(present(answer.schedule), form);
  return ExitCode.Ok;
}

async function run({ connection, words, options, form, timeoutMs }: Ask): Promise<ExitCode> {
  const request = {
    scheduleId: words[0] ?? "",
    idempotencyKey: String(options["key"] ?? ""),
    allowOverlap: options["beside"] === true,
  };
  const answer = await connection.jobs.triggerSchedule(request, { timeoutMs: timeoutMs() });
  if (answer.deduplicated) process.stderr.write("the key was used before: this is its job\n");
  printTriggered(answer, form);
  return ExitCode.Ok;
}

async function scheduleOf(ask: Ask): Promise<Schedule> {
  const { options } = ask;
  const { every, missedAfter, start, end } = options;
  return Schedule.fromPartial({
    id: String(options["id"] ?? ""),
    cron: String(options["cron"] ?? ""),
    timeZone: String(options["timeZone"] ?? ""),
    job: await specOf(ask),
    overlap: policyOf(OverlapPolicy, "OVERLAP_POLICY_", options["overlap"]),
    missed: policyOf(MissedPolicy, "MISSED_POLICY_", options["missed"]),
    ...(every === undefined ? {} : { interval: durationOf(Number(every)) }),
    ...(missedAfter === undefined ? {} : { missedAfter: durationOf(Number(missedAfter)) }),
    ...(start instanceof Date ? { startTime: start } : {}),
    ...(end instanceof Date ? { endTime: end } : {}),
  });
}

function policyOf<T extends number>(
  policies: Readonly<Record<string, T>>,
  prefix: string,
  word: unknown,
): T {
  const policy = policies[`${prefix}${String(word).toUpperCase()}`];
  if (policy === undefined) throw new Error(`${String(word)} is no policy`);
  return policy;
}

function present(schedule: Schedule | undefined): Schedule {
  if (schedule !== undefined) return schedule;
  throw new PipelineError("the gateway answered without a schedule", {
    code: Code.Internal,
    reason: "INTERNAL",
    retry: "never",
  });
}
