// The published table from what went wrong to the exit code.

import { describe, expect, test } from "@jest/globals";
import { ExitCode, exitCodeOf, UsageError } from "../../../deploy/exit-code.ts";
import { Code, PipelineError } from "../../../transport/pipeline-error.ts";
import { type Reason, refusal } from "../../../transport/reason.ts";

describe("exit codes", () => {
  test("are the published numbers", () => {
    expect(ExitCode).toEqual({
      Ok: 0,
      Internal: 1,
      Usage: 2,
      JobUnsuccessful: 3,
      Unreachable: 4,
      NoQuorum: 5,
      TimedOut: 124,
      Interrupted: 130,
    });
  });

  const table: readonly (readonly [Reason, number])[] = [
    ["INVALID_FIELD", 2],
    ["PAYLOAD_TOO_LARGE", 2],
    ["JOB_NOT_FOUND", 2],
    ["JOB_FINISHED", 2],
    ["IDEMPOTENCY_KEY_REUSED", 2],
    ["UNREACHABLE", 4],
    ["CREDENTIAL_MISSING", 4],
    ["SCOPE_MISSING", 4],
    ["BACKLOG_FULL", 4],
    ["SHUTTING_DOWN", 4],
    ["NO_LEADER", 5],
    ["BROKER_UNAVAILABLE", 5],
    ["OUTCOME_UNKNOWN", 124],
    ["INTERNAL", 1],
    ["FENCED", 4],
    ["NODE_UNKNOWN", 2],
    ["NODE_UNFIT", 2],
    ["LOG_COMPACTED", 2],
    ["MEMBERSHIP_BUSY", 4],
    ["TRANSFER_ABORTED", 4],
  ];
  test.each(table)("%s ends the command with %i", (reason, code) => {
    expect(exitCodeOf(refusal(reason, "said"))).toBe(code);
  });

  test("every gRPC code has one, and none of them is success", () => {
    for (const code of Object.values(Code)) {
      const error = new PipelineError("said", { code, reason: "X", retry: "never" });
      expect([code, exitCodeOf(error) > 0]).toEqual([code, true]);
    }
  });

  test("a usage error is 2; what nobody expected is 1", () => {
    expect(exitCodeOf(new UsageError("wrong"))).toBe(2);
    expect(exitCodeOf(new TypeError("bug"))).toBe(1);
    expect(exitCodeOf("thrown text")).toBe(1);
  });
});
