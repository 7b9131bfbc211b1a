// An entry of the log as an operator sees it: what it does to whom, for TailLog.
//
// Guarantees: no byte of a payload or result is in it, only how many there are. Every text and list
// is cut, so that the largest batch still fits a message. Total: an entry that this version cannot
// read is shown as such, with its length.
// Does not own: which entries may be shown (read-server.ts).

import type { Command, CommandBody, JobSpec } from "../ledger/command.ts";
import type { ScheduleRule, ScheduleTick } from "../ledger/schedule.ts";
import type { LogEntry } from "../protos/gen/quorumq/v1/cluster_service.ts";
import { decodeConfiguration } from "../raft/configuration.ts";
import { type Entry, EntryKind, type NodeId } from "../raft/message.ts";
import { decodeCommand } from "./command-codec.ts";
import { LOG_DETAIL_ITEMS_MAX, LOG_DETAIL_TEXT_LENGTH_MAX } from "./limit.ts";
import { nameOf } from "./member-id.ts";

/** As JSON takes it; NaN and the infinities become null there. */
type Detail = Readonly<Record<string, unknown>>;

export function logEntryOf({ index, term, kind, data }: Entry): LogEntry {
  switch (kind) {
    case EntryKind.NoOp:
      return { index, term, kind: "no-op", timeMs: 0, detail: "{}" };
    case EntryKind.Configuration: {
      const detail = JSON.stringify(configurationDetail(data));
      return { index, term, kind: "configuration", timeMs: 0, detail };
    }
    case EntryKind.Command: {
      const { timeMs, body } = decodeCommand(data);
      const detail = JSON.stringify(
        body.kind === "unknown" ? { bytes: data.byteLength } : commandDetail(body),
      );
      return { index, term, kind: body.kind, timeMs: wholeOf(timeMs), detail };
    }
  }
}

function configurationDetail(data: Uint8Array): Detail {
  const configuration = decodeConfiguration(data);
  if (configuration === null) return { bytes: data.byteLength };
  const { voters, outgoing, learners } = configuration;
  return {
    voters: names(voters),
    ...(outgoing.length === 0 ? {} : { outgoing: names(outgoing) }),
    ...(learners.length === 0 ? {} : { learners: names(learners) }),
  };
}

function names(ids: readonly NodeId[]): readonly unknown[] {
  return list(ids, (id) => cut(nameOf(id)));
}

function commandDetail(body: Exclude<CommandBody, { kind: "unknown" }>): Detail {
  switch (body.kind) {
    case "submit-jobs":
      return { count: body.jobs.length, jobs: list(body.jobs, jobDetail) };
    case "start-attempt": {
      const { jobId, worker, leaseMs } = body;
      return { jobId: cut(jobId), worker: cut(worker), leaseMs };
    }
    case "renew-leases": {
      const renewals = list(body.renewals, ({ jobId, token }) => ({ jobId: cut(jobId), token }));
      return { worker: cut(body.worker), count: body.renewals.length, renewals };
    }
    case "finish-attempt":
      return finishDetail(body);
    case "cancel-job":
      return { jobId: cut(body.jobId), reason: cut(body.reason) };
    case "report-progress": {
      // Progress and lines may hold what the handler was given: only how much there is.
      const reports = list(body.reports, ({ jobId, token, progress, lineCount }) => ({
        jobId: cut(jobId),
        token,
        ...(progress === null ? {} : { progressBytes: progress.byteLength }),
        ...(lineCount === 0 ? {} : { lines: lineCount }),
      }));
      return { worker: cut(body.worker), count: body.reports.length, reports };
    }
    case "retry-job":
      return { jobId: cut(body.jobId), requestId: cut(body.requestId) };
    case "retry-jobs": {
      const { filter, fromNumber, requestId } = body;
      const shown = Object.entries(filter).filter(([, value]) => value !== "" && value !== 0);
      const texts = shown.map(([name, value]) => [name, cut(String(value))]);
      return { ...Object.fromEntries(texts), fromNumber, requestId: cut(requestId) };
    }
    case "register-kinds": {
      const kinds = list(body.kinds, ({ kind, queue }) => ({ kind: cut(kind), queue: cut(queue) }));
      return { count: body.kinds.length, kinds };
    }
    case "set-queue": {
      const { kind, queue, ...set } = body;
      const given = Object.entries(set).filter(([, value]) => value !== null);
      return { queue: cut(queue), ...Object.fromEntries(given) };
    }
    case "drain-queue": {
      const { withScheduled, jobsMax } = body;
      return { queue: cut(body.queue), withScheduled, jobsMax, reason: cut(body.reason) };
    }
    case "acquire-lock": {
      const { owner, ttlMs, waitMs } = body;
      const lockKeys = list(body.lockKeys, cut);
      return { lockKeys, owner: cut(owner), ttlMs, ...(waitMs === 0 ? {} : { waitMs }) };
    }
    case "renew-locks":
    case "release-locks": {
      const locks = list(body.locks, ({ lockId, token }) => ({ lockId: cut(lockId), token }));
      return { count: body.locks.length, locks };
    }
    case "tick":
    case "checkpoint":
      return {};
    case "forget-jobs": {
      const { endedBeforeMs, keptMax, limit } = body;
      return { endedBeforeMs, keptMax, limit };
    }
    case "open-term":
      return { leader: cut(body.leader) };
    case "create-schedule": {
      const { scheduleId, rule, job } = body;
      return { scheduleId: cut(scheduleId), rule: ruleDetail(rule), job: jobDetail(job) };
    }
    case "delete-schedule":
      return { scheduleId: cut(body.scheduleId) };
    case "trigger-schedule": {
      const { mayOverlap } = body;
      const [scheduleId, idempotencyKey] = [cut(body.scheduleId), cut(body.idempotencyKey)];
      return { scheduleId, idempotencyKey, ...(mayOverlap ? { mayOverlap } : {}) };
    }
    case "set-schedule-paused":
      return { scheduleId: cut(body.scheduleId), isPaused: body.isPaused };
    case "tick-schedules":
      return { count: body.ticks.length, ticks: list(body.ticks, tickDetail) };
  }
}

function finishDetail(body: Extract<Command["body"], { kind: "finish-attempt" }>): Detail {
  const { jobId, token, worker, outcome, result, error } = body;
  return {
    jobId: cut(jobId),
    token,
    worker: cut(worker),
    outcome,
    ...(result === null ? {} : { resultBytes: result.byteLength }),
    // A handler may put into its message what it was given, so only the code is shown.
    ...(error === null ? {} : { error: cut(error.code), retryable: error.retryable }),
  };
}

/** What is as it is by default is left out. */
function ruleDetail(rule: ScheduleRule): Detail {
  const { cron, timeZone, intervalMs, startMs, endMs, overlap, missed } = rule;
  return {
    ...(cron === "" ? { intervalMs } : { cron: cut(cron), timeZone: cut(timeZone) }),
    ...(startMs === 0 ? {} : { startMs }),
    ...(endMs === 0 ? {} : { endMs }),
    overlap,
    missed,
  };
}

function tickDetail(tick: ScheduleTick): Detail {
  const { scheduleId, slots, nextSlotMs, hasGap } = tick;
  return {
    scheduleId: cut(scheduleId),
    slots: list(slots, (slotMs) => slotMs),
    nextSlotMs,
    ...(hasGap ? { hasGap } : {}),
  };
}

/** What is as the kind has it is left out. */
function jobDetail(job: JobSpec): Detail {
  return {
    kind: cut(job.kind),
    ...(job.queue === "" ? {} : { queue: cut(job.queue) }),
    payloadBytes: job.payload.byteLength,
    ...(job.priority === 0 ? {} : { priority: job.priority }),
    ...(job.runAtMs === 0 ? {} : { runAtMs: job.runAtMs }),
    ...(job.maxAttempts === 0 ? {} : { maxAttempts: job.maxAttempts }),
    ...(job.totalTimeoutMs === 0 ? {} : { totalTimeoutMs: job.totalTimeoutMs }),
    ...(job.lockKeys.length === 0 ? {} : { lockKeys: list(job.lockKeys, cut) }),
    ...(job.concurrencyKeys.length === 0
      ? {}
      : { concurrencyKeys: list(job.concurrencyKeys, ({ key }) => cut(key)) }),
    ...(job.parent === 0 ? {} : { parent: job.parent }),
    ...(job.onChildFailure === "fail-parent" ? {} : { onChildFailure: job.onChildFailure }),
    ...(job.idempotencyKey === "" ? {} : { idempotencyKey: cut(job.idempotencyKey) }),
  };
}

/** The first ones; what is left out is counted by the last element. */
function list<T>(items: readonly T[], show: (item: T) => unknown): readonly unknown[] {
  const shown = items.slice(0, LOG_DETAIL_ITEMS_MAX).map(show);
  const left = items.length - shown.length;
  return left === 0 ? shown : [...shown, `and ${left} more`];
}

function cut(text: string): string {
  const isLong = text.length > LOG_DETAIL_TEXT_LENGTH_MAX;
  return isLong ? `${text.slice(0, LOG_DETAIL_TEXT_LENGTH_MAX)}…` : text;
}

/** What a field of the protocol can carry. */
function wholeOf(ms: number): number {
  return Number.isSafeInteger(ms) && ms >= 0 ? ms : 0;
}
