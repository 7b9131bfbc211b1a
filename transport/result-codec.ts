// What the ledger answers and remembers, as clients see it: results, jobs, states and outcomes.
//
// Guarantees: nothing of the ledger's own objects is kept by what is returned here, so it may be
// held while the ledger goes on; each state and outcome has exactly one number on the wire.
// Does not own: HTTP or gRPC status (grpc/status.ts).

import type { Attempt, AttemptOutcome, Backoff, Job, JobState, Receipt } from "../ledger/job.ts";
import type { Fenced, Result } from "../ledger/result.ts";
import type { Duration } from "../protos/gen/google/protobuf/duration.ts";
import {
  StartRefused_Reason as StartReason,
  SubmitRefused_Reason as SubmitReason,
  type Applied as WireApplied,
  type Fenced as WireFenced,
} from "../protos/gen/node/v1/exchange.ts";
import {
  type Attempt as WireAttempt,
  type Backoff as WireBackoff,
  type Job as WireJob,
  AttemptOutcome as WireOutcome,
  type Receipt as WireReceipt,
  JobState as WireState,
} from "../protos/gen/quorumq/v1/job.ts";
import { TIME_MS_MAX } from "./limit.ts";
import { traceIdOf } from "./telemetry/trace.ts";

type SubmitRefusal = Extract<Result, { kind: "submit-refused" }>["reason"];
type StartRefusal = Extract<Result, { kind: "start-refused" }>["reason"];

const STATE_TO_WIRE: Readonly<Record<JobState, WireState>> = {
  scheduled: WireState.JOB_STATE_SCHEDULED,
  queued: WireState.JOB_STATE_QUEUED,
  running: WireState.JOB_STATE_RUNNING,
  succeeded: WireState.JOB_STATE_SUCCEEDED,
  failed: WireState.JOB_STATE_FAILED,
  cancelled: WireState.JOB_STATE_CANCELLED,
};

const OUTCOME_TO_WIRE: Readonly<Record<AttemptOutcome, WireOutcome>> = {
  started: WireOutcome.ATTEMPT_OUTCOME_STARTED,
  succeeded: WireOutcome.ATTEMPT_OUTCOME_SUCCEEDED,
  failed: WireOutcome.ATTEMPT_OUTCOME_FAILED,
  "timed-out": WireOutcome.ATTEMPT_OUTCOME_TIMED_OUT,
  lost: WireOutcome.ATTEMPT_OUTCOME_LOST,
  fenced: WireOutcome.ATTEMPT_OUTCOME_FENCED,
  cancelled: WireOutcome.ATTEMPT_OUTCOME_CANCELLED,
  "handed-back": WireOutcome.ATTEMPT_OUTCOME_HANDED_BACK,
};

const SUBMIT_REFUSAL_TO_WIRE: Readonly<Record<SubmitRefusal, SubmitReason>> = {
  "unknown-kind": SubmitReason.REASON_UNKNOWN_KIND,
  "unknown-queue": SubmitReason.REASON_UNKNOWN_QUEUE,
  "idempotency-key-reused": SubmitReason.REASON_IDEMPOTENCY_KEY_REUSED,
  "lock-template-unfilled": SubmitReason.REASON_LOCK_TEMPLATE_UNFILLED,
};

const START_REFUSAL_TO_WIRE: Readonly<Record<StartRefusal, StartReason>> = {
  finished: StartReason.REASON_FINISHED,
  cancelled: StartReason.REASON_CANCELLED,
  held: StartReason.REASON_HELD,
  locked: StartReason.REASON_LOCKED,
  "not-due": StartReason.REASON_NOT_DUE,
};

const STATE_FROM_WIRE = inverse(STATE_TO_WIRE);
const OUTCOME_FROM_WIRE = inverse(OUTCOME_TO_WIRE);

export function toWireState(state: JobState): WireState {
  return STATE_TO_WIRE[state];
}

/** null: unspecified, or of a newer version. */
export function fromWireState(state: number): JobState | null {
  return STATE_FROM_WIRE.get(state) ?? null;
}

export function toWireOutcome(outcome: AttemptOutcome): WireOutcome {
  return OUTCOME_TO_WIRE[outcome];
}

/** null: unspecified, or of a newer version. */
export function fromWireOutcome(outcome: number): AttemptOutcome | null {
  return OUTCOME_FROM_WIRE.get(outcome) ?? null;
}

export function toWireApplied(index: number, result: Result): WireApplied {
  return { index, result: oneofOf(result) };
}

export interface WireJobOptions {
  /** False in lists: payloads and results may be 256 KiB each. */
  readonly hasBodies: boolean;
}

export function toWireJob(job: Readonly<Job>, { hasBodies }: WireJobOptions): WireJob {
  return {
    id: job.id,
    kind: job.kind,
    queue: job.queue,
    payload: hasBodies ? Buffer.from(job.payload) : Buffer.alloc(0),
    state: STATE_TO_WIRE[job.state],
    priority: job.priority,
    runAt: dateOf(job.runAtMs),
    maxAttempts: job.maxAttempts,
    backoff: toWireBackoff(job.backoff),
    attemptTimeout: job.attemptTimeoutMs === 0 ? undefined : durationOf(job.attemptTimeoutMs),
    lockKeys: [...job.lockKeys],
    idempotencyKey: job.idempotencyKey,
    result: hasBodies && job.result !== null ? Buffer.from(job.result) : Buffer.alloc(0),
    error: job.error === null ? undefined : { ...job.error },
    attempts: job.attempts.map(toWireAttempt),
    createTime: dateOf(job.createdMs),
    endTime: dateOf(job.endMs),
    logIndex: job.logIndex,
    changeIndex: job.changeIndex,
    traceId: traceIdOf(job.traceparent),
    receipts: job.receipts.map(toWireReceipt),
    refusedCount: job.refusedCount,
    waitingForLock: job.parkedFor,
  };
}

/** Whole milliseconds as seconds and nanoseconds. */
export function durationOf(ms: number): Duration {
  const seconds = Math.trunc(ms / 1_000);
  return { seconds, nanos: (ms - seconds * 1_000) * 1_000_000 };
}

function oneofOf(result: Result): WireApplied["result"] {
  switch (result.kind) {
    case "submitted":
      return { $case: "submitted", value: { jobs: result.jobs.map((job) => ({ ...job })) } };
    case "submit-refused": {
      const { position, value, jobId } = result;
      const reason = SUBMIT_REFUSAL_TO_WIRE[result.reason];
      return { $case: "submitRefused", value: { reason, position, value, jobId } };
    }
    case "started":
      return { $case: "started", value: startedOf(result) };
    case "start-refused": {
      const reason = START_REFUSAL_TO_WIRE[result.reason];
      return { $case: "startRefused", value: { reason, lockKey: result.lockKey } };
    }
    case "renewed":
      return { $case: "renewed", value: { stale: result.stale.map(toWireFenced) } };
    case "finished": {
      const state = STATE_TO_WIRE[result.state];
      return { $case: "finished", value: { state, nextAttemptMs: result.nextAttemptMs } };
    }
    case "fenced":
      return { $case: "fenced", value: toWireFenced(result) };
    case "cancelled":
      return { $case: "cancelled", value: { job: toWireJob(result.job, { hasBodies: true }) } };
    case "cancel-refused":
      return { $case: "cancelRefused", value: { state: STATE_TO_WIRE[result.state] } };
    case "job-not-found":
      return { $case: "jobNotFound", value: { jobId: result.jobId } };
    case "done":
      return { $case: "done", value: {} };
  }
}

function startedOf({ token, number, job }: Extract<Result, { kind: "started" }>) {
  return {
    token,
    number,
    kind: job.kind,
    queue: job.queue,
    payload: Buffer.from(job.payload),
    lockKeys: [...job.lockKeys],
    maxAttempts: job.maxAttempts,
    attemptTimeoutMs: job.attemptTimeoutMs,
    traceparent: job.traceparent,
  };
}

function toWireFenced({ jobId, token, currentToken, state }: Fenced): WireFenced {
  return { jobId, token, currentToken, state: STATE_TO_WIRE[state] };
}

function toWireAttempt(attempt: Attempt): WireAttempt {
  return {
    number: attempt.number,
    worker: attempt.worker,
    token: attempt.token,
    startTime: dateOf(attempt.startMs),
    endTime: dateOf(attempt.endMs),
    outcome: OUTCOME_TO_WIRE[attempt.outcome],
    error: attempt.error === null ? undefined : { ...attempt.error },
  };
}

function toWireReceipt(receipt: Receipt): WireReceipt {
  return {
    token: receipt.token,
    currentToken: receipt.currentToken,
    worker: receipt.worker,
    tried: receipt.tried,
    refuseTime: dateOf(receipt.refusedMs),
  };
}

function toWireBackoff({ initialMs, multiplier, maxMs }: Backoff): WireBackoff {
  return { initial: durationOf(initialMs), multiplier, max: durationOf(maxMs) };
}

/** 0 is the ledger's "not yet"; a Timestamp ends with the year 9999. */
function dateOf(ms: number): Date | undefined {
  return ms === 0 ? undefined : new Date(Math.min(ms, TIME_MS_MAX));
}

function inverse<K extends string>(table: Readonly<Record<K, number>>): ReadonlyMap<number, K> {
  const pairs: [number, K][] = [];
  for (const key in table) pairs.push([table[key], key]);
  return new Map(pairs);
}
