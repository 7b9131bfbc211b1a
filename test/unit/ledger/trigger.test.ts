// ledger/trigger.ts: a schedule's job by hand, beside its slots.

import { expect, test } from "@jest/globals";
import { hash, listJobs } from "../../../ledger/ledger.ts";
import type { Result } from "../../../ledger/result.ts";
import type { OverlapPolicy } from "../../../ledger/schedule.ts";
import { restored } from "./restored.ts";
import { bytes, kindOf, ruleOf, START_MS, specOf, World } from "./world.ts";

const EVERY_MS = 1_000;

function withSchedule(overlap: OverlapPolicy = "skip", id = "s", world = new World()): World {
  const rule = ruleOf({ intervalMs: EVERY_MS, overlap });
  const job = specOf({ priority: 3, payload: bytes({ to: "ada" }) });
  world.commit({ kind: "create-schedule", scheduleId: id, rule, job });
  return world;
}

interface Ask {
  readonly key?: string;
  readonly scheduleId?: string;
  readonly mayOverlap?: boolean;
}

function trigger(world: World, { key = "k", scheduleId = "s", mayOverlap = false }: Ask = {}) {
  const names = { scheduleId, idempotencyKey: key, traceparent: "of the caller" };
  return world.commit({ kind: "trigger-schedule", ...names, mayOverlap });
}

function jobIdOf(result: Result): string {
  if (result.kind !== "submitted") throw new Error(JSON.stringify(result));
  return result.jobs[0]?.jobId ?? "";
}

function tick(world: World, seconds: readonly number[]): void {
  const { number = 0, decidedMs = 0 } = world.ledger.schedules.get("s") ?? {};
  const slots = seconds.map((second) => START_MS + second * EVERY_MS);
  const nextSlotMs = (slots.at(-1) ?? 0) + EVERY_MS;
  const tick = { scheduleId: "s", number, decidedMs, slots, traceparents: [], nextSlotMs };
  world.commit({ kind: "tick-schedules", ticks: [{ ...tick, hasGap: false }] });
}

test("makes a job of the template, of the schedule and of no slot, under the caller's trace", () => {
  const world = withSchedule();
  world.at(300);
  const result = trigger(world);
  const id = `j-${world.index}`;
  const logIndex = world.index;
  expect(result).toEqual({
    kind: "submitted",
    jobs: [{ jobId: id, logIndex, deduplicated: false, traceparent: "of the caller" }],
  });
  expect(world.job(id)).toMatchObject({
    ...{ scheduleId: "s", slotMs: 0, priority: 3, state: "queued", runAtMs: START_MS + 300 },
    ...{ idempotencyKey: "k", traceparent: "of the caller", payload: bytes({ to: "ada" }) },
  });
  expect(world.ledger.schedules.get("s")).toMatchObject({
    ...{ triggeredCount: 1, firedCount: 0, firedJobId: "", decidedMs: START_MS },
  });
  expect(listJobs(world.ledger, { scheduleId: "s", limit: 9 }).jobs).toHaveLength(1);
});

test("once a key, whatever has become of the job, the schedule's slots and its pause", () => {
  const world = withSchedule();
  const id = jobIdOf(trigger(world));
  const again = () => {
    const result = trigger(world);
    expect(result).toMatchObject({ kind: "submitted", jobs: [{ jobId: id, deduplicated: true }] });
  };
  again();
  world.succeed(id, world.begin(id));
  again();
  world.commit({ kind: "set-schedule-paused", scheduleId: "s", isPaused: true });
  again();
  const none = { endedBeforeMs: 1e15, keptMax: 9, spareBeforeMs: 0, keyMs: 60_000, limit: 9 };
  world.at(1).commit({ kind: "forget-jobs", ...none });
  expect(world.ledger.jobs).toHaveLength(0);
  again();
  expect(world.ledger.schedules.get("s")?.triggeredCount).toBe(1);
  expect(world.ledger.counters).toMatchObject({ accepted: 1, deduplicated: 4 });
});

test("a key of another job, or of another schedule's, is refused", () => {
  const world = withSchedule();
  withSchedule("skip", "t", world);
  const id = world.add({ idempotencyKey: "taken" });
  const refused = { kind: "submit-refused", reason: "idempotency-key-reused" };
  expect(trigger(world, { key: "taken" })).toMatchObject({ ...refused, jobId: id });
  const own = jobIdOf(trigger(world));
  expect(trigger(world, { scheduleId: "t" })).toMatchObject({ ...refused, jobId: own });
  expect(world.ledger.schedules.get("t")?.triggeredCount).toBe(0);
});

test("is refused while a job of the schedule is open, unless one may run beside it", () => {
  for (const overlap of ["skip", "queue"] as const) {
    const world = withSchedule(overlap);
    tick(world.at(1_000), [1]);
    const open = [...world.ledger.jobs][0]?.id ?? "";
    const busy = { kind: "schedule-refused", reason: "busy", value: open };
    expect(trigger(world)).toEqual(busy);
    world.begin(open);
    expect(trigger(world)).toEqual(busy);
    expect(world.ledger.jobs).toHaveLength(1);
    expect(trigger(world, { mayOverlap: true })).toMatchObject({ kind: "submitted" });
  }
  const world = withSchedule("allow");
  for (const key of ["a", "b"]) expect(trigger(world, { key }).kind).toBe("submitted");
});

test("its job counts as open: with skip the next slot is skipped, with queue it waits", () => {
  const skipping = withSchedule("skip");
  trigger(skipping);
  tick(skipping.at(1_000), [1]);
  expect(skipping.ledger.schedules.get("s")).toMatchObject({ skippedCount: 1, firedCount: 0 });
  const waiting = withSchedule("queue");
  const id = jobIdOf(trigger(waiting));
  tick(waiting.at(1_000), [1]);
  expect(waiting.ledger.schedules.get("s")?.pending).toEqual([START_MS + 1_000]);
  waiting.cancel(id);
  expect(waiting.ledger.schedules.get("s")).toMatchObject({ pending: [], firedCount: 1 });
});

test("runs while the schedule is paused; one that is not there is not found", () => {
  const world = withSchedule();
  world.commit({ kind: "set-schedule-paused", scheduleId: "s", isPaused: true });
  expect(trigger(world).kind).toBe("submitted");
  const none = { kind: "schedule-not-found", scheduleId: "u" };
  expect(trigger(world, { scheduleId: "u" })).toEqual(none);
});

test("is refused for what a submission is refused for", () => {
  const world = withSchedule();
  const limit = { isPaused: null, runningMax: null, rate: null, waitingMax: 1 };
  world.commit({ kind: "set-queue", queue: kindOf().queue, ...limit });
  world.add();
  expect(trigger(world)).toMatchObject({ kind: "submit-refused", reason: "backlog-full" });
  expect(world.ledger.schedules.get("s")?.triggeredCount).toBe(0);
});

test("a restored ledger has the job, the count and the key", () => {
  const world = withSchedule("queue");
  tick(world.at(1_000), [1]);
  trigger(world, { mayOverlap: true });
  tick(world.at(2_000), [2]);
  const copy = restored(world.ledger);
  expect(hash(copy)).toBe(hash(world.ledger));
  const again = world.withLedger(copy);
  expect(trigger(again)).toMatchObject({ jobs: [{ deduplicated: true }] });
  expect(copy.schedules.get("s")?.triggeredCount).toBe(1);
});
