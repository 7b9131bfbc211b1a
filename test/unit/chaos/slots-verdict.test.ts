// The verdict on slots can be a bad one.

import { expect, test } from "@jest/globals";
import { isOneRow, verdictOf } from "../../chaos/slots/verdict.ts";

const SLOTS = { everyMs: 1_000, firstMs: 5_000, missedAfterMs: 2_000 };
const made = (slotMs: number, delayMs = 10) => ({ slotMs, createdMs: slotMs + delayMs });

test("one job a slot is well, in any order", () => {
  expect(verdictOf([made(6_000), made(5_000), made(7_000, 1_999)], SLOTS)).toEqual({
    ...{ slots: 3, jobs: 3, missing: [], late: [], delayMsMax: 1_999, failures: [] },
  });
});

test("a slot without a job is told, also the first one", () => {
  const { missing } = verdictOf([made(6_000), made(9_000)], SLOTS);
  expect(missing).toEqual([5_000, 7_000, 8_000]);
  expect([isOneRow(missing, 1_000), isOneRow(missing.slice(1), 1_000)]).toEqual([false, true]);
});

test.each([
  ["two jobs", [made(5_000), made(5_000)]],
  ["no slot", [made(5_000), made(5_500)]],
  ["no slot", [made(4_000), made(5_000)]],
  ["made before it", [made(5_000, -1)]],
])("%s is a failure", (what, jobs) => {
  expect(verdictOf(jobs, SLOTS).failures).toEqual([expect.stringContaining(what)]);
});

test("a job that comes too late is told", () => {
  expect(verdictOf([made(5_000, 2_001), made(6_000, 2_000)], SLOTS).late).toEqual([5_000]);
});
