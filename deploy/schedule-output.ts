// How schedules look on a terminal, and as JSON for programs.
//
// Guarantees: JSON has the protos' fields, policies by their word, and the payload as the JSON it
// is.

import { ChildFailurePolicy, type JobSpec, JobState } from "../protos/gen/quorumq/v1/job.ts";
import type { TriggerScheduleResponse } from "../protos/gen/quorumq/v1/job_service.ts";
import { MissedPolicy, OverlapPolicy, type Schedule } from "../protos/gen/quorumq/v1/schedule.ts";
import {
  type Form,
  printFields,
  printJson,
  printLine,
  printTable,
  withDurations,
  wordOf,
} from "./print.ts";

export function printSchedule(schedule: Schedule, form: Form): void {
  if (form === "json") {
    printJson(plain(schedule));
    return;
  }
  const { job } = schedule;
  printFields({
    id: schedule.id,
    job: job === undefined ? "" : `${job.kind}${job.queue === "" ? "" : ` in queue ${job.queue}`}`,
    payload: job?.payload.toString("utf8") ?? "",
    slots: timingOf(schedule),
    overlap: overlapWord(schedule),
    missed: `${missedWord(schedule)}, after ${secondsOf(schedule.missedAfter)} s`,
    from: schedule.startTime?.toISOString() ?? "",
    until: schedule.endTime?.toISOString() ?? "",
    next: nextOf(schedule),
    "after that": schedule.upcomingTimes
      .slice(1)
      .map((time) => time.toISOString())
      .join(", "),
    last: lastOf(schedule),
    open: schedule.openCount === 0 ? "" : `${schedule.openCount} not ended`,
    counts: countsOf(schedule),
    created: schedule.createTime?.toISOString() ?? "",
    "log index": String(schedule.logIndex),
  });
}

export function printSchedules(schedules: readonly Schedule[], form: Form): void {
  if (form === "json") {
    printJson(schedules.map(plain));
    return;
  }
  printTable(
    ["ID", "KIND", "SLOTS", "NEXT", "LAST", "STATE", "JOBS"],
    schedules.map((schedule) => [
      schedule.id,
      schedule.job?.kind ?? "",
      timingOf(schedule),
      nextOf(schedule),
      schedule.lastTime?.toISOString() ?? "",
      stateOf(schedule),
      String(schedule.firedCount + schedule.triggeredCount),
    ]),
  );
}

export function printDeleted(scheduleId: string, hasExisted: boolean, form: Form): void {
  if (form === "json") printJson({ existed: hasExisted });
  else printLine(hasExisted ? `deleted ${scheduleId}` : `there is no schedule ${scheduleId}`);
}

/** The id alone is what scripts want. */
export function printTriggered(answer: TriggerScheduleResponse, form: Form): void {
  if (form === "json") printJson(answer);
  else printLine(answer.jobId);
}

function timingOf({ cron, timeZone, interval }: Schedule): string {
  return cron === "" ? `every ${secondsOf(interval)} s` : `${cron} (${timeZone})`;
}

function nextOf({ nextTime, paused }: Schedule): string {
  return paused ? "paused" : (nextTime?.toISOString() ?? "none");
}

function lastOf(schedule: Schedule): string {
  const { lastTime, lastJobId } = schedule;
  if (lastTime === undefined) return "";
  return `${lastTime.toISOString()}, job ${lastJobId} ${stateOf(schedule) || "forgotten"}`;
}

/** Of its last slot's job. */
function stateOf({ lastJobState }: Schedule): string {
  const isKnown = lastJobState !== JobState.JOB_STATE_UNSPECIFIED;
  return isKnown ? wordOf(JobState, lastJobState, "JOB_STATE_") : "";
}

/** What has not happened is left out. */
function countsOf(schedule: Schedule): string {
  const counts = [
    [schedule.firedCount, "jobs"],
    [schedule.pendingCount, "waiting"],
    [schedule.skippedCount, "skipped"],
    [schedule.missedCount, "missed"],
    [schedule.refusedCount, "refused"],
    [schedule.gapCount, "gaps"],
    [schedule.triggeredCount, "by hand"],
  ] as const;
  const told = counts.filter(([count], at) => at === 0 || count > 0);
  return told.map(([count, what]) => `${count} ${what}`).join(", ");
}

function plain(schedule: Schedule): Record<string, unknown> {
  const { job } = schedule;
  const payload = job?.payload.toString("utf8") ?? "";
  return {
    ...withDurations(schedule),
    overlap: overlapWord(schedule),
    missed: missedWord(schedule),
    lastJobState: stateOf(schedule),
    job:
      job === undefined
        ? null
        : { ...plainSpec(job), payload: payload === "" ? null : JSON.parse(payload) },
  };
}

function plainSpec(job: JobSpec): Record<string, unknown> {
  const policy = wordOf(ChildFailurePolicy, job.onChildFailure, "CHILD_FAILURE_POLICY_");
  return { ...withDurations(job), onChildFailure: policy };
}

function overlapWord({ overlap }: Schedule): string {
  return wordOf(OverlapPolicy, overlap, "OVERLAP_POLICY_");
}

function missedWord({ missed }: Schedule): string {
  return wordOf(MissedPolicy, missed, "MISSED_POLICY_");
}

function secondsOf(duration: Schedule["interval"]): number {
  return duration === undefined ? 0 : duration.seconds + duration.nanos / 1e9;
}
