// What a hostile request cannot do to the gateway's checks: numbers that are no times, ends that
// would read as none, lists as long as a message.

import { describe, expect, test } from "@jest/globals";
import { Schedule } from "../../../protos/gen/quorumq/v1/schedule.ts";
import { WorkerHello } from "../../../protos/gen/quorumq/v1/worker_service.ts";
import { VIOLATIONS_TOLD_MAX } from "../../../transport/limit.ts";
import { PipelineError } from "../../../transport/pipeline-error.ts";
import { checkSchedule } from "../../../workers/gateway/schedule-check.ts";
import { checkDuration, checkEnd, checkTime } from "../../../workers/gateway/validate.ts";
import { Violations } from "../../../workers/gateway/violations.ts";
import { checkHello } from "../../../workers/remote/hello.ts";
import { jobSpec } from "../../support/job-spec.ts";

function errorOf(check: () => void): PipelineError {
  try {
    check();
  } catch (thrown) {
    if (thrown instanceof PipelineError) return thrown;
    throw thrown;
  }
  throw new Error("nothing was wrong with it");
}

const foundBy = (check: (violations: Violations) => void): PipelineError => {
  const violations = new Violations();
  check(violations);
  return errorOf(() => violations.requireNone());
};

const NONE = new Date(Number.NaN);
const NOW_MS = Date.UTC(2026, 0, 1);
const schedule = (change: Partial<Schedule>): Schedule =>
  Schedule.fromPartial({ cron: "@daily", job: jobSpec({}), ...change });

describe("a duration", () => {
  test.each([
    ["less than nothing", { seconds: 0, nanos: -1 }, "got -0.000001 ms"],
    ["nanoseconds beyond a second", { seconds: 0, nanos: 1_000_000_000 }, "0 s and 1000000000 ns"],
    ["two signs", { seconds: 5, nanos: -1 }, "5 s and -1 ns"],
    ["two signs, the other way", { seconds: -5, nanos: 1 }, "-5 s and 1 ns"],
    ["longer than a number counts", { seconds: 2 ** 53 - 1, nanos: 0 }, "got 9007199254740991000"],
  ])("with %s is refused", (_, duration, told) => {
    const error = foundBy((violations) => checkDuration(duration, "wait", violations));
    expect(error.violations[0]?.description).toContain(told);
  });

  test("of a part of a millisecond is a whole one", () => {
    expect(checkDuration({ seconds: 0, nanos: 1 }, "wait", new Violations())).toBe(1);
  });
});

describe("a time", () => {
  test("that no Date holds is refused, also where a job may have none", () => {
    const time = foundBy((violations) => checkTime(NONE, "run_at", violations));
    expect(time.violations).toMatchObject([{ field: "run_at" }]);
    const given = schedule({ job: jobSpec({ runAt: NONE }), endTime: NONE });
    const error = foundBy((violations) => checkSchedule(given, "", NOW_MS, violations));
    const fields = error.violations.map(({ field }) => field);
    expect(fields).toEqual(["schedule.job.run_at", "schedule.end_time"]);
  });

  test.each([0, -1, -62_135_596_800_000])("of %d ms is an end, and not the lack of one", (ms) => {
    const error = foundBy((violations) => checkEnd(new Date(ms), "created_before", violations));
    expect(error.violations[0]?.description).toContain(new Date(ms).toISOString());
    const given = schedule({ endTime: new Date(ms) });
    const ended = foundBy((violations) => checkSchedule(given, "", NOW_MS, violations));
    expect(ended.violations).toMatchObject([{ field: "schedule.end_time" }]);
  });

  test("that is absent is no end", () => {
    expect(checkEnd(undefined, "created_before", new Violations())).toBe(0);
  });
});

test("a list as long as a message is one problem, and not one for each item", () => {
  const lockTemplates = Array.from({ length: 1_000_000 }, () => "");
  const hello = WorkerHello.fromPartial({ kinds: [{ kind: "resize" }] });
  const kinds = hello.kinds.map((kind) => ({ ...kind, lockTemplates }));
  const error = errorOf(() => checkHello({ ...hello, kinds }));
  expect(error.violations.length).toBeLessThan(VIOLATIONS_TOLD_MAX);
});

test("of many problems so many are told, and all are counted", () => {
  const error = foundBy((violations) => {
    for (let at = 0; at < 10_000; at += 1) violations.add(`keys[${at}]`, "is empty", "", "a key");
  });
  expect(error.violations).toHaveLength(VIOLATIONS_TOLD_MAX);
  expect(error.metadata).toMatchObject({ field: "keys[0]", violation_count: "10000" });
});
