// What the ledger answers and remembers, as clients see it: results, jobs, states and outcomes.
//
// Guarantees: nothing of the ledger's own objects is kept by what is returned here, so it may be
// held while the ledger goes on; each state and outcome has exactly one number on the wire.
// Does not own: HTTP or gRPC status (grpc/status.ts).

import type {
  Attempt,
  AttemptOutcome,
  ChildFailurePolicy,
  EndedRun,
  Job,
  JobState,
  LogLine,
  Receipt,
} from "../ledger/job.ts";
import type { Fenced, Result } from "../ledger/result.ts";
import {
  StartRefused_Reason as StartReason,
  SubmitRefused_Reason as SubmitReason,
  type Applied as WireApplied,
  type Fenced as WireFenced,
} from "../protos/gen/node/v1/exchange.ts";
import {
  type Attempt as WireAttempt,
  type ChildEnd as WireChildEnd,
  type EndedRun as WireEndedRun,
  type Job as WireJob,
  type LogLine as WireLogLine,
  AttemptOutcome as WireOutcome,
  ChildFailurePolicy as WirePolicy,
  type Receipt as WireReceipt,
  type JobState as WireState,
} from "../protos/gen/quorumq/v1/job.ts";
import { STATE_TO_WIRE } from "./job-state-codec.ts";
import { CHILD_ERROR_LENGTH_MAX, CHILD_RESULTS_BYTES_MAX } from "./limit.ts";
import { toWireRefused, toWireStanding } from "./lock-codec.ts";
import { toWireKeys, toWireQueue } from "./queue-codec.ts";
import { refusalToWire, toWireSchedule } from "./schedule-codec.ts";
import { traceIdOf } from "./telemetry/trace.ts";
import { dateOf, durationOf, toWireBackoff } from "./wire-value.ts";

export { durationOf } from "./wire-value.ts";

type SubmitRefusal = Extract<Result, { kind: "submit-refused" }>["reason"];
type StartRefusal = Extract<Result, { kind: "start-refused" }>["reason"];

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
  "backlog-full": SubmitReason.REASON_BACKLOG_FULL,
};

const START_REFUSAL_TO_WIRE: Readonly<Record<StartRefusal, StartReason>> = {
  finished: StartReason.REASON_FINISHED,
  cancelled: StartReason.REASON_CANCELLED,
  held: StartReason.REASON_HELD,
  locked: StartReason.REASON_LOCKED,
  limited: StartReason.REASON_LIMITED,
  "not-due": StartReason.REASON_NOT_DUE,
};

const CHILD_FAILURE_TO_WIRE: Readonly<Record<ChildFailurePolicy, WirePolicy>> = {
  "fail-parent": WirePolicy.CHILD_FAILURE_POLICY_FAIL_PARENT,
  "run-parent": WirePolicy.CHILD_FAILURE_POLICY_RUN_PARENT,
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
  /** False in lists: payloads and results may be 256 KiB each, and the log lines 100. */
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
    heldBackBy: job.waitsAt,
    concurrencyKeys: toWireKeys(job.concurrencyKeys),
    scheduleId: job.scheduleId,
    slotTime: dateOf(job.slotMs),
    totalTimeout: job.totalTimeoutMs === 0 ? undefined : durationOf(job.totalTimeoutMs),
    deadlineTime: dateOf(job.deadlineMs),
    progress: hasBodies && job.progress !== null ? Buffer.from(job.progress) : Buffer.alloc(0),
    progressTime: dateOf(job.progressMs),
    logLines: hasBodies ? job.logLines.map(toWireLogLine) : [],
    logLineCount: job.logLineCount,
    run: job.run,
    earlierRuns: job.earlierRuns.map(toWireEndedRun),
    parentJobId: job.parentJobId,
    childJobIds: hasBodies ? [...job.childJobIds] : [],
    pendingChildCount: job.pendingChildCount,
    // It means nothing to others.
    onChildFailure:
      job.childJobIds.length === 0
        ? WirePolicy.CHILD_FAILURE_POLICY_UNSPECIFIED
        : CHILD_FAILURE_TO_WIRE[job.onChildFailure],
  };
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
    case "reported":
      return { $case: "reported", value: { stale: result.stale.map(toWireFenced) } };
    case "retried":
      return { $case: "retried", value: { job: toWireJob(result.job, { hasBodies: true }) } };
    case "retry-refused":
      return { $case: "retryRefused", value: { state: STATE_TO_WIRE[result.state] } };
    case "retried-jobs": {
      const { retriedCount, nextNumber } = result;
      return { $case: "retriedJobs", value: { retriedCount, nextNumber } };
    }
    case "job-not-found":
      return { $case: "jobNotFound", value: { jobId: result.jobId } };
    case "queue-set": {
      const queue = toWireQueue(result.queue, Date.now());
      return { $case: "queueSet", value: { queue } };
    }
    case "queue-drained": {
      const { cancelled, hasMore, untilArrival } = result;
      return { $case: "queueDrained", value: { cancelled, hasMore, untilArrival } };
    }
    case "queue-not-found":
      return { $case: "queueNotFound", value: { queue: result.queue } };
    case "schedule": {
      const schedule = toWireSchedule(result.schedule, result.standing, { hasBodies: true });
      return { $case: "schedule", value: { schedule, isNew: result.isNew } };
    }
    case "schedule-refused": {
      const reason = refusalToWire(result.reason);
      return { $case: "scheduleRefused", value: { reason, value: result.value } };
    }
    case "schedule-deleted":
      return { $case: "scheduleDeleted", value: { hasExisted: result.hasExisted } };
    case "schedule-not-found":
      return { $case: "scheduleNotFound", value: { scheduleId: result.scheduleId } };
    case "locks":
      return { $case: "locks", value: { standings: result.standings.map(toWireStanding) } };
    case "lock-refused":
      return { $case: "lockRefused", value: toWireRefused(result) };
    case "done":
      return { $case: "done", value: {} };
  }
}

function startedOf({ token, number, job, children }: Extract<Result, { kind: "started" }>) {
  const startMs = job.attempts.at(-1)?.startMs ?? 0;
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
    scheduleId: job.scheduleId,
    slotMs: job.slotMs,
    triggeredMs: job.scheduleId !== "" && job.slotMs === 0 ? job.createdMs : 0,
    deadlineInMs: job.deadlineMs === 0 ? 0 : Math.max(1, job.deadlineMs - startMs),
    run: job.run,
    children: childEndsOf(children),
  };
}

/** All of them, but results only as long as the answer has room. */
function childEndsOf(children: readonly Readonly<Job>[]): WireChildEnd[] {
  let leftBytes = CHILD_RESULTS_BYTES_MAX;
  return children.map(({ id: jobId, kind, state, result, error }) => {
    const bytes = result?.byteLength ?? 0;
    const isResultLeftOut = bytes > leftBytes;
    if (!isResultLeftOut) leftBytes -= bytes;
    return {
      jobId,
      kind,
      state: STATE_TO_WIRE[state],
      result: result === null || isResultLeftOut ? Buffer.alloc(0) : Buffer.from(result),
      error: error === null ? undefined : { ...error, message: shortened(error.message) },
      isResultLeftOut,
    };
  });
}

function shortened(message: string): string {
  return message.slice(0, CHILD_ERROR_LENGTH_MAX).toWellFormed();
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
    run: attempt.run,
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

function toWireLogLine({ attempt, timeMs, text }: LogLine): WireLogLine {
  return { time: dateOf(timeMs), attempt, text };
}

function toWireEndedRun({ state, error, endMs }: EndedRun, at: number): WireEndedRun {
  return { run: at + 1, state: STATE_TO_WIRE[state], error: { ...error }, endTime: dateOf(endMs) };
}

function inverse<K extends string>(table: Readonly<Record<K, number>>): ReadonlyMap<number, K> {
  const pairs: [number, K][] = [];
  for (const key in table) pairs.push([table[key], key]);
  return new Map(pairs);
}
