// Schedules in the ledger: created once, each slot decided once, and what the policies make of it.

import { describe, expect, test } from "@jest/globals";
import type { JobSpec } from "../../../ledger/command.ts";
import { dueSchedules, listSchedules } from "../../../ledger/ledger.ts";
import {
  PENDING_SLOTS_MAX,
  SCHEDULES_MAX,
  type Schedule,
  type ScheduleRule,
  type ScheduleTick,
} from "../../../ledger/schedule.ts";
import { bytes, kindOf, ruleOf, START_MS, specOf, World } from "./world.ts";

const SECOND_MS = 1_000;

function create(world: World, rule: Partial<ScheduleRule> = {}, job: Partial<JobSpec> = {}) {
  const every = ruleOf({ intervalMs: SECOND_MS, ...rule });
  return world.commit({ kind: "create-schedule", scheduleId: "s", rule: every, job: specOf(job) });
}

function scheduleOf(world: World): Schedule {
  const schedule = world.ledger.schedules.get("s");
  if (schedule === undefined) throw new Error("there is no schedule");
  return schedule;
}

function traceOf(second: number): string {
  return `trace of slot ${second}`;
}

/** As its leader would propose it; seconds after the start. */
function tickOf(world: World, seconds: readonly number[], next?: number): ScheduleTick {
  const { number, decidedMs } = scheduleOf(world);
  const last = seconds.at(-1) ?? (decidedMs - START_MS) / SECOND_MS;
  return {
    scheduleId: "s",
    number,
    decidedMs,
    slots: seconds.map((second) => START_MS + second * SECOND_MS),
    traceparents: seconds.map(traceOf),
    nextSlotMs: next === 0 ? 0 : START_MS + (next ?? last + 1) * SECOND_MS,
    hasGap: false,
  };
}

function tick(world: World, seconds: readonly number[], next?: number): void {
  world.commit({ kind: "tick-schedules", ticks: [tickOf(world, seconds, next)] });
}

/** Seconds after the start of the slots that have a job. */
function madeIn(world: World): number[] {
  return [...world.ledger.jobs].map(({ slotMs }) => (slotMs - START_MS) / SECOND_MS);
}

describe("creating", () => {
  test("a schedule twice is creating it once; another one under its id is refused", () => {
    const world = new World();
    expect(create(world)).toMatchObject({ kind: "schedule", isNew: true });
    const before = structuredClone(scheduleOf(world));
    world.at(5_000);
    expect(create(world)).toMatchObject({ kind: "schedule", isNew: false });
    // A retry has its own trace; keys and times are not a schedule's.
    const retry = { traceparent: "00-other", idempotencyKey: "k", runAtMs: 7 };
    expect(create(world, {}, retry)).toMatchObject({ isNew: false });
    const others = [
      [{ intervalMs: 2_000 }, {}],
      [{ overlap: "allow" }, {}],
      [{ missedAfterMs: 1 }, {}],
      [{}, { payload: bytes({ to: "bob" }) }],
      [{}, { priority: 1 }],
    ] as const;
    for (const [rule, job] of others) {
      const refused = { kind: "schedule-refused", reason: "id-taken", value: "s" };
      expect(create(world, rule, job)).toEqual(refused);
    }
    expect(scheduleOf(world)).toEqual(before);
  });

  test("is refused for what a submission of its job is refused for", () => {
    const world = new World([kindOf(), kindOf({ kind: "print", lockTemplates: ["doc:{doc}"] })]);
    expect(create(world, {}, { kind: "none" })).toMatchObject({ reason: "unknown-kind" });
    expect(create(world, {}, { queue: "none" })).toMatchObject({ reason: "unknown-queue" });
    expect(create(world, {}, { kind: "print" })).toMatchObject({
      ...{ kind: "submit-refused", reason: "lock-template-unfilled", value: "doc:{doc}" },
    });
    expect(world.ledger.schedules.size).toBe(0);
  });

  test("has a limit", () => {
    const world = new World();
    const rule = ruleOf({ intervalMs: SECOND_MS });
    for (let i = 0; i < SCHEDULES_MAX; i += 1) {
      world.commit({ kind: "create-schedule", scheduleId: `n${i}`, rule, job: specOf() });
    }
    expect(create(world)).toEqual({
      ...{ kind: "schedule-refused", reason: "too-many", value: String(SCHEDULES_MAX) },
    });
    world.commit({ kind: "delete-schedule", scheduleId: "n7" });
    expect(create(world)).toMatchObject({ isNew: true });
    const { schedules } = listSchedules(world.ledger, 0, SCHEDULES_MAX);
    expect(schedules.map(({ id }) => id)).toEqual([
      ...Array.from({ length: SCHEDULES_MAX }, (_, i) => `n${i}`).filter((id) => id !== "n7"),
      "s",
    ]);
  });
});

describe("a slot", () => {
  test("gives a job that says which slot of which schedule it is, and nothing else is as asked", () => {
    const world = new World();
    const ofIts = { idempotencyKey: "k", runAtMs: START_MS * 2, traceparent: "of its creation" };
    create(world, {}, { priority: 7, lockKeys: ["a"], ...ofIts });
    expect(scheduleOf(world)).toMatchObject({ traceparent: "of its creation" });
    world.at(1_200);
    tick(world, [1]);
    const job = world.job(`j-${world.index}-1`);
    expect(job).toMatchObject({
      ...{ scheduleId: "s", slotMs: START_MS + 1_000, priority: 7, lockKeys: ["a"] },
      ...{ state: "queued", idempotencyKey: "", runAtMs: START_MS + 1_200 },
      traceparent: traceOf(1),
    });
    expect(world.changes).toEqual([`${job.id} queued`]);
    expect(scheduleOf(world)).toMatchObject({ firedJobId: job.id, firedCount: 1 });
  });

  test("is decided once, whoever proposes it and however often", () => {
    const world = new World();
    create(world, { overlap: "allow" });
    world.at(3_000);
    const proposal = tickOf(world, [1, 2, 3]);
    for (let i = 0; i < 3; i += 1) world.commit({ kind: "tick-schedules", ticks: [proposal] });
    // A leader of before, whose calendar is another one.
    world.commit({ kind: "tick-schedules", ticks: [{ ...proposal, slots: [START_MS + 2_500] }] });
    expect(madeIn(world)).toEqual([1, 2, 3]);
    world.commit({ kind: "tick-schedules", ticks: [tickOf(world, [3]), tickOf(world, [1])] });
    expect(madeIn(world)).toEqual([1, 2, 3]);
  });

  test.each<[string, Partial<ScheduleTick>]>([
    ["in the future", { slots: [START_MS + 2_000] }],
    ["decided already", { slots: [START_MS] }],
    ["out of order", { slots: [START_MS + 900, START_MS + 800] }],
    ["twice", { slots: [START_MS + 900, START_MS + 900] }],
    ["that is no time", { slots: [Number.NaN] }],
    ["behind the end", { slots: [START_MS + 950] }],
    ["of another schedule of the name", { number: 1 }],
    ["with a next one that is not later", { slots: [START_MS + 500], nextSlotMs: START_MS + 500 }],
    ["too many", { slots: Array.from({ length: 1_001 }, (_, i) => START_MS + 1 + i / 2) }],
  ])("%s does nothing", (_what, wrong) => {
    const world = new World();
    create(world, { endMs: START_MS + 940 });
    world.at(1_000);
    const before = structuredClone(scheduleOf(world));
    const one = { ...tickOf(world, [0.5]), ...wrong };
    world.commit({ kind: "tick-schedules", ticks: [one] });
    expect(scheduleOf(world)).toEqual(before);
    expect(world.ledger.jobs.length).toBe(0);
  });

  test("whose job is refused meanwhile is counted, and the next one is tried", () => {
    const kind = kindOf({ kind: "print" });
    const world = new World([kind]);
    create(world, { overlap: "allow" }, { kind: "print", payload: bytes({}) });
    const locked = { ...kind, lockTemplates: ["doc:{doc}"] };
    world.at(2_000).commit({ kind: "register-kinds", kinds: [locked] });
    tick(world, [1, 2]);
    expect(scheduleOf(world)).toMatchObject({ refusedCount: 2, firedCount: 0 });
    world.at(3_000).commit({ kind: "register-kinds", kinds: [kind] });
    tick(world, [3]);
    expect(madeIn(world)).toEqual([3]);
  });

  test("is none before the start, and none behind the last", () => {
    const world = new World();
    create(world, { startMs: START_MS + 5_000, endMs: START_MS + 6_000 });
    expect(scheduleOf(world).decidedMs).toBe(START_MS + 4_999);
    world.at(7_000);
    tick(world, [5, 6], 0);
    expect(scheduleOf(world)).toMatchObject({ isOver: true });
    expect(dueSchedules(world.ledger, Number.MAX_SAFE_INTEGER, 9)).toEqual([]);
  });
});

describe("while an earlier job has not ended", () => {
  test("skip: slots are counted; the next one after its end gets a job", () => {
    const world = new World();
    create(world, { overlap: "skip" });
    world.at(3_000);
    tick(world, [1, 2, 3]);
    expect(madeIn(world)).toEqual([1]);
    expect(scheduleOf(world)).toMatchObject({ firedCount: 1, skippedCount: 2 });
    const [job] = [...world.ledger.jobs];
    const token = world.begin(job?.id ?? "");
    world.at(4_000);
    tick(world, [4]);
    world.succeed(job?.id ?? "", token);
    world.at(5_000);
    tick(world, [5]);
    expect(madeIn(world)).toEqual([1, 5]);
  });

  test("queue: slots wait, and run one after the other, in the entry in which the last one ends", () => {
    const world = new World();
    create(world, { overlap: "queue" });
    world.at(3_000);
    tick(world, [1, 2, 3]);
    expect(madeIn(world)).toEqual([1]);
    for (const [at, expected] of [
      [1, [1, 2]],
      [2, [1, 2, 3]],
      [3, [1, 2, 3]],
    ] as const) {
      const id = [...world.ledger.jobs].at(at - 1)?.id ?? "";
      const token = world.begin(id);
      // Another attempt is no end.
      world.fail(id, token, "handed-back");
      world.succeed(id, world.begin(id));
      expect(madeIn(world)).toEqual(expected);
    }
    expect(scheduleOf(world)).toMatchObject({ pending: [], firedCount: 3, skippedCount: 0 });
    // Each has the trace that its slot was decided under.
    const traces = [...world.ledger.jobs].map(({ traceparent }) => traceparent);
    expect(traces).toEqual([1, 2, 3].map(traceOf));
    expect(scheduleOf(world).pendingTraces).toEqual([]);
  });

  test("queue: a cancelled or failed job makes room as well", () => {
    const world = new World([kindOf({ maxAttempts: 1 })]);
    create(world, { overlap: "queue" });
    world.at(3_000);
    tick(world, [1, 2, 3]);
    world.cancel([...world.ledger.jobs][0]?.id ?? "");
    const second = [...world.ledger.jobs][1]?.id ?? "";
    world.fail(second, world.begin(second));
    expect(madeIn(world)).toEqual([1, 2, 3]);
  });

  test("queue: more than may wait are skipped", () => {
    const world = new World();
    create(world, { overlap: "queue", missedAfterMs: 1e9 });
    const seconds = Array.from({ length: 600 }, (_, i) => i + 1);
    world.at(2_000_000);
    tick(world, seconds);
    tick(
      world,
      seconds.map((second) => second + 600),
    );
    expect(scheduleOf(world).pending).toHaveLength(PENDING_SLOTS_MAX);
    expect(scheduleOf(world).skippedCount).toBe(1_200 - 1 - PENDING_SLOTS_MAX);
  });

  test("allow: each slot gets its job at once", () => {
    const world = new World();
    create(world, { overlap: "allow" });
    world.at(3_000);
    tick(world, [1, 2, 3]);
    expect(madeIn(world)).toEqual([1, 2, 3]);
  });
});

describe("slots that are decided too late", () => {
  const late = { missedAfterMs: 3_000, overlap: "allow" } as const;
  const all = [1, 2, 3, 4, 5, 6];

  test.each([
    ["skip", [7, 8, 9, 10], 6],
    ["once", [6, 7, 8, 9, 10], 5],
    ["all", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 0],
  ] as const)("%s: at 10 s, missed after 3 s", (missed, made, missedCount) => {
    const world = new World();
    create(world, { ...late, missed });
    world.at(10_000);
    tick(world, [...all, 7, 8, 9, 10]);
    expect(madeIn(world)).toEqual(made);
    expect(scheduleOf(world).missedCount).toBe(missedCount);
  });

  test("once: a row that comes in two entries is one row", () => {
    const world = new World();
    create(world, { ...late, missed: "once" });
    world.at(10_000);
    tick(world, [1, 2, 3]);
    expect(madeIn(world)).toEqual([]);
    tick(world, [4, 5, 6, 7]);
    expect(madeIn(world)).toEqual([6, 7]);
  });

  test("once: the last slot of all is made good too", () => {
    const world = new World();
    create(world, { ...late, missed: "once" });
    world.at(100_000);
    tick(world, all, 0);
    expect(madeIn(world)).toEqual([6]);
  });
});

describe("a schedule", () => {
  test("that is paused has no slots, and goes on with the next one from when it is resumed", () => {
    const world = new World();
    create(world, { overlap: "queue" });
    world.at(2_000);
    tick(world, [1, 2]);
    const proposal = tickOf(world, [3]);
    const pause = { kind: "set-schedule-paused", scheduleId: "s", isPaused: true } as const;
    expect(world.commit(pause)).toMatchObject({ schedule: { isPaused: true } });
    expect(dueSchedules(world.ledger, Number.MAX_SAFE_INTEGER, 9)).toEqual([]);
    // What waits is kept; it does not run meanwhile.
    world.at(3_000).commit({ kind: "tick-schedules", ticks: [proposal] });
    const [job] = [...world.ledger.jobs];
    world.cancel(job?.id ?? "");
    expect(madeIn(world)).toEqual([1]);
    world.at(9_500).commit({ ...pause, isPaused: false });
    expect(madeIn(world)).toEqual([1, 2]);
    expect(scheduleOf(world)).toMatchObject({ decidedMs: START_MS + 9_500, nextSlotMs: 0 });
    const again = structuredClone(scheduleOf(world));
    world.at(9_900).commit({ ...pause, isPaused: false });
    expect(scheduleOf(world)).toEqual(again);
  });

  test("that is deleted has no slots; its jobs stay, and who comes after it decides none again", () => {
    const world = new World();
    create(world, { overlap: "skip" });
    world.at(1_000);
    tick(world, [1]);
    const late = tickOf(world, [2]);
    const remove = { kind: "delete-schedule", scheduleId: "s" } as const;
    expect(world.at(2_000).commit(remove)).toEqual({ kind: "schedule-deleted", hasExisted: true });
    expect(world.commit(remove)).toEqual({ kind: "schedule-deleted", hasExisted: false });
    create(world, { overlap: "skip" });
    world.commit({ kind: "tick-schedules", ticks: [late] });
    expect(madeIn(world)).toEqual([1]);
    // The name is the same: it does not run beside the job of the first.
    world.at(3_000);
    tick(world, [3]);
    expect(madeIn(world)).toEqual([1]);
    world.cancel([...world.ledger.jobs][0]?.id ?? "");
    world.at(4_000);
    tick(world, [4]);
    expect(madeIn(world)).toEqual([1, 4]);
  });

  test("that is not there cannot be paused", () => {
    const pause = { kind: "set-schedule-paused", scheduleId: "s", isPaused: true } as const;
    expect(new World().commit(pause)).toEqual({ kind: "schedule-not-found", scheduleId: "s" });
  });
});
