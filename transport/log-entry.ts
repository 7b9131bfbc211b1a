// An entry of the log as an operator sees it: what it does to whom, for TailLog.
//
// Guarantees: no byte of a payload or result is in it, only how many there are. Every text and list
// is cut, so that the largest batch still fits a message. Total: an entry that this version cannot
// read is shown as such, with its length.
// Does not own: which entries may be shown (read-server.ts).

import type { Command, CommandBody, JobSpec } from "../ledger/command.ts";
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
    case "register-kinds": {
      const kinds = list(body.kinds, ({ kind, queue }) => ({ kind: cut(kind), queue: cut(queue) }));
      return { count: body.kinds.length, kinds };
    }
    case "tick":
    case "checkpoint":
      return {};
    case "open-term":
      return { leader: cut(body.leader) };
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

/** What is as the kind has it is left out. */
function jobDetail(job: JobSpec): Detail {
  return {
    kind: cut(job.kind),
    ...(job.queue === "" ? {} : { queue: cut(job.queue) }),
    payloadBytes: job.payload.byteLength,
    ...(job.priority === 0 ? {} : { priority: job.priority }),
    ...(job.runAtMs === 0 ? {} : { runAtMs: job.runAtMs }),
    ...(job.maxAttempts === 0 ? {} : { maxAttempts: job.maxAttempts }),
    ...(job.lockKeys.length === 0 ? {} : { lockKeys: list(job.lockKeys, cut) }),
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
