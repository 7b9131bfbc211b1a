// What callers saw, as it is checked after a chaos run: honest answers pass, each lie is caught.

import { describe, expect, test } from "@jest/globals";
import { AttemptOutcome, Job, JobState } from "../../../protos/gen/quorumq/v1/job.ts";
import { PipelineError } from "../../../transport/pipeline-error.ts";
import { refusal } from "../../../transport/reason.ts";
import { ClientHistory, outcomeOfError, submitCall, viewOf } from "../../chaos/client-history.ts";
import { otherThan } from "../../chaos/job-mix.ts";
import type { JobCall, JobOutcome } from "../../sim/linearizability/job-call.ts";
import { jobSpec } from "../../support/job-spec.ts";

type Step = readonly [call: JobCall, outcome: JobOutcome | null];

const spec = jobSpec({ kind: "greet", idempotencyKey: "key-1", maxAttempts: 50 });
const get = { kind: "get", jobId: "j-1" } as const;
const cancel = { kind: "cancel", jobId: "j-1" } as const;
const submitted = { kind: "submitted", jobId: "j-1", deduplicated: false } as const;

function jobAs(state: number, outcomes: readonly number[] = []): Job {
  const attempts = outcomes.map((outcome, at) => ({ number: at + 1, token: at + 10, outcome }));
  const result = state === JobState.JOB_STATE_SUCCEEDED ? Buffer.from("{}") : Buffer.alloc(0);
  return Job.fromPartial({
    id: "j-1",
    state: state as Job["state"],
    attempts: attempts as Job["attempts"],
    result,
  });
}

const queued = jobAs(JobState.JOB_STATE_QUEUED);
const succeeded = jobAs(JobState.JOB_STATE_SUCCEEDED, [
  AttemptOutcome.ATTEMPT_OUTCOME_LOST,
  AttemptOutcome.ATTEMPT_OUTCOME_SUCCEEDED,
]);

/** One caller, each answer before the next call. */
function historyOf(...steps: readonly Step[]): ClientHistory {
  let clock = 0;
  const history = new ClientHistory(() => {
    clock += 1;
    return clock;
  });
  for (const [call, outcome] of steps) history.record("c", call, history.nowMs(), outcome);
  return history;
}

const seen = (job: Job) => ({ kind: "job" as const, view: viewOf(job) });

describe("a history of honest answers", () => {
  test("is linearizable: asked again, looked at, run twice, waited for", () => {
    const history = historyOf(
      [submitCall(spec), null],
      [submitCall(spec), { ...submitted, deduplicated: true }],
      [get, seen(queued)],
      [submitCall(otherThan(spec)), { kind: "submit-refused", reason: "idempotency-key-reused" }],
      [get, seen(succeeded)],
      [cancel, { kind: "cancel-refused", state: "succeeded" }],
      [get, seen(succeeded)],
    );
    expect(history.check()).toMatchObject({ kind: "linearizable", text: "" });
  });

  test("is linearizable when the gateway itself asked twice", () => {
    const history = historyOf([submitCall(spec), { ...submitted, deduplicated: true }]);
    expect(history.check().kind).toBe("linearizable");
  });
});

describe("a lie", () => {
  const lies: readonly (readonly [string, readonly Step[]])[] = [
    ["an accepted job that is not found", [[get, { kind: "job-not-found" }]]],
    ["a key accepted twice, with two ids", [[submitCall(spec), { ...submitted, jobId: "j-2" }]]],
    [
      "an end that is taken back",
      [
        [get, seen(succeeded)],
        [get, seen(queued)],
      ],
    ],
    [
      "a cancelled job that succeeds",
      [
        [cancel, { kind: "cancelled" }],
        [get, seen(succeeded)],
      ],
    ],
    ["a key used for another job", [[submitCall(otherThan(spec)), submitted]]],
  ];

  test.each(lies)("is caught: %s", (_what, steps) => {
    const verdict = historyOf([submitCall(spec), submitted], ...steps).check();
    expect(verdict.kind).toBe("violated");
    expect(verdict.text).not.toBe("");
  });
});

describe("an error", () => {
  test("says for certain what only the ledger can know, and nothing else", () => {
    const unknown = new PipelineError("gone", {
      ...{ code: "UNAVAILABLE", reason: "NO_LEADER", retry: "safe" },
    });
    expect(outcomeOfError(unknown)).toBeNull();
    expect(outcomeOfError(refusal("JOB_NOT_FOUND", "no"))).toEqual({ kind: "job-not-found" });
    const finished = refusal("JOB_FINISHED", "over", { metadata: { state: "FAILED" } });
    expect(outcomeOfError(finished)).toEqual({ kind: "cancel-refused", state: "failed" });
  });
});
