// Ledger commands as the bytes inside log entries, and as the message that clients propose.
//
// Guarantees: decodeCommand never throws: bytes that this version cannot read become "unknown",
// which the ledger applies as nothing, so that no entry can stop a replica. What is encoded here
// decodes to the same value.
// Does not own: what a leader accepts (command-check.ts).

import { JITTER_DEFAULT } from "../ledger/backoff.ts";
import type {
  Command,
  CommandBody,
  JobSpec,
  Kind,
  LockRef,
  ReportedOutcome,
} from "../ledger/command.ts";
import type { Backoff, JobError } from "../ledger/job.ts";
import {
  Outcome,
  type Backoff as WireBackoff,
  Command as WireCommand,
  type JobSpec as WireJobSpec,
  type Kind as WireKind,
} from "../protos/gen/ledger/v1/command.ts";
import { ChildFailurePolicy as WirePolicy } from "../protos/gen/ledger/v1/family.ts";
import { jobCommandFromWire, jobCommandToWire } from "./job-command-codec.ts";
import { fromWireSet, toWireDrain, toWireKeys, toWireSet } from "./queue-codec.ts";
import { ruleFromLog, ruleToLog, tickToLog } from "./schedule-codec.ts";
import { CHILD_FAILURE_TO_WIRE } from "./snapshot-fields.ts";

const UNKNOWN: CommandBody = { kind: "unknown" };

const OUTCOME_TO_WIRE: Readonly<Record<ReportedOutcome, Outcome>> = {
  succeeded: Outcome.OUTCOME_SUCCEEDED,
  failed: Outcome.OUTCOME_FAILED,
  "timed-out": Outcome.OUTCOME_TIMED_OUT,
  "handed-back": Outcome.OUTCOME_HANDED_BACK,
  fenced: Outcome.OUTCOME_FENCED,
};
const OUTCOME_FROM_WIRE = new Map<number, ReportedOutcome>([
  [Outcome.OUTCOME_SUCCEEDED, "succeeded"],
  [Outcome.OUTCOME_FAILED, "failed"],
  [Outcome.OUTCOME_TIMED_OUT, "timed-out"],
  [Outcome.OUTCOME_HANDED_BACK, "handed-back"],
  [Outcome.OUTCOME_FENCED, "fenced"],
]);

export function encodeCommand(command: Command): Uint8Array {
  const wire = commandBodyToWire(command.body);
  wire.timeMs = command.timeMs;
  wire.random = command.random;
  return WireCommand.encode(wire).finish();
}

export function decodeCommand(bytes: Uint8Array): Command {
  let wire: WireCommand;
  try {
    wire = WireCommand.decode(bytes);
  } catch {
    // The generated decoder's only way to say "malformed" is to throw.
    return { timeMs: 0, random: 0, body: UNKNOWN };
  }
  return { timeMs: wire.timeMs, random: wire.random, body: commandFromWire(wire) };
}

/** Time and randomness are left at 0, for the leader to fill. */
export function commandBodyToWire(body: CommandBody): WireCommand {
  return { timeMs: 0, random: 0, command: oneofOf(body) };
}

/** The body of a command, "unknown" if this version has no meaning for it. */
export function commandFromWire(wire: WireCommand): CommandBody {
  const command = wire.command;
  switch (command?.$case) {
    case "submitJobs":
      return { kind: "submit-jobs", jobs: command.value.jobs.map(fromWireSpec) };
    case "startAttempt":
      return { kind: "start-attempt", ...command.value };
    case "renewLeases":
      return { kind: "renew-leases", ...command.value };
    case "finishAttempt": {
      const { jobId, token, worker } = command.value;
      const outcome = OUTCOME_FROM_WIRE.get(command.value.outcome);
      if (outcome === undefined) return UNKNOWN;
      const hasResult = outcome === "succeeded";
      const result = hasResult ? command.value.result : null;
      const error = hasResult ? null : (command.value.error ?? null);
      return { kind: "finish-attempt", jobId, token, worker, outcome, result, error };
    }
    case "cancelJob":
      return { kind: "cancel-job", ...command.value };
    case "registerKinds": {
      const kinds: Kind[] = [];
      for (const kind of command.value.kinds) {
        if (kind.backoff === undefined) return UNKNOWN;
        kinds.push({ ...kind, backoff: fromWireBackoff(kind.backoff) });
      }
      return { kind: "register-kinds", kinds };
    }
    case "setQueue":
      return fromWireSet(command.value);
    case "drainQueue":
      return { kind: "drain-queue", ...command.value };
    case "tick":
      return { kind: "tick" };
    case "openTerm":
      return { kind: "open-term", leader: command.value.leader };
    case "createSchedule": {
      const { scheduleId } = command.value;
      const rule = ruleFromLog(command.value.rule);
      if (rule === null || command.value.job === undefined) return UNKNOWN;
      return { kind: "create-schedule", scheduleId, rule, job: fromWireSpec(command.value.job) };
    }
    case "deleteSchedule":
      return { kind: "delete-schedule", scheduleId: command.value.scheduleId };
    case "setSchedulePaused":
      return { kind: "set-schedule-paused", ...command.value };
    case "triggerSchedule":
      return { kind: "trigger-schedule", ...command.value };
    case "tickSchedules":
      return { kind: "tick-schedules", ticks: command.value.ticks };
    case "checkpoint":
      return { kind: "checkpoint" };
    case "reportProgress":
    case "retryJob":
    case "retryJobs":
      return jobCommandFromWire(command);
    case "acquireLock":
      return { kind: "acquire-lock", ...command.value };
    case "renewLocks":
      return { kind: "renew-locks", ...command.value };
    case "releaseLocks":
      return { kind: "release-locks", ...command.value };
    case "forgetJobs":
      return { kind: "forget-jobs", ...command.value };
    case undefined:
      return UNKNOWN;
  }
}

function oneofOf(body: CommandBody): WireCommand["command"] {
  switch (body.kind) {
    case "submit-jobs":
      return { $case: "submitJobs", value: { jobs: body.jobs.map(toWireSpec) } };
    case "start-attempt": {
      const { jobId, worker, startId, leaseMs } = body;
      return { $case: "startAttempt", value: { jobId, worker, startId, leaseMs } };
    }
    case "renew-leases": {
      const renewals = body.renewals.map(({ jobId, token }) => ({ jobId, token }));
      return { $case: "renewLeases", value: { worker: body.worker, renewals } };
    }
    case "finish-attempt": {
      const { jobId, token, worker } = body;
      const outcome = OUTCOME_TO_WIRE[body.outcome];
      const result = bufferOf(body.result ?? new Uint8Array());
      const error = body.error === null ? undefined : errorOf(body.error);
      return { $case: "finishAttempt", value: { jobId, token, worker, outcome, result, error } };
    }
    case "cancel-job":
      return { $case: "cancelJob", value: { jobId: body.jobId, reason: body.reason } };
    case "register-kinds":
      return { $case: "registerKinds", value: { kinds: body.kinds.map(toWireKind) } };
    case "set-queue":
      return { $case: "setQueue", value: toWireSet(body) };
    case "drain-queue":
      return { $case: "drainQueue", value: toWireDrain(body) };
    case "tick":
      return { $case: "tick", value: {} };
    case "open-term":
      return { $case: "openTerm", value: { leader: body.leader } };
    case "create-schedule": {
      const { scheduleId, rule, job } = body;
      const value = { scheduleId, rule: ruleToLog(rule), job: toWireSpec(job) };
      return { $case: "createSchedule", value };
    }
    case "delete-schedule":
      return { $case: "deleteSchedule", value: { scheduleId: body.scheduleId } };
    case "set-schedule-paused": {
      const { scheduleId, isPaused } = body;
      return { $case: "setSchedulePaused", value: { scheduleId, isPaused } };
    }
    case "trigger-schedule": {
      const { kind: _, ...value } = body;
      return { $case: "triggerSchedule", value };
    }
    case "tick-schedules":
      return { $case: "tickSchedules", value: { ticks: body.ticks.map(tickToLog) } };
    case "checkpoint":
      return { $case: "checkpoint", value: {} };
    case "report-progress":
    case "retry-job":
    case "retry-jobs":
      return jobCommandToWire(body);
    case "acquire-lock": {
      const { owner, requestId, ttlMs, waitMs } = body;
      const lockKeys = [...body.lockKeys];
      return { $case: "acquireLock", value: { lockKeys, owner, requestId, ttlMs, waitMs } };
    }
    case "renew-locks":
      return { $case: "renewLocks", value: { locks: body.locks.map(refOf) } };
    case "release-locks":
      return { $case: "releaseLocks", value: { locks: body.locks.map(refOf) } };
    case "forget-jobs": {
      const { kind: _, ...value } = body;
      return { $case: "forgetJobs", value };
    }
    case "unknown":
      return undefined;
  }
}

export function fromWireSpec(wire: WireJobSpec): JobSpec {
  const isRun = wire.onChildFailure === WirePolicy.CHILD_FAILURE_POLICY_RUN_PARENT;
  const onChildFailure = isRun ? "run-parent" : "fail-parent";
  const backoff = wire.backoff === undefined ? null : fromWireBackoff(wire.backoff);
  return { ...wire, backoff, onChildFailure };
}

function fromWireBackoff({ jitter = JITTER_DEFAULT, ...backoff }: WireBackoff): Backoff {
  return { ...backoff, jitter };
}

export function toWireSpec(spec: JobSpec): WireJobSpec {
  return {
    kind: spec.kind,
    queue: spec.queue,
    payload: bufferOf(spec.payload),
    priority: spec.priority,
    runAtMs: spec.runAtMs,
    maxAttempts: spec.maxAttempts,
    backoff: spec.backoff === null ? undefined : backoffOf(spec.backoff),
    attemptTimeoutMs: spec.attemptTimeoutMs,
    lockKeys: [...spec.lockKeys],
    idempotencyKey: spec.idempotencyKey,
    traceparent: spec.traceparent,
    concurrencyKeys: toWireKeys(spec.concurrencyKeys),
    totalTimeoutMs: spec.totalTimeoutMs,
    parent: spec.parent,
    onChildFailure: CHILD_FAILURE_TO_WIRE[spec.onChildFailure],
  };
}

function toWireKind(kind: Kind): WireKind {
  return {
    kind: kind.kind,
    queue: kind.queue,
    maxAttempts: kind.maxAttempts,
    backoff: backoffOf(kind.backoff),
    attemptTimeoutMs: kind.attemptTimeoutMs,
    lockTemplates: [...kind.lockTemplates],
    concurrencyTemplates: toWireKeys(kind.concurrencyTemplates),
    totalTimeoutMs: kind.totalTimeoutMs,
  };
}

function refOf({ lockId, token }: LockRef): LockRef {
  return { lockId, token };
}

function backoffOf({ initialMs, multiplier, maxMs, jitter }: Backoff): WireBackoff {
  return { initialMs, multiplier, maxMs, jitter };
}

function errorOf({ code, message, retryable }: JobError): JobError {
  return { code, message, retryable };
}

/** The same memory as a Buffer, which the generated code asks for. */
function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
