// Commands through their bytes and through the leader's check.

import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Command, CommandBody, ReportedOutcome } from "../../../ledger/command.ts";
import { Command as WireCommand } from "../../../protos/gen/ledger/v1/command.ts";
import { checkCommand } from "../../../transport/command-check.ts";
import {
  commandBodyToWire,
  commandFromWire,
  decodeCommand,
  encodeCommand,
} from "../../../transport/command-codec.ts";
import {
  FAMILY_LEVELS_MAX,
  JOB_LOCK_KEYS_MAX,
  PAYLOAD_BYTES_MAX,
} from "../../../transport/limit.ts";
import { ledgerSpec } from "../../support/ledger-spec.ts";

const text = fc.string({ unit: "grapheme", maxLength: 20 });
const count = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const ms = fc.maxSafeNat();
const bytes = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array));
const backoff = fc.record({
  initialMs: ms,
  multiplier: fc.double({ min: 0, max: 1_000, noNaN: true }),
  maxMs: ms,
  jitter: fc.double({ min: 0, max: 1, noNaN: true }),
});
const concurrencyKey = fc.record({ key: text, limit: count });
const spec = fc.record({
  kind: text,
  queue: text,
  payload: bytes,
  priority: fc.integer({ min: -1_000, max: 1_000 }),
  runAtMs: ms,
  maxAttempts: count,
  backoff: fc.option(backoff),
  attemptTimeoutMs: ms,
  totalTimeoutMs: ms,
  lockKeys: fc.array(text, { maxLength: 3 }),
  concurrencyKeys: fc.array(concurrencyKey, { maxLength: 3 }),
  idempotencyKey: text,
  traceparent: text,
  parent: count,
  onChildFailure: fc.constantFrom("fail-parent" as const, "run-parent" as const),
});
const kind = fc.record({
  kind: text,
  queue: text,
  maxAttempts: count,
  backoff,
  attemptTimeoutMs: ms,
  totalTimeoutMs: ms,
  lockTemplates: fc.array(text, { maxLength: 3 }),
  concurrencyTemplates: fc.array(concurrencyKey, { maxLength: 3 }),
});
const error = fc.record({ code: text, message: text, retryable: fc.boolean() });
const failure = fc.constantFrom<ReportedOutcome>("failed", "timed-out", "handed-back", "fenced");
const finish = { jobId: text, token: ms, worker: text };
const body: fc.Arbitrary<CommandBody> = fc.oneof(
  fc.record({ kind: fc.constant("submit-jobs" as const), jobs: fc.array(spec, { maxLength: 3 }) }),
  fc.record({
    kind: fc.constant("set-queue" as const),
    queue: text,
    isPaused: fc.option(fc.boolean()),
    runningMax: fc.option(count),
    rate: fc.option(fc.record({ count, periodMs: ms })),
    waitingMax: fc.option(ms),
  }),
  fc.record({
    kind: fc.constant("drain-queue" as const),
    queue: text,
    withScheduled: fc.boolean(),
    jobsMax: count,
    untilArrival: ms,
    reason: text,
  }),
  fc.record({
    kind: fc.constant("start-attempt" as const),
    jobId: text,
    worker: text,
    startId: text,
    leaseMs: ms,
  }),
  fc.record({
    kind: fc.constant("renew-leases" as const),
    worker: text,
    renewals: fc.array(fc.record({ jobId: text, token: ms }), { maxLength: 3 }),
  }),
  fc.record({
    kind: fc.constant("finish-attempt" as const),
    ...finish,
    outcome: fc.constant("succeeded" as const),
    result: bytes,
    error: fc.constant(null),
  }),
  fc.record({
    kind: fc.constant("finish-attempt" as const),
    ...finish,
    outcome: failure,
    result: fc.constant(null),
    error: fc.option(error),
  }),
  fc.record({ kind: fc.constant("cancel-job" as const), jobId: text, reason: text }),
  fc.record({
    kind: fc.constant("forget-jobs" as const),
    endedBeforeMs: ms,
    keptMax: ms,
    spareBeforeMs: ms,
    keyMs: ms,
    limit: count,
  }),
  fc.record({
    kind: fc.constant("report-progress" as const),
    worker: text,
    reports: fc.array(
      fc.record({
        jobId: text,
        token: ms,
        sequence: ms,
        progress: fc.option(bytes),
        lines: fc.array(text, { maxLength: 3 }),
        lineCount: ms,
      }),
      { maxLength: 3 },
    ),
  }),
  fc.record({ kind: fc.constant("retry-job" as const), jobId: text, requestId: text }),
  fc.record({
    kind: fc.constant("retry-jobs" as const),
    filter: fc.record({
      state: fc.constantFrom("failed" as const, "cancelled" as const),
      kind: text,
      queue: text,
      errorCode: text,
      createdFromMs: ms,
      createdBeforeMs: ms,
    }),
    requestId: text,
    fromNumber: ms,
    retriesMax: ms,
  }),
  fc.record({
    kind: fc.constant("register-kinds" as const),
    kinds: fc.array(kind, { maxLength: 3 }),
  }),
  fc.constant({ kind: "tick" as const }),
  fc.record({ kind: fc.constant("open-term" as const), leader: text }),
  fc.record({
    kind: fc.constant("create-schedule" as const),
    scheduleId: text,
    rule: fc.record({
      cron: text,
      timeZone: text,
      intervalMs: ms,
      startMs: ms,
      endMs: ms,
      overlap: fc.constantFrom("skip" as const, "queue" as const, "allow" as const),
      missed: fc.constantFrom("skip" as const, "once" as const, "all" as const),
      missedAfterMs: ms,
    }),
    job: spec,
  }),
  fc.record({ kind: fc.constant("delete-schedule" as const), scheduleId: text }),
  fc.record({
    kind: fc.constant("set-schedule-paused" as const),
    scheduleId: text,
    isPaused: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant("trigger-schedule" as const),
    scheduleId: text,
    idempotencyKey: text,
    traceparent: text,
    mayOverlap: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant("tick-schedules" as const),
    ticks: fc.array(
      fc.record({
        scheduleId: text,
        number: ms,
        decidedMs: ms,
        slots: fc.array(ms, { maxLength: 4 }),
        traceparents: fc.array(text, { maxLength: 4 }),
        nextSlotMs: ms,
        hasGap: fc.boolean(),
      }),
      { maxLength: 3 },
    ),
  }),
  fc.constant({ kind: "unknown" as const }),
);
const command: fc.Arbitrary<Command> = fc.record({ timeMs: ms, random: count, body });

describe("the bytes of a command", () => {
  test("decode to the command that was encoded", () => {
    fc.assert(
      fc.property(command, (original) => {
        expect(decodeCommand(encodeCommand(original))).toEqual(original);
      }),
    );
  });

  test("carry the body between client and leader without time and randomness", () => {
    fc.assert(
      fc.property(body, (original) => {
        const wire = commandBodyToWire(original);
        expect([wire.timeMs, wire.random]).toEqual([0, 0]);
        expect(commandFromWire(WireCommand.decode(WireCommand.encode(wire).finish()))).toEqual(
          original,
        );
      }),
    );
  });

  test("of before there was jitter have the half that it was then", () => {
    const backoff = { initialMs: 1, multiplier: 2, maxMs: 3 };
    const kind = { kind: "k", queue: "q", maxAttempts: 1, backoff, lockTemplates: [] };
    const templates = { concurrencyTemplates: [] };
    const old = { ...kind, ...templates, attemptTimeoutMs: 0, totalTimeoutMs: 0 };
    const value = { kinds: [old] };
    const wire = { timeMs: 0, random: 0, command: { $case: "registerKinds" as const, value } };
    expect(decodeCommand(WireCommand.encode(wire).finish()).body).toMatchObject({
      kinds: [{ backoff: { ...backoff, jitter: 0.5 } }],
    });
  });

  test("never throw, whatever they are", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (garbage) => {
        expect(decodeCommand(garbage).body.kind).toBeDefined();
      }),
      { numRuns: 2_000 },
    );
  });

  test("never throw when cut or with a byte turned", () => {
    fc.assert(
      fc.property(command, fc.nat(), fc.nat({ max: 255 }), (original, position, flip) => {
        const encoded = Buffer.from(encodeCommand(original));
        if (encoded.length === 0) return;
        const at = position % encoded.length;
        encoded[at] = (encoded[at] ?? 0) ^ flip;
        decodeCommand(encoded);
        decodeCommand(encoded.subarray(0, at));
      }),
    );
  });

  test("of a newer version's command are unknown, with its time and randomness", () => {
    // Field 99, length-delimited, empty.
    const newer = Buffer.concat([
      WireCommand.encode({ timeMs: 7, random: 3, command: undefined }).finish(),
      Buffer.from([0x9a, 0x06, 0x00]),
    ]);
    expect(decodeCommand(newer)).toEqual({ timeMs: 7, random: 3, body: { kind: "unknown" } });
  });

  test("with an outcome of a newer version are unknown", () => {
    const wire = commandBodyToWire({
      kind: "finish-attempt",
      jobId: "j-1",
      token: 2,
      worker: "w1",
      outcome: "failed",
      result: null,
      error: null,
    });
    if (wire.command?.$case !== "finishAttempt") throw new Error("another case");
    Object.assign(wire.command.value, { outcome: 77 });
    expect(commandFromWire(wire)).toEqual({ kind: "unknown" });
  });
});

describe("the leader's check", () => {
  const good = ledgerSpec({ kind: "greet", payload: Buffer.from('{"name":"Ada"}') });
  const submit = (change: object): CommandBody => ({
    kind: "submit-jobs",
    jobs: [{ ...good, ...change }],
  });
  const report = (change: object): CommandBody => ({
    kind: "report-progress",
    worker: "w",
    reports: [
      {
        ...{ jobId: "j-1", token: 2, sequence: 1 },
        ...{ progress: null, lines: [], lineCount: 0, ...change },
      },
    ],
  });
  const family = (changes: readonly object[]): CommandBody => ({
    kind: "submit-jobs",
    jobs: changes.map((change) => ({ ...good, ...change })),
  });
  const check = (proposed: CommandBody) => checkCommand(commandBodyToWire(proposed));

  test("passes a good submission on as it is", () => {
    expect(check(submit({}))).toEqual({ ok: submit({}) });
  });

  test("passes a family on as it is", () => {
    const levels = Array.from({ length: FAMILY_LEVELS_MAX }, (_, at) => ({ parent: at }));
    const body = family([...levels, { parent: 1, onChildFailure: "run-parent" }, { parent: 0 }]);
    expect(check(body)).toEqual({ ok: body });
  });

  test.each<[string, CommandBody]>([
    ["a job without a kind", submit({ kind: "" })],
    ["a queue that BullMQ would refuse", submit({ queue: "a:b" })],
    ["a queue longer than a routing key takes", submit({ queue: "q".repeat(129) })],
    ["a payload that is not JSON", submit({ payload: Buffer.from("{") })],
    ["a payload that begins with a byte order mark", submit({ payload: Buffer.from("\ufeff1") })],
    ["a payload that is not UTF-8", submit({ payload: Buffer.from([0x22, 0xff, 0x22]) })],
    ["a payload over the limit", submit({ payload: Buffer.alloc(PAYLOAD_BYTES_MAX + 1, 0x31) })],
    ["a negative priority", submit({ priority: -1 })],
    ["a run time beyond the calendar", submit({ runAtMs: Number.MAX_SAFE_INTEGER })],
    ["too many attempts", submit({ maxAttempts: 101 })],
    [
      "a backoff that is not a number",
      submit({
        backoff: { initialMs: 1, multiplier: Number.NaN, maxMs: 1, jitter: 0.5 },
      }),
    ],
    [
      "a jitter over the whole",
      submit({ backoff: { initialMs: 1, multiplier: 1, maxMs: 1, jitter: 1.01 } }),
    ],
    ["a total timeout beyond ten years", submit({ totalTimeoutMs: 1e15 })],
    ["progress that is not JSON", report({ progress: Buffer.from("{") })],
    ["progress over the limit", report({ progress: Buffer.alloc(4_097, 0x31) })],
    ["a line over the limit", report({ lines: ["é".repeat(513)], lineCount: 1 })],
    ["a line that is not counted", report({ lines: ["a"], lineCount: 0 })],
    ["a report without its place", report({ sequence: 0 })],
    ["no report at all", { kind: "report-progress", worker: "w", reports: [] }],
    ["a retry without a name", { kind: "retry-job", jobId: "j-1", requestId: "" }],
    ["too many lock keys", submit({ lockKeys: Array(JOB_LOCK_KEYS_MAX + 1).fill("k") })],
    ["an empty lock key", submit({ lockKeys: [""] })],
    ["an idempotency key over the limit", submit({ idempotencyKey: "k".repeat(257) })],
    ["a child that is its own parent", submit({ parent: 1 })],
    ["a child that stands before its parent", family([{ parent: 2 }, {}])],
    ["a child with a key of its own", family([{}, { parent: 1, idempotencyKey: "k" }])],
    [
      "a family of too many levels",
      family(Array.from({ length: FAMILY_LEVELS_MAX + 1 }, (_, at) => ({ parent: at }))),
    ],
    ["no job at all", { kind: "submit-jobs", jobs: [] }],
    [
      "a start without a lease",
      {
        kind: "start-attempt",
        jobId: "j-1",
        worker: "w",
        startId: "s",
        leaseMs: 0,
      },
    ],
    [
      "a failure without an error",
      {
        kind: "finish-attempt",
        jobId: "j-1",
        token: 1,
        worker: "w",
        outcome: "failed",
        result: null,
        error: null,
      },
    ],
    [
      "a result that is not JSON",
      {
        kind: "finish-attempt",
        jobId: "j-1",
        token: 1,
        worker: "w",
        outcome: "succeeded",
        result: Buffer.from("nope"),
        error: null,
      },
    ],
    ["a tick, which is the leader's own", { kind: "tick" }],
    ["an open-term, which is the leader's own", { kind: "open-term", leader: "n1" }],
    ["a command of another version", { kind: "unknown" }],
  ])("refuses %s", (_what, proposed) => {
    expect(check(proposed)).toEqual({ malformed: expect.any(String) });
  });

  test("never throws, whatever was decoded", () => {
    fc.assert(
      fc.property(body, (proposed) => {
        const checked = check(proposed);
        expect("ok" in checked || "malformed" in checked).toBe(true);
      }),
    );
  });
});
