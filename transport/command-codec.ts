// Ledger commands as the bytes inside log entries, and as the message that clients propose.
//
// Guarantees: decodeCommand never throws: bytes that this version cannot read become "unknown",
// which the ledger applies as nothing, so that no entry can stop a replica. What is encoded here
// decodes to the same value.
// Does not own: what a leader accepts (command-check.ts).

import type { Command, CommandBody, JobSpec, Kind, ReportedOutcome } from "../ledger/command.ts";
import type { Backoff, JobError } from "../ledger/job.ts";
import {
  Outcome,
  Command as WireCommand,
  type JobSpec as WireJobSpec,
  type Kind as WireKind,
} from "../protos/gen/ledger/v1/command.ts";

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
        kinds.push({ ...kind, backoff: kind.backoff });
      }
      return { kind: "register-kinds", kinds };
    }
    case "tick":
      return { kind: "tick" };
    case "openTerm":
      return { kind: "open-term", leader: command.value.leader };
    case "checkpoint":
      return { kind: "checkpoint" };
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
    case "tick":
      return { $case: "tick", value: {} };
    case "open-term":
      return { $case: "openTerm", value: { leader: body.leader } };
    case "checkpoint":
      return { $case: "checkpoint", value: {} };
    case "unknown":
      return undefined;
  }
}

function fromWireSpec(wire: WireJobSpec): JobSpec {
  return { ...wire, backoff: wire.backoff ?? null };
}

function toWireSpec(spec: JobSpec): WireJobSpec {
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
  };
}

function backoffOf({ initialMs, multiplier, maxMs }: Backoff): Backoff {
  return { initialMs, multiplier, maxMs };
}

function errorOf({ code, message, retryable }: JobError): JobError {
  return { code, message, retryable };
}

/** The same memory as a Buffer, which the generated code asks for. */
function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
