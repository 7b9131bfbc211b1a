// When slots are: over changes of clocks, at the ends of months, against a count second by second.

import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { ScheduleRule } from "../../../ledger/schedule.ts";
import { isCron, isTimeZone, lastSlotMs, nextSlotMs } from "../../../transport/calendar.ts";
import { ruleOf } from "../ledger/world.ts";

/** The slots behind `from`, as the clocks on the wall there show them and as UTC. */
function slots(cron: string, timeZone: string, from: string, count: number): string[] {
  const rule = ruleOf({ cron, timeZone });
  const wall = new Intl.DateTimeFormat("sv-SE", {
    ...{ timeZone, dateStyle: "short", timeStyle: "medium" },
  });
  const found: string[] = [];
  let atMs = Date.parse(from);
  for (let i = 0; i < count; i += 1) {
    atMs = nextSlotMs({ rule, createdMs: 0 }, atMs) ?? 0;
    const utc = new Date(atMs).toISOString().slice(11, 16);
    found.push(`${wall.format(atMs).slice(5, 16)} ${utc}Z`);
  }
  return found;
}

describe("a fixed time", () => {
  test.each([
    [
      "Europe/Berlin",
      "30 2 * * *",
      "2026-03-28T00:00Z",
      [...["03-28 02:30 01:30Z", "03-29 03:00 01:00Z", "03-30 02:30 00:30Z"]],
    ],
    [
      "America/New_York",
      "30 2 * * *",
      "2026-03-07T00:00Z",
      [...["03-07 02:30 07:30Z", "03-08 03:00 07:00Z", "03-09 02:30 06:30Z"]],
    ],
    [
      "Australia/Lord_Howe",
      "15 2 * * *",
      "2026-10-02T00:00Z",
      [...["10-03 02:15 15:45Z", "10-04 02:30 15:30Z", "10-05 02:15 15:15Z"]],
    ],
    [
      "Europe/Berlin",
      "30 2,14 * * *",
      "2026-03-28T15:00Z",
      [...["03-29 03:00 01:00Z", "03-29 14:30 12:30Z", "03-30 02:30 00:30Z"]],
    ],
  ])(
    "in %s that a day leaves out comes when the gap is over (%s)",
    (zone, cron, from, expected) => {
      expect(slots(cron, zone, from, 3)).toEqual(expected);
    },
  );

  test.each([
    [
      "Europe/Berlin",
      "30 2 * * *",
      "2026-10-24T12:00Z",
      [...["10-25 02:30 00:30Z", "10-26 02:30 01:30Z"]],
    ],
    [
      "America/New_York",
      "30 1 * * *",
      "2026-10-31T12:00Z",
      [...["11-01 01:30 05:30Z", "11-02 01:30 06:30Z"]],
    ],
    [
      "Australia/Lord_Howe",
      "45 1 * * *",
      "2026-04-04T00:00Z",
      [...["04-05 01:45 14:45Z", "04-06 01:45 15:15Z"]],
    ],
  ])("in %s that a day has twice comes the first time only (%s)", (zone, cron, from, expected) => {
    expect(slots(cron, zone, from, 2)).toEqual(expected);
  });
});

describe("a time with a step or a wildcard goes by the time that passes", () => {
  test("over the gap of Berlin", () => {
    expect(slots("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:15Z", 3)).toEqual([
      ...["03-29 01:30 00:30Z", "03-29 03:00 01:00Z", "03-29 03:30 01:30Z"],
    ]);
  });

  test("in both of the doubled hours of New York", () => {
    expect(slots("0 * * * *", "America/New_York", "2026-11-01T04:30Z", 3)).toEqual([
      ...["11-01 01:00 05:00Z", "11-01 01:00 06:00Z", "11-01 02:00 07:00Z"],
    ]);
  });

  test("over the half hours of Lord Howe", () => {
    expect(slots("*/15 * * * *", "Australia/Lord_Howe", "2026-04-04T14:40Z", 4)).toEqual([
      ...["04-05 01:45 14:45Z", "04-05 01:30 15:00Z", "04-05 01:45 15:15Z", "04-05 02:00 15:30Z"],
    ]);
    expect(slots("*/15 * * * *", "Australia/Lord_Howe", "2026-10-03T15:10Z", 3)).toEqual([
      ...["10-04 01:45 15:15Z", "10-04 02:30 15:30Z", "10-04 02:45 15:45Z"],
    ]);
  });

  test.each(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"])(
    "each second of a day when clocks change comes once, in %s",
    (timeZone) => {
      const rule = ruleOf({ cron: "* * * * * *", timeZone });
      for (const from of ["2026-03-29T00:59:30Z", "2026-11-01T05:59:30Z", "2026-10-03T15:29:30Z"]) {
        const startMs = Date.parse(from);
        for (let i = 0; i < 60; i += 1) {
          const atMs = startMs + i * 1_000;
          expect(nextSlotMs({ rule, createdMs: 0 }, atMs)).toBe(atMs + 1_000);
        }
      }
    },
  );
});

test("the last day of a month, and a day that comes every four years", () => {
  expect(slots("0 12 L * *", "UTC", "2027-02-01T00:00Z", 2)).toEqual([
    ...["02-28 12:00 12:00Z", "03-31 12:00 12:00Z"],
  ]);
  expect(slots("0 0 29 2 *", "UTC", "2026-03-01T00:00Z", 1)).toEqual(["02-29 00:00 00:00Z"]);
});

test.each([
  ...["* * * * *", "*/5 * * * * *", "0 9-17 * * MON-FRI", "0 0 1,15 * *", "@daily", "@hourly"],
  ...["30 2 * JAN-MAR sun", "0 0 * * FRI#2", "0 0 15W * *"],
])("%j is a cron", (cron) => {
  expect(isCron(cron)).toBe(true);
});

test.each([
  ...["", " ", "* * * *", "* * * * * * *", "61 * * * *", "* 24 * * *", "? * * * *", "@every 5m"],
  ...["a b c d e", "*/0 * * * *", "5-1 * * * *", "2026-01-01T00:00:00", "* * * * MOON"],
  `${"0,".repeat(200)}0 * * * *`,
])("%j is no cron", (cron) => {
  expect(isCron(cron)).toBe(false);
  expect(nextSlotMs({ rule: ruleOf({ cron: cron || "?" }), createdMs: 0 }, 0)).toBeNull();
});

test("time zones are those that this machine knows", () => {
  expect(["UTC", "Europe/Berlin", "Etc/GMT+3"].map(isTimeZone)).toEqual([true, true, true]);
  expect(["", "Mars/Olympus", "Berlin", "Europe/Berlin "].map(isTimeZone)).toEqual(
    Array.from({ length: 4 }, () => false),
  );
  const rule = ruleOf({ cron: "* * * * *", timeZone: "Mars/Olympus" });
  expect(nextSlotMs({ rule, createdMs: 0 }, 0)).toBeNull();
});

test("a cron that never comes has no slot, and none comes behind the end", () => {
  const never = ruleOf({ cron: "0 0 30 2 *", timeZone: "UTC" });
  expect(nextSlotMs({ rule: never, createdMs: 0 }, 0)).toBe(0);
  const until = ruleOf({ cron: "0 * * * *", timeZone: "UTC", endMs: 7_200_000 });
  expect(
    [0, 3_600_000, 7_199_999, 7_200_000].map((ms) => nextSlotMs({ rule: until, createdMs: 0 }, ms)),
  ).toEqual([3_600_000, 7_200_000, 7_200_000, 0]);
});

test("an interval counts from its start, or else from the creation", () => {
  const every = (startMs: number) => ({
    rule: ruleOf({ intervalMs: 90_000, startMs }),
    createdMs: 7,
  });
  expect([7, 8, 90_006, 90_007, 900_000].map((ms) => nextSlotMs(every(0), ms))).toEqual([
    ...[90_007, 90_007, 90_007, 180_007, 900_007],
  ]);
  expect([0, 999, 1_000, 91_000].map((ms) => nextSlotMs(every(1_000), ms))).toEqual([
    ...[1_000, 1_000, 91_000, 181_000],
  ]);
});

const timed: fc.Arbitrary<ScheduleRule> = fc.oneof(
  fc.record({ intervalMs: fc.integer({ min: 1_000, max: 100_000 }) }).map(ruleOf),
  fc
    .record({
      cron: fc.constantFrom("*/7 * * * * *", "13 * * * *", "5,50 */2 * * *", "0 3 * * *"),
      timeZone: fc.constantFrom("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"),
    })
    .map(ruleOf),
);

test("the last slot of a time is the one behind which none comes", () => {
  fc.assert(
    fc.property(
      timed,
      fc.integer({ min: 1_772_000_000_000, max: 1_794_000_000_000 }),
      fc.integer({ min: 0, max: 400_000 }),
      (rule, createdMs, forMs) => {
        const timing = { rule, createdMs };
        const firstMs = nextSlotMs(timing, createdMs) ?? 0;
        expect(firstMs).toBeGreaterThan(createdMs);
        // One at a time.
        let lastMs = firstMs;
        for (;;) {
          const nextMs = nextSlotMs(timing, lastMs) ?? 0;
          expect(nextMs).toBeGreaterThan(lastMs);
          if (nextMs > firstMs + forMs) break;
          lastMs = nextMs;
        }
        expect(lastSlotMs(timing, firstMs, firstMs + forMs)).toBe(lastMs);
      },
    ),
    { numRuns: 60 },
  );
});
