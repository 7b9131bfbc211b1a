// What a leader proposes for schedules: all slots since the last one decided, within bounds.

import { expect, test } from "@jest/globals";
import type { ScheduleTick } from "../../../ledger/schedule.ts";
import { TICK_SLOTS_MAX } from "../../../ledger/schedule.ts";
import { dueTicks } from "../../../transport/due-ticks.ts";
import { TICKED_SCHEDULES_MAX } from "../../../transport/limit.ts";
import { ruleOf, START_MS, specOf, World } from "../ledger/world.ts";

const MINUTE_MS = 60_000;

function due(world: World, afterMs: number): readonly ScheduleTick[] {
  return dueTicks(world.ledger, START_MS + afterMs, (id) => {
    throw new Error(`${id} is unreadable`);
  });
}

function create(world: World, scheduleId: string, rule = ruleOf({ intervalMs: 1_000 })): void {
  const result = world.commit({ kind: "create-schedule", scheduleId, rule, job: specOf() });
  expect(result).toMatchObject({ kind: "schedule", isNew: true });
}

function tickUntil(world: World, afterMs: number): void {
  world.at(afterMs).commit({ kind: "tick-schedules", ticks: due(world, afterMs) });
}

test("the first slot is computed as soon as the schedule is there, and not proposed again", () => {
  const world = new World();
  create(world, "s");
  const ticks = due(world, 0);
  expect(ticks).toMatchObject([{ scheduleId: "s", slots: [], nextSlotMs: START_MS + 1_000 }]);
  world.commit({ kind: "tick-schedules", ticks });
  expect(due(world, 999)).toEqual([]);
  expect(due(world, 1_000)).toMatchObject([{ slots: [START_MS + 1_000] }]);
});

test("a leader looks back to the last slot that is decided", () => {
  const world = new World();
  create(world, "s");
  tickUntil(world, 2_500);
  const [tick] = due(world, 6_100);
  expect(tick).toMatchObject({ decidedMs: START_MS + 2_000, nextSlotMs: START_MS + 7_000 });
  expect(tick?.slots).toEqual([3, 4, 5, 6].map((second) => START_MS + second * 1_000));
});

test("of an endless outage it names the oldest slots and the last, and says so", () => {
  const world = new World();
  create(world, "s");
  const weekMs = 7 * 24 * 60 * MINUTE_MS;
  const [tick] = due(world, weekMs + 400);
  expect(tick?.slots).toHaveLength(TICK_SLOTS_MAX);
  expect(tick?.slots.slice(-2)).toEqual([START_MS + 999_000, START_MS + weekMs]);
  expect(tick).toMatchObject({ hasGap: true, nextSlotMs: START_MS + weekMs + 1_000 });
  tickUntil(world, weekMs + 400);
  expect(world.ledger.schedules.get("s")).toMatchObject({ gapCount: 1, missedCount: 999 });
  expect(due(world, weekMs + 400)).toEqual([]);
});

test("as many slots as fit are no gap", () => {
  const world = new World();
  create(world, "s");
  const [tick] = due(world, TICK_SLOTS_MAX * 1_000);
  expect(tick?.slots).toHaveLength(TICK_SLOTS_MAX);
  expect(tick?.hasGap).toBe(false);
});

test("many schedules come in several entries, and all come", () => {
  const world = new World();
  const count = 2 * TICKED_SCHEDULES_MAX + 5;
  for (let i = 0; i < count; i += 1) {
    create(world, `s${i}`, ruleOf({ cron: "* * * * *", timeZone: "UTC" }));
  }
  for (const afterMs of [0, MINUTE_MS]) {
    let entries = 0;
    for (; due(world, afterMs).length > 0; entries += 1) tickUntil(world, afterMs);
    expect(entries).toBe(3);
  }
  expect([...world.ledger.jobs].map((job) => job.scheduleId).toSorted()).toEqual(
    Array.from({ length: count }, (_, i) => `s${i}`).sort(),
  );
});

test("a rule that cannot be read is told of and left as it is; the others come", () => {
  const world = new World();
  create(world, "bad", ruleOf({ cron: "* * * * *", timeZone: "Mars/Olympus" }));
  create(world, "good");
  const told: string[] = [];
  const ticks = dueTicks(world.ledger, START_MS, (id) => told.push(id));
  expect(told).toEqual(["bad"]);
  expect(ticks.map(({ scheduleId }) => scheduleId)).toEqual(["good"]);
});

test("a schedule without a further slot is over", () => {
  const world = new World();
  create(world, "s", ruleOf({ intervalMs: 1_000, endMs: START_MS + 2_500 }));
  tickUntil(world, 9_000);
  expect(world.ledger.schedules.get("s")).toMatchObject({ isOver: true, nextSlotMs: 0 });
  expect(due(world, 99_000)).toEqual([]);
});

test("schedules that cannot be read keep no others from their slots, however many they are", () => {
  const world = new World();
  const nowhere = ruleOf({ cron: "* * * * *", timeZone: "Nowhere/None" });
  for (let at = 0; at < TICKED_SCHEDULES_MAX; at += 1) create(world, `unreadable-${at}`, nowhere);
  create(world, "s");
  const told = new Set<string>();
  const look = () => dueTicks(world.ledger, START_MS, (id) => told.add(id), told.size);
  look();
  expect(look().map(({ scheduleId }) => scheduleId)).toEqual(["s"]);
  expect(told.size).toBe(TICKED_SCHEDULES_MAX);
});
