// Records of schedules that contradict themselves or the jobs give no ledger.

import { expect, test } from "@jest/globals";
import type { KeptSchedule } from "../../../ledger/kept-schedule.ts";
import { type SnapshotRecord, snapshotRecords } from "../../../ledger/ledger.ts";
import { restore } from "./restored.ts";
import { ruleOf, START_MS, specOf, World } from "./world.ts";

/** A schedule whose first slot has a job, and whose second one waits for its end. */
function worked(): World {
  const world = new World();
  for (const scheduleId of ["one", "two"]) {
    const rule = ruleOf({ intervalMs: 1_000, overlap: "queue" });
    world.commit({ kind: "create-schedule", scheduleId, rule, job: specOf() });
  }
  const { number, decidedMs } = world.ledger.schedules.get("one") ?? { number: 0, decidedMs: 0 };
  const slots = [START_MS + 1_000, START_MS + 2_000];
  const nextSlotMs = START_MS + 3_000;
  const traceparents = ["a", "b"];
  const names = { scheduleId: "one", number, decidedMs };
  const tick = { ...names, slots, traceparents, nextSlotMs, hasGap: false };
  world.at(2_500).commit({ kind: "tick-schedules", ticks: [tick] });
  return world;
}

const records = [...snapshotRecords(worked().ledger)];

function failureOf(some: readonly SnapshotRecord[]): string {
  const result = restore(some);
  return "failure" in result ? result.failure : "none";
}

function withSchedule(change: Partial<KeptSchedule>, id = "one"): string {
  return failureOf(
    records.map((record) =>
      record.kind === "schedule" && record.schedule.id === id
        ? { ...record, schedule: { ...record.schedule, ...change } }
        : record,
    ),
  );
}

function withJob(change: { readonly scheduleId?: string; readonly slotMs?: number }): string {
  return failureOf(
    records.map((record) =>
      record.kind === "job" ? { ...record, job: { ...record.job, ...change } } : record,
    ),
  );
}

test("as they were made they are a ledger", () => {
  expect(failureOf(records)).toBe("none");
});

test.each<[string, Partial<KeptSchedule>]>([
  ["no id", { id: "" }],
  ["the id of another", { id: "two" }],
  ["a number that is not higher than the one before", { number: 99 }],
  ["a number to come", { number: 1_000 }],
  ["a kind that nobody registered", { job: specOf({ kind: "none" }) }],
  ["a queue that nobody registered", { job: specOf({ queue: "none" }) }],
  ["a key for its jobs", { job: specOf({ idempotencyKey: "k" }) }],
  ["a time that is none", { decidedMs: Number.NaN }],
  ["a decision to come", { decidedMs: START_MS + 9_000 }],
  ["a decision before its creation", { decidedMs: START_MS - 1 }],
  ["a decision before its last job", { decidedMs: START_MS + 500 }],
  ["a next slot that is decided", { nextSlotMs: START_MS + 2_000 }],
  ["a next slot after its end", { isOver: true }],
  ["a count without a job", { firedJobId: "" }],
  ["slots that wait and may not", { rule: ruleOf({ intervalMs: 1_000, overlap: "skip" }) }],
  ["slots that wait out of order", { pending: [START_MS + 2_000, START_MS + 1_900] }],
  ["more traces than slots that wait", { pendingTraces: ["a", "b"] }],
  ["a slot that waits and has a job", { pending: [START_MS + 1_000] }],
  ["a slot that waits and is not decided", { pending: [START_MS + 2_200] }],
])("%s is refused", (_what, change) => {
  expect(withSchedule(change)).toBe("schedule");
});

test("a slot that waits for no job is stranded, unless the schedule is paused", () => {
  const pending = [START_MS + 100];
  const alone = { pending, decidedMs: START_MS + 100, rule: ruleOf({ overlap: "queue" }) };
  expect(withSchedule(alone, "two")).toBe("stranded");
  expect(withSchedule({ ...alone, isPaused: true }, "two")).toBe("none");
});

test("a job of a slot without a schedule, or of one to come; one of no slot was made by hand", () => {
  expect(withJob({ scheduleId: "" })).toBe("job-times");
  expect(withJob({ slotMs: 0 })).toBe("none");
  expect(withJob({ slotMs: START_MS + 60_000 })).toBe("job-times");
});

test("one that is missing, or there twice", () => {
  const one = records.filter((record) => record.kind === "schedule").slice(0, 1);
  expect(failureOf(records.filter((record) => !one.some((it) => it === record)))).toBe("count");
  expect(failureOf([...records.slice(0, 2), ...one, ...records.slice(2)])).toBe("schedule");
});
