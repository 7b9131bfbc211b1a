// Rules of ledger/submit.ts, registry.ts and lock-template.ts.

import { describe, expect, test } from "@jest/globals";
import { counts, getJob, hash, queuedJobs } from "../../../ledger/ledger.ts";
import { LOCK_KEY_LENGTH_MAX } from "../../../ledger/lock-template.ts";
import { KEY_LENGTH_MAX } from "../../../transport/limit.ts";
import { bytes, kindOf, START_MS, World } from "./world.ts";

test("a lock key that a payload makes longer than a key may be is refused", () => {
  const world = new World([kindOf({ lockTemplates: ["doc:{doc}"] })]);
  expect(LOCK_KEY_LENGTH_MAX).toBe(KEY_LENGTH_MAX);
  const longest = "x".repeat(LOCK_KEY_LENGTH_MAX - "doc:".length);
  expect(world.submit({ payload: bytes({ doc: longest }) })).toMatchObject({ kind: "submitted" });
  expect(world.submit({ payload: bytes({ doc: `${longest}x` }) })).toMatchObject({
    reason: "lock-template-unfilled",
    value: "doc:{doc}",
  });
});

describe("submitting jobs", () => {
  test("a single job is named by its log index, and queued with the kind's defaults", () => {
    const world = new World();
    expect(world.submit({ traceparent: "00-aa-bb-01" })).toEqual({
      kind: "submitted",
      jobs: [{ jobId: "j-2", logIndex: 2, deduplicated: false, traceparent: "00-aa-bb-01" }],
    });
    expect(world.changes).toEqual(["j-2 queued"]);
    expect(world.job("j-2")).toMatchObject({
      state: "queued",
      queue: "default",
      maxAttempts: 3,
      backoff: { initialMs: 1_000, multiplier: 2, maxMs: 60_000, jitter: 0.5 },
      dispatch: 1,
      logIndex: 2,
      changeIndex: 2,
      scheduleId: "",
      slotMs: 0,
      createdMs: START_MS,
      runAtMs: START_MS,
      attempts: [],
      result: null,
      error: null,
    });
  });

  test("what a job says for itself goes before the kind's defaults", () => {
    const world = new World();
    const backoff = { initialMs: 5, multiplier: 1, maxMs: 5, jitter: 0.5 };
    const id = world.add({ maxAttempts: 7, attemptTimeoutMs: 70, backoff, priority: 9 });
    expect(world.job(id)).toMatchObject({
      maxAttempts: 7,
      attemptTimeoutMs: 70,
      backoff,
      priority: 9,
    });
  });

  test("jobs of a batch are numbered from 1 behind the index", () => {
    const world = new World();
    world.submit({}, {}, { runAtMs: START_MS + 1 });
    expect(world.changes).toEqual(["j-2-1 queued", "j-2-2 queued", "j-2-3 scheduled"]);
  });

  test("a job due later is scheduled and not dispatched; one due now or before is queued", () => {
    const world = new World();
    const later = world.add({ runAtMs: START_MS + 1 });
    const now = world.add({ runAtMs: START_MS });
    expect(world.job(later)).toMatchObject({ state: "scheduled", dispatch: 0 });
    expect(world.job(now)).toMatchObject({ state: "queued", dispatch: 1 });
  });

  test("one refused job refuses the whole command, and nothing but the clock has changed", () => {
    const world = new World();
    const before = { counts: counts(world.ledger), queued: [...queuedJobs(world.ledger)] };
    expect(world.submit({ idempotencyKey: "k" }, { kind: "nope" })).toEqual({
      kind: "submit-refused",
      reason: "unknown-kind",
      position: 1,
      value: "nope",
      jobId: "",
    });
    expect(world.changes).toEqual([]);
    expect({ counts: counts(world.ledger), queued: [...queuedJobs(world.ledger)] }).toEqual(before);
    expect(getJob(world.ledger, "j-2-1")).toBeUndefined();
    // The key of the refused batch was not taken.
    expect(world.submit({ idempotencyKey: "k" })).toMatchObject({ jobs: [{ jobId: "j-3" }] });
  });

  test("an empty batch is accepted as nothing", () => {
    expect(new World().submit()).toEqual({ kind: "submitted", jobs: [] });
  });

  test("the ledger keeps its own copy of the payload", () => {
    const world = new World();
    const payload = bytes({ n: 1 });
    const id = world.add({ payload });
    const before = hash(world.ledger);
    payload.fill(0);
    expect(world.job(id).payload).toEqual(bytes({ n: 1 }));
    expect(hash(world.ledger)).toBe(before);
  });
});

describe("kinds", () => {
  test("a queue that the kind was never registered with is refused", () => {
    const world = new World();
    expect(world.submit({ queue: "slow" })).toMatchObject({
      reason: "unknown-queue",
      value: "slow",
    });
  });

  test("the latest registration gives the defaults; earlier queues stay good", () => {
    const world = new World();
    world.commit({ kind: "register-kinds", kinds: [kindOf({ queue: "slow", maxAttempts: 9 })] });
    expect(world.job(world.add())).toMatchObject({ queue: "slow", maxAttempts: 9 });
    expect(world.job(world.add({ queue: "default" }))).toMatchObject({ queue: "default" });
  });

  test("jobs accepted before keep what they were accepted with", () => {
    const world = new World();
    const id = world.add();
    world.commit({ kind: "register-kinds", kinds: [kindOf({ maxAttempts: 9 })] });
    expect(world.job(id).maxAttempts).toBe(3);
  });
});

describe("lock templates", () => {
  const lockTemplates = ["account:{id}", "region:{region}:{tier}"];
  const templated = () => new World([kindOf({ lockTemplates })]);

  test("are filled from strings, numbers and booleans at the payload's top level", () => {
    const world = templated();
    const id = world.add({ payload: bytes({ id: 7, region: "eu", tier: true }) });
    expect(world.job(id).lockKeys).toEqual(["account:7", "region:eu:true"]);
  });

  test.each([
    ["a missing field", bytes({ id: 7, region: "eu" }), lockTemplates[1]],
    ["null", bytes({ id: null, region: "eu", tier: 1 }), lockTemplates[0]],
    ["an object", bytes({ id: {}, region: "eu", tier: 1 }), lockTemplates[0]],
    ["an inherited field", bytes({}), lockTemplates[0]],
    ["a payload that is an array", bytes([1]), lockTemplates[0]],
    ["an empty payload", new Uint8Array(), lockTemplates[0]],
    ["a payload that is not JSON", Uint8Array.of(0xff, 0x7b), lockTemplates[0]],
  ])("%s refuses the job, naming the template", (_, payload, value) => {
    expect(templated().submit({ payload })).toMatchObject({
      kind: "submit-refused",
      reason: "lock-template-unfilled",
      position: 0,
      value,
    });
  });

  test("a field that every object inherits does not fill a template", () => {
    const world = new World([kindOf({ lockTemplates: ["{constructor}", "{__proto__}"] })]);
    expect(world.submit({})).toMatchObject({ reason: "lock-template-unfilled" });
    const payload = new TextEncoder().encode('{"constructor":"a","__proto__":"b"}');
    expect(world.job(world.add({ payload })).lockKeys).toEqual(["a", "b"]);
  });

  test("keys named by the job replace the templates; repeated keys count once", () => {
    const world = templated();
    expect(world.job(world.add({ lockKeys: ["a", "b", "a"] })).lockKeys).toEqual(["a", "b"]);
  });

  test("an empty key is refused, whether named or filled", () => {
    const refused = { reason: "lock-template-unfilled" };
    expect(templated().submit({ lockKeys: ["a", ""] })).toMatchObject(refused);
    const world = new World([kindOf({ lockTemplates: ["{id}"] })]);
    expect(world.submit({ payload: bytes({ id: "" }) })).toMatchObject({
      ...refused,
      value: "{id}",
    });
  });

  test("a lone surrogate becomes what it becomes on the wire", () => {
    const world = new World([kindOf({ lockTemplates: ["k:{id}"] })]);
    const payload = new TextEncoder().encode('{"id":"\\ud800"}');
    expect(world.job(world.add({ payload })).lockKeys).toEqual(["k:\ufffd"]);
  });
});
