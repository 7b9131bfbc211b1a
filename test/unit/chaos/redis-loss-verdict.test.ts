// What the verdict on a run of lost Redises finds in jobs and marks that are made up.

import { describe, expect, test } from "@jest/globals";
import { AttemptOutcome, Job, JobState } from "../../../protos/gen/quorumq/v1/job.ts";
import type { ProbeMark } from "../../chaos/redis-loss/probe-mark.ts";
import { locksOf, verdictOf } from "../../chaos/redis-loss/verdict.ts";

const SECOND = 1_000;

function at(seconds: number): Date {
  return new Date(1_700_000_000_000 + seconds * SECOND);
}

function succeeded(change: Parameters<typeof Job.fromPartial>[0]): Job {
  return Job.fromPartial({
    id: "j-1",
    state: JobState.JOB_STATE_SUCCEEDED,
    createTime: at(0),
    runAt: at(0),
    attempts: [
      {
        number: 1,
        token: 5,
        startTime: at(1),
        endTime: at(2),
        outcome: AttemptOutcome.ATTEMPT_OUTCOME_SUCCEEDED,
      },
    ],
    ...change,
  });
}

function mark(event: ProbeMark["event"], key: string, token: number): ProbeMark {
  return { event, kind: "probe", jobId: `j-${token}`, key, attempt: 1, token };
}

describe("the verdict on a job", () => {
  test("is well when one attempt succeeded", () => {
    const { recordedOnce, wrong } = verdictOf([succeeded({})], [], 0);
    expect({ recordedOnce, wrong }).toEqual({ recordedOnce: 1, wrong: [] });
  });

  test("names a job that did not succeed, or succeeded twice", () => {
    const failed = succeeded({ id: "j-2", state: JobState.JOB_STATE_FAILED });
    const [one] = succeeded({}).attempts;
    const twice = succeeded({ id: "j-3", attempts: [{ ...one }, { ...one, number: 2, token: 6 }] });
    const { recordedOnce, wrong } = verdictOf([failed, twice], [], 0);
    expect(recordedOnce).toBe(0);
    expect(wrong.map((text) => text.split(" ")[0])).toEqual(["j-2", "j-3"]);
  });

  test("names a delayed job that ran before its time, and measures the others", () => {
    const early = succeeded({ id: "j-4", runAt: at(1.5) });
    const late = succeeded({ id: "j-5", runAt: at(0.75) });
    const verdict = verdictOf([early, late], [], 0);
    expect(verdict.early).toEqual(["j-4 attempt 1: 500 ms early"]);
    expect(verdict.delayed).toMatchObject({ count: 1, max: 250 });
  });

  test("names a retry that did not wait out its backoff", () => {
    const [success] = succeeded({}).attempts;
    const failure = {
      number: 1,
      token: 3,
      startTime: at(0),
      endTime: at(0.9),
      outcome: AttemptOutcome.ATTEMPT_OUTCOME_FAILED,
    };
    const job = succeeded({ attempts: [failure, { ...success, number: 2 }] });
    expect(verdictOf([job], [], 200).early).toEqual(["j-1 attempt 2: 100 ms early"]);
    expect(verdictOf([job], [], 40).retried).toMatchObject({ count: 1, max: 60 });
  });
});

describe("the verdict on keys", () => {
  test("is well when holders follow each other with rising tokens", () => {
    const marks = [mark("begin", "a", 1), mark("begin", "b", 2), mark("end", "a", 1)];
    const more = [mark("begin", "a", 3), mark("end", "b", 2), mark("end", "a", 3)];
    expect(locksOf([...marks, ...more])).toEqual({ keys: 2, holds: 3, overlaps: [], fallen: [] });
  });

  test("names two holders at a time", () => {
    const { overlaps } = locksOf([mark("begin", "a", 1), mark("begin", "a", 2)]);
    expect(overlaps).toEqual(["a: token 2 while 1 holds it"]);
  });

  test("names a token that did not rise", () => {
    const marks = [mark("begin", "a", 2), mark("end", "a", 2), mark("begin", "a", 1)];
    expect(locksOf(marks).fallen).toEqual(["a: 1 after 2"]);
  });
});
