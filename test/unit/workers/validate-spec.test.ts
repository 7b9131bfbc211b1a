// What the gateway refuses by itself, and that the rest passes the leader too; page tokens.

import { describe, expect, test } from "@jest/globals";
import type { JobSpec as WireJobSpec } from "../../../protos/gen/quorumq/v1/job.ts";
import { checkCommand } from "../../../transport/command-check.ts";
import { commandBodyToWire } from "../../../transport/command-codec.ts";
import {
  DURATION_MS_MAX,
  JOB_LOCK_KEYS_MAX,
  KEY_LENGTH_MAX,
  NAME_LENGTH_MAX,
  PAYLOAD_BYTES_MAX,
} from "../../../transport/limit.ts";
import { PipelineError } from "../../../transport/pipeline-error.ts";
import { pageToken, parsePageToken } from "../../../workers/gateway/page-token.ts";
import { checkSpec } from "../../../workers/gateway/validate-spec.ts";
import { Violations } from "../../../workers/gateway/violations.ts";
import { jobSpec } from "../../support/job-spec.ts";

function refused(change: Partial<WireJobSpec>): PipelineError {
  const violations = new Violations();
  checkSpec(jobSpec(change), "job", "", violations);
  try {
    violations.requireNone();
  } catch (thrown) {
    return PipelineError.from(thrown);
  }
  throw new Error("nothing was wrong with it");
}

const long = (length: number): string => "k".repeat(length);

test.each<[string, Partial<WireJobSpec>, string, string]>([
  ["an empty kind", { kind: "" }, "job.kind", '""'],
  ["a kind with a colon", { kind: "a:b" }, "job.kind", '"a:b"'],
  ["a kind that is too long", { kind: long(NAME_LENGTH_MAX + 1) }, "job.kind", "kkk"],
  ["a queue with a blank", { queue: "a b" }, "job.queue", '"a b"'],
  ["a payload that is not JSON", { payload: Buffer.from("{") }, "job.payload", "1 bytes"],
  ["a payload that is not UTF-8", { payload: Buffer.from([0x22, 0xff, 0x22]) }, "job.payload", "3"],
  ["a negative priority", { priority: -1 }, "job.priority", "-1; allowed: 0 to 1000"],
  ["a priority that is too high", { priority: 1_001 }, "job.priority", "1001"],
  ["a negative number of attempts", { maxAttempts: -2 }, "job.max_attempts", "-2"],
  ["too many attempts", { maxAttempts: 101 }, "job.max_attempts", "101; allowed: 0 to 100"],
  [
    "a negative timeout",
    { attemptTimeout: { seconds: -1, nanos: 0 } },
    "job.attempt_timeout",
    "-1000 ms",
  ],
  [
    "a timeout that is too long",
    { attemptTimeout: { seconds: DURATION_MS_MAX, nanos: 0 } },
    "job.attempt_timeout",
    String(DURATION_MS_MAX),
  ],
  [
    "a backoff that shrinks",
    { backoff: { initial: undefined, multiplier: 0.5, max: undefined } },
    "job.backoff.multiplier",
    "0.5; allowed: 1 to 1000",
  ],
  [
    "a backoff whose end is before its start",
    {
      backoff: {
        initial: { seconds: 2, nanos: 0 },
        multiplier: 2,
        max: { seconds: 1, nanos: 0 },
      },
    },
    "job.backoff.max",
    "1000 ms",
  ],
  ["a time that is none", { runAt: new Date(Number.NaN) }, "job.run_at", "NaN"],
  [
    "too many lock keys",
    { lockKeys: Array.from({ length: JOB_LOCK_KEYS_MAX + 1 }, (_, i) => `k${i}`) },
    "job.lock_keys",
    "17; allowed: at most 16",
  ],
  ["an empty lock key", { lockKeys: ["a", ""] }, "job.lock_keys[1]", '""'],
  ["a lock key twice", { lockKeys: ["a", "b", "a"] }, "job.lock_keys[2]", '"a"'],
  ["a long lock key", { lockKeys: [long(KEY_LENGTH_MAX + 1)] }, "job.lock_keys[0]", "257"],
  ["a long key", { idempotencyKey: long(KEY_LENGTH_MAX + 1) }, "job.idempotency_key", "257"],
])("%s is refused with its field, its value and the limit", (_what, change, field, part) => {
  const error = refused(change);
  expect(error).toMatchObject({ code: "INVALID_ARGUMENT", reason: "INVALID_FIELD" });
  expect(error.violations).toEqual([{ field, description: expect.stringContaining(part) }]);
  expect(error.rawMessage).toContain(field);
  expect(error.rawMessage).toContain(part);
  expect(error.rawMessage).toContain(error.metadata["value"]);
  expect(error.rawMessage).toContain(error.metadata["limit"]);
});

test("a payload over the limit has its own reason and names both sizes", () => {
  const payload = Buffer.alloc(PAYLOAD_BYTES_MAX + 1, "1");
  const error = refused({ payload });
  expect(error.reason).toBe("PAYLOAD_TOO_LARGE");
  expect(error.rawMessage).toContain(String(payload.byteLength));
  expect(error.rawMessage).toContain(String(PAYLOAD_BYTES_MAX));
});

test("all problems of a request are told at once", () => {
  const error = refused({ kind: "", priority: -1, lockKeys: [""] });
  expect(error.violations.map(({ field }) => field)).toEqual([
    "job.kind",
    "job.priority",
    "job.lock_keys[0]",
  ]);
  expect(error.metadata["violation_count"]).toBe("3");
});

test("a payload's content is never repeated", () => {
  const error = refused({ payload: Buffer.from("secret") });
  expect(JSON.stringify(error)).not.toContain("secret");
  expect(error.message).not.toContain("secret");
});

describe("what passes", () => {
  const passing: [string, Partial<WireJobSpec>][] = [
    ["the least", {}],
    ["an empty payload", { payload: Buffer.alloc(0) }],
    ["the largest payload", { payload: Buffer.alloc(PAYLOAD_BYTES_MAX, "1") }],
    ["a time before 1970", { runAt: new Date(-1_500) }],
    ["a fraction of a millisecond", { attemptTimeout: { seconds: 0, nanos: 1 } }],
    ["a backoff of defaults", { backoff: { initial: undefined, multiplier: 0, max: undefined } }],
    ["the longest names", { kind: long(NAME_LENGTH_MAX), idempotencyKey: long(KEY_LENGTH_MAX) }],
  ];

  test.each(passing)("%s is taken by the leader's own check as well", (_what, change) => {
    const violations = new Violations();
    const spec = checkSpec(jobSpec(change), "job", "", violations);
    violations.requireNone();
    const jobs = spec === null ? [] : [spec];
    expect(checkCommand(commandBodyToWire({ kind: "submit-jobs", jobs }))).toHaveProperty("ok");
  });
});

describe("a page token", () => {
  const filter = { state: 4, kind: "greet", queue: "", scheduleId: "", parentJobId: "" };

  test.each(["j-5", "j-12-3"])("gives back the place it was made for: %s", (jobId) => {
    const token = pageToken(filter, jobId);
    expect(token).toMatch(/^[A-Za-z0-9_-]+$/);
    expect(parsePageToken(filter, token)).toBe(jobId);
  });

  test.each([
    ["another state", { ...filter, state: 5 }],
    ["another kind", { ...filter, kind: "echo" }],
    ["a kind in place of a queue", { ...filter, kind: "", queue: "greet" }],
    ["a schedule", { ...filter, scheduleId: "nightly" }],
    ["a parent", { ...filter, parentJobId: "j-4-1" }],
  ])("is refused with %s", (_what, other) => {
    expect(parsePageToken(other, pageToken(filter, "j-5"))).toBeNull();
  });

  test("of a version without schedules and parents in the filter is still one", () => {
    const token = "MS5BLVBYbFY2TnNJdS5qLTU";
    expect(pageToken(filter, "j-5")).toBe(token);
  });

  test.each(["x", "j-5", "AAAA", "=", long(10_000), pageToken(filter, "j-x")])(
    "of somebody else is refused: %#",
    (token) => {
      expect(parsePageToken(filter, token)).toBeNull();
    },
  );
});
