// What the ledger answers, through the wire form and back.

import { describe, expect, test } from "@jest/globals";
import type { AttemptOutcome, Job, JobState } from "../../../ledger/job.ts";
import type { Result } from "../../../ledger/result.ts";
import { Applied } from "../../../protos/gen/node/v1/exchange.ts";
import { Job as WireJob } from "../../../protos/gen/quorumq/v1/job.ts";
import { CHILD_ERROR_LENGTH_MAX, CHILD_RESULTS_BYTES_MAX } from "../../../transport/limit.ts";
import {
  fromWireOutcome,
  fromWireState,
  toWireApplied,
  toWireJob,
  toWireOutcome,
  toWireState,
} from "../../../transport/result-codec.ts";
import { durationOf } from "../../../transport/wire-value.ts";

const STATES: readonly JobState[] = [
  "scheduled",
  "queued",
  "running",
  "succeeded",
  "failed",
  "cancelled",
];
const OUTCOMES: readonly AttemptOutcome[] = [
  "started",
  "succeeded",
  "failed",
  "timed-out",
  "lost",
  "fenced",
  "cancelled",
  "handed-back",
];
const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";

const LARGE = Buffer.alloc(CHILD_RESULTS_BYTES_MAX, 0x31);
const LONG_ERROR = { code: "E", message: "m".repeat(3_000), retryable: false };

function job(change: Partial<Job> = {}): Job {
  const error = { code: "E", message: "m", retryable: true };
  return {
    id: "j-7",
    kind: "greet",
    queue: "main",
    payload: Buffer.from("1"),
    priority: 3,
    maxAttempts: 5,
    backoff: { initialMs: 1_500, multiplier: 2, maxMs: 60_000, jitter: 0.5 },
    attemptTimeoutMs: 2_250,
    totalTimeoutMs: 3_500,
    deadlineMs: 4_500,
    run: 2,
    earlierRuns: [{ state: "failed", error, endMs: 1_100, retryId: "r" }],
    progress: Buffer.from("50"),
    progressMs: 2_100,
    logLines: [{ attempt: 1, timeMs: 2_200, text: "half" }],
    logLineCount: 7,
    lockKeys: ["a", "b"],
    concurrencyKeys: [{ key: "c", limit: 3 }],
    idempotencyKey: "key",
    traceparent: `00-${TRACE_ID}-b7ad6b7169203331-01`,
    scheduleId: "nightly",
    slotMs: 900,
    createdMs: 1_000,
    logIndex: 7,
    state: "failed",
    runAtMs: 1_234,
    changeIndex: 12,
    dispatch: 2,
    parkedFor: "a",
    waitsAt: "queue",
    attemptsUsed: 1,
    attempts: [
      {
        number: 1,
        run: 1,
        worker: "w1",
        token: 9,
        startId: "s",
        startMs: 2_000,
        leaseMs: 10_000,
        leaseExpiryMs: 12_000,
        endMs: 3_001,
        outcome: "failed",
        error,
      },
    ],
    result: Buffer.from('{"ok":1}'),
    error,
    endMs: 3_001,
    receipts: [{ token: 8, currentToken: 9, worker: "w0", tried: "succeeded", refusedMs: 2_500 }],
    refusedCount: 4,
    parentJobId: "j-6",
    childJobIds: ["j-7-2", "j-7-3"],
    onChildFailure: "run-parent",
    pendingChildCount: 1,
    ...change,
  };
}

function throughWire(original: Job, hasBodies: boolean): WireJob {
  return WireJob.decode(WireJob.encode(toWireJob(original, { hasBodies })).finish());
}

describe("a job on the wire", () => {
  test("has every field of the ledger's", () => {
    expect(throughWire(job(), true)).toEqual({
      id: "j-7",
      kind: "greet",
      queue: "main",
      payload: Buffer.from("1"),
      state: 5,
      priority: 3,
      runAt: new Date(1_234),
      maxAttempts: 5,
      backoff: {
        initial: { seconds: 1, nanos: 500_000_000 },
        multiplier: 2,
        max: { seconds: 60, nanos: 0 },
        jitter: 0.5,
      },
      attemptTimeout: { seconds: 2, nanos: 250_000_000 },
      totalTimeout: { seconds: 3, nanos: 500_000_000 },
      deadlineTime: new Date(4_500),
      run: 2,
      earlierRuns: [
        {
          run: 1,
          state: 5,
          error: { code: "E", message: "m", retryable: true },
          endTime: new Date(1_100),
        },
      ],
      progress: Buffer.from("50"),
      progressTime: new Date(2_100),
      logLines: [{ time: new Date(2_200), attempt: 1, text: "half" }],
      logLineCount: 7,
      lockKeys: ["a", "b"],
      concurrencyKeys: [{ key: "c", limit: 3 }],
      heldBackBy: "queue",
      idempotencyKey: "key",
      result: Buffer.from('{"ok":1}'),
      error: { code: "E", message: "m", retryable: true },
      attempts: [
        {
          number: 1,
          worker: "w1",
          token: 9,
          startTime: new Date(2_000),
          endTime: new Date(3_001),
          outcome: 3,
          error: { code: "E", message: "m", retryable: true },
          run: 1,
        },
      ],
      createTime: new Date(1_000),
      endTime: new Date(3_001),
      logIndex: 7,
      changeIndex: 12,
      traceId: TRACE_ID,
      receipts: [
        {
          token: 8,
          currentToken: 9,
          worker: "w0",
          tried: "succeeded",
          refuseTime: new Date(2_500),
        },
      ],
      refusedCount: 4,
      waitingForLock: "a",
      scheduleId: "nightly",
      slotTime: new Date(900),
      parentJobId: "j-6",
      childJobIds: ["j-7-2", "j-7-3"],
      onChildFailure: 2,
      pendingChildCount: 1,
    });
  });

  test("leaves out in a list what may be large", () => {
    const { payload, result, progress, logLines, childJobIds } = throughWire(job(), false);
    const lists = [payload, result, progress, logLines, childJobIds];
    expect(lists.map(({ length }) => length)).toEqual([0, 0, 0, 0, 0]);
  });

  test("has no times and no limit where the ledger has none", () => {
    const wire = throughWire(job({ endMs: 0, attemptTimeoutMs: 0, traceparent: "" }), true);
    expect([wire.endTime, wire.attemptTimeout, wire.traceId]).toEqual([undefined, undefined, ""]);
  });

  test("shares no memory with the ledger's", () => {
    const attempts = [...job().attempts];
    const original = job({ attempts });
    const wire = toWireJob(original, { hasBodies: true });
    original.payload[0] = 0x39;
    attempts.length = 0;
    expect(wire.payload.toString()).toBe("1");
    expect(wire.attempts).toHaveLength(1);
  });

  test("can be encoded with a time beyond the calendar", () => {
    const { runAt } = throughWire(job({ runAtMs: Number.MAX_SAFE_INTEGER }), true);
    expect(runAt?.getUTCFullYear()).toBe(9999);
  });
});

describe("results on the wire", () => {
  const fenced = { jobId: "j-1", token: 3, currentToken: 0, state: "queued" as const };
  test.each<[Result, string, object]>([
    [
      {
        kind: "submitted",
        jobs: [{ jobId: "j-1", logIndex: 1, deduplicated: true, traceparent: "t" }],
      },
      "submitted",
      { jobs: [{ jobId: "j-1", logIndex: 1, deduplicated: true, traceparent: "t" }] },
    ],
    [
      { kind: "submit-refused", reason: "unknown-queue", position: 2, value: "q", jobId: "" },
      "submitRefused",
      { reason: 2, position: 2, value: "q", jobId: "" },
    ],
    [
      {
        kind: "started",
        token: 9,
        number: 2,
        job: job(),
        children: [
          job({ id: "j-7-2", state: "succeeded", error: null }),
          job({ id: "j-7-3", state: "succeeded", error: null, result: LARGE }),
          job({ id: "j-7-4", result: null, error: LONG_ERROR }),
        ],
      },
      "started",
      {
        token: 9,
        number: 2,
        kind: "greet",
        queue: "main",
        payload: Buffer.from("1"),
        lockKeys: ["a", "b"],
        maxAttempts: 5,
        attemptTimeoutMs: 2_250,
        traceparent: job().traceparent,
        scheduleId: "nightly",
        slotMs: 900,
        triggeredMs: 0,
        deadlineInMs: 2_500,
        run: 2,
        children: [
          {
            jobId: "j-7-2",
            kind: "greet",
            state: 4,
            result: Buffer.from('{"ok":1}'),
            error: undefined,
            isResultLeftOut: false,
          },
          {
            jobId: "j-7-3",
            kind: "greet",
            state: 4,
            result: Buffer.alloc(0),
            error: undefined,
            isResultLeftOut: true,
          },
          {
            jobId: "j-7-4",
            kind: "greet",
            state: 5,
            result: Buffer.alloc(0),
            error: { ...LONG_ERROR, message: LONG_ERROR.message.slice(0, CHILD_ERROR_LENGTH_MAX) },
            isResultLeftOut: false,
          },
        ],
      },
    ],
    [
      { kind: "start-refused", reason: "locked", lockKey: "a" },
      "startRefused",
      { reason: 4, lockKey: "a" },
    ],
    [
      { kind: "renewed", stale: [{ kind: "fenced", ...fenced }] },
      "renewed",
      { stale: [{ ...fenced, state: 2 }] },
    ],
    [
      { kind: "finished", state: "scheduled", nextAttemptMs: 99 },
      "finished",
      { state: 1, nextAttemptMs: 99 },
    ],
    [{ kind: "fenced", ...fenced }, "fenced", { ...fenced, state: 2 }],
    [
      { kind: "cancelled", job: job() },
      "cancelled",
      { job: toWireJob(job(), { hasBodies: true }) },
    ],
    [{ kind: "cancel-refused", state: "succeeded" }, "cancelRefused", { state: 4 }],
    [
      { kind: "reported", stale: [{ kind: "fenced", ...fenced }] },
      "reported",
      { stale: [{ ...fenced, state: 2 }] },
    ],
    [{ kind: "retried", job: job() }, "retried", { job: toWireJob(job(), { hasBodies: true }) }],
    [{ kind: "retry-refused", state: "succeeded" }, "retryRefused", { state: 4 }],
    [
      { kind: "retried-jobs", retriedCount: 3, nextNumber: 7 },
      "retriedJobs",
      { retriedCount: 3, nextNumber: 7 },
    ],
    [{ kind: "job-not-found", jobId: "j-9" }, "jobNotFound", { jobId: "j-9" }],
    [
      { kind: "schedule-refused", reason: "too-many", value: "10000" },
      "scheduleRefused",
      { reason: 2, value: "10000" },
    ],
    [{ kind: "schedule-deleted", hasExisted: true }, "scheduleDeleted", { hasExisted: true }],
    [{ kind: "schedule-not-found", scheduleId: "s" }, "scheduleNotFound", { scheduleId: "s" }],
    [{ kind: "done" }, "done", {}],
  ])("carry %j", (result, $case, value) => {
    const wire = Applied.decode(Applied.encode(toWireApplied(42, result)).finish());
    expect(wire).toEqual({ index: 42, result: { $case, value } });
  });
});

describe("states and outcomes", () => {
  test("have one number each, and come back by it", () => {
    expect(STATES.map((state) => fromWireState(toWireState(state)))).toEqual(STATES);
    expect(OUTCOMES.map((outcome) => fromWireOutcome(toWireOutcome(outcome)))).toEqual(OUTCOMES);
  });

  test("of a newer version are none", () => {
    expect([fromWireState(0), fromWireState(99), fromWireOutcome(0)]).toEqual([null, null, null]);
  });
});

test("durations keep their milliseconds", () => {
  expect([0, 1, 999, 1_000, 86_400_001].map(durationOf)).toEqual([
    { seconds: 0, nanos: 0 },
    { seconds: 0, nanos: 1_000_000 },
    { seconds: 0, nanos: 999_000_000 },
    { seconds: 1, nanos: 0 },
    { seconds: 86_400, nanos: 1_000_000 },
  ]);
});
