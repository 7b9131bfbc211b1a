// The bugs that the model of a job has to find, one by one, and what is not to be taken for one.

import { describe, expect, test } from "@jest/globals";
import { checkParts } from "../../../sim/linearizability/check-parts.ts";
import { check } from "../../../sim/linearizability/checker.ts";
import { withRepeats } from "../../../sim/linearizability/history.ts";
import type { JobHistory, JobView } from "../../../sim/linearizability/job-call.ts";
import { jobModel, limitedJobModel } from "../../../sim/linearizability/job-model.ts";
import { partitionJobs } from "../../../sim/linearizability/job-parts.ts";
import { partsText } from "../../../sim/linearizability/text.ts";
import {
  acked,
  finishCall,
  JOB_ID,
  lost,
  operation,
  read,
  SUBMIT,
  started,
  submitted,
  viewOf,
} from "./job-script.ts";

const RUNNING = viewOf({ state: "running", attempts: [{ token: 5, outcome: "started" }] });
const DONE: JobView = {
  state: "succeeded",
  attempts: [{ token: 5, outcome: "succeeded" }],
  result: "a",
  error: null,
};

const succeeded = (at: number, token: number, body = "a") =>
  operation(at, finishCall(token, "succeeded", body), { kind: "finished", state: "succeeded" });
const fenced = (at: number, token: number, currentToken: number) =>
  operation(at, finishCall(token, "succeeded"), { kind: "fenced", currentToken, state: "running" });
const cancelled = (at: number) => acked(at, "cancel", { kind: "cancelled" });
const missing = (at: number) => acked(at, "get", { kind: "job-not-found" });
const forgotten = (at: number) =>
  operation(at, { kind: "forget", jobId: JOB_ID }, { kind: "witnessed" });
const freed = (at: number) =>
  operation(at, { kind: "free-key", key: "order-1" }, { kind: "witnessed" });
const refused = (at: number, startId: string, reason: "limited" | "locked" | "held") =>
  operation(at, { kind: "start", jobId: JOB_ID, startId }, { kind: "start-refused", reason });
const gone = [submitted(0), cancelled(10), forgotten(20)];
const begun = [submitted(0), started(10, 5, 1, "s1")];

function verdictOn(history: JobHistory): string {
  return check(jobModel, history).kind;
}

describe("a violation", () => {
  test.each<[string, JobHistory]>([
    ["a stale read: queued after its start was answered", [...begun, read(20, viewOf({}))]],
    [
      "a stale read: running after its end was answered",
      [...begun, succeeded(20, 5), read(30, RUNNING)],
    ],
    [
      "a lost update: a result that is not there",
      [...begun, succeeded(20, 5), read(30, { ...DONE, result: null })],
    ],
    [
      "a duplicate result: two attempts succeed",
      [...begun, started(20, 7, 2, "s2"), succeeded(30, 5), succeeded(40, 7, "b")],
    ],
    ["a duplicate result: two jobs of one key", [submitted(0), submitted(10, false, "j-9")]],
    ["a repeat that is told another job", [submitted(0), submitted(10, true, "j-9")]],
    [
      "a repeat of another job under the key",
      [
        submitted(0),
        operation(
          10,
          { ...SUBMIT, spec: "x" },
          { kind: "submitted", jobId: JOB_ID, deduplicated: true },
        ),
      ],
    ],
    ["a token that falls", [...begun, started(20, 4, 2, "s2")]],
    ["a token that repeats for another start", [...begun, started(20, 5, 2, "s2")]],
    ["a token that changes for the same start", [...begun, started(20, 6, 1, "s1")]],
    ["two live attempts", [...begun, started(20, 7, 2, "s2"), fenced(30, 7, 5)]],
    [
      "a result that changes after the end",
      [...begun, succeeded(20, 5), read(30, DONE), read(40, { ...DONE, result: "b" })],
    ],
    [
      "a finished job that is cancelled",
      [...begun, succeeded(20, 5), acked(30, "cancel", { kind: "cancelled" })],
    ],
    [
      "a cancelled job that is finished",
      [...begun, acked(20, "cancel", { kind: "cancelled" }), succeeded(30, 5)],
    ],
    ["a read of a result that nobody wrote", [...begun, read(20, DONE)]],
    ["an accepted job that is gone", [submitted(0), acked(10, "get", { kind: "job-not-found" })]],
    ["an accepted job that is accepted again", [submitted(0), submitted(10)]],
    [
      "a current report that is refused for an earlier attempt",
      [...begun, started(20, 7, 2, "s2"), fenced(30, 5, 5)],
    ],
    ["a current report that is refused though nothing ended it", [...begun, fenced(20, 5, 5)]],
    [
      "an attempt more than there may be",
      [...begun, started(20, 7, 2, "s2"), started(30, 9, 3, "s3")],
    ],
    [
      "a refused start that starts later",
      [
        ...begun,
        operation(
          20,
          { kind: "start", jobId: JOB_ID, startId: "s2" },
          { kind: "start-refused", reason: "held" },
        ),
        started(30, 7, 2, "s2"),
      ],
    ],
    [
      "a renewal of an attempt that another one followed",
      [
        ...begun,
        started(20, 7, 2, "s2"),
        operation(30, { kind: "renew", jobId: JOB_ID, token: 5 }, { kind: "renewed" }),
      ],
    ],
    ["an attempt without a start", [submitted(0), read(10, RUNNING)]],
    ["a job without a submission", [read(10, viewOf({}))]],
    ["a job that is forgotten before its end", [submitted(0), forgotten(10)]],
    ["a job that is forgotten twice", [...gone, forgotten(30)]],
    ["a forgotten job that is there", [...gone, cancelled(30)]],
    [
      "a job that is gone before it is forgotten",
      [...gone.slice(0, 2), missing(15), forgotten(20)],
    ],
    ["a key that is free before its job is forgotten", [...gone.slice(0, 2), freed(15)]],
    ["a new job under a key that is not free", [...gone, submitted(30, false, "j-9")]],
    ["a repeat under a key that is free", [...gone, freed(30), submitted(40, true)]],
    ["an id given again when its key was free", [...gone, freed(30), submitted(40)]],
    [
      "a start that is held back where there are no limits",
      [submitted(0), refused(10, "s1", "limited")],
    ],
  ])("is %s", (_what, history) => {
    expect(verdictOn(history)).toBe("violated");
  });
});

describe("no violation", () => {
  test.each<[string, JobHistory]>([
    [
      "an attempt that is lost while nobody looks",
      [
        ...begun,
        read(20, viewOf({ state: "scheduled", attempts: [{ token: 5, outcome: "lost" }] })),
        started(30, 7, 2, "s2"),
        succeeded(40, 7),
        read(50, {
          ...DONE,
          attempts: [
            { token: 5, outcome: "lost" },
            { token: 7, outcome: "succeeded" },
          ],
        }),
      ],
    ],
    [
      "the last attempt lost",
      [
        ...begun,
        started(20, 7, 2, "s2"),
        read(
          30,
          viewOf({
            state: "failed",
            attempts: [
              { token: 5, outcome: "lost" },
              { token: 7, outcome: "timed-out" },
            ],
            error: "ATTEMPT_TIMED_OUT",
          }),
        ),
      ],
    ],
    ["a late report that is refused", [...begun, started(20, 7, 2, "s2"), fenced(30, 5, 7)]],
    ["a report that is told twice", [...begun, succeeded(20, 5), succeeded(30, 5), read(40, DONE)]],
    [
      "a report of another body after the first: the first stands",
      [...begun, succeeded(20, 5), succeeded(30, 5, "b"), read(40, DONE)],
    ],
    ["a start asked twice", [...begun, started(20, 5, 1, "s1"), succeeded(30, 5)]],
    [
      "a start whose answer was lost, seen by a read",
      [
        submitted(0),
        lost(10, { kind: "start", jobId: JOB_ID, startId: "s1" }),
        read(20, RUNNING),
        succeeded(30, 5),
      ],
    ],
    ["a submission whose answer was lost", [lost(0, SUBMIT), submitted(10, true)]],
    ["a submission that was lost", [lost(0, SUBMIT), submitted(10)]],
    [
      "a report whose answer was lost, and which was heard",
      [...begun, lost(20, finishCall(5, "succeeded")), read(30, RUNNING), read(40, DONE)],
    ],
    ["a repeat of what is forgotten", [...gone, missing(25), submitted(30, true)]],
    [
      "a new job under a key that is free, and the old one's id",
      [...gone, freed(30), submitted(40, false, "j-9"), missing(50)],
    ],
    [
      "a new job that nobody was told of, and the old one's id",
      [...gone, freed(30), lost(40, SUBMIT), missing(50), submitted(60, true, "j-9")],
    ],
    [
      "a lock that another job holds",
      [
        submitted(0),
        operation(
          10,
          { kind: "start", jobId: JOB_ID, startId: "s1" },
          { kind: "start-refused", reason: "locked" },
        ),
        started(20, 5, 1, "s2"),
      ],
    ],
    [
      "a cancellation that meets an attempt already lost",
      [
        ...begun,
        acked(20, "cancel", { kind: "cancelled" }),
        read(
          30,
          viewOf({
            state: "cancelled",
            attempts: [{ token: 5, outcome: "lost" }],
            error: "CANCELLED",
          }),
        ),
      ],
    ],
  ])("is %s", (_what, history) => {
    expect(verdictOn(history)).toBe("linearizable");
  });

  test("is a submission that was sent twice and answered for the second time", () => {
    const history = [submitted(0, true)];
    expect(verdictOn(history)).toBe("violated");
    expect(verdictOn(withRepeats(history, ({ call }) => call.kind === "submit"))).toBe(
      "linearizable",
    );
  });
});

describe("with limits", () => {
  const verdictOf = (...history: JobHistory): string => check(limitedJobModel, history).kind;

  test("a start may be refused at any time, and starts nothing later", () => {
    const limited = [submitted(0), refused(10, "s1", "limited")];
    expect(verdictOf(...limited, started(20, 5, 1, "s2"))).toBe("linearizable");
    expect(verdictOf(...limited, started(20, 5, 1, "s1"))).toBe("violated");
    for (const reason of ["limited", "locked", "held"] as const) {
      expect(verdictOf(...limited, refused(20, "s1", reason))).toBe("linearizable");
    }
  });

  test("what has ended is held back by nothing", () => {
    expect(verdictOf(...begun, succeeded(20, 5), refused(30, "s2", "limited"))).toBe("violated");
    expect(verdictOf(submitted(0), cancelled(10), refused(20, "s1", "limited"))).toBe("violated");
  });

  test("a repeat has its answer, however many wait", () => {
    const full = operation(10, SUBMIT, { kind: "submit-refused", reason: "backlog-full" });
    expect(verdictOf(full)).toBe("linearizable");
    expect(verdictOf(submitted(0), full)).toBe("violated");
    expect(verdictOf(...gone, freed(30), { ...full, calledAt: 40, returnedAt: 41 })).toBe(
      "linearizable",
    );
  });
});

describe("a history of several jobs", () => {
  const other = { ...SUBMIT, key: "order-2" };

  test("is split by key, and each operation finds its job by what the submissions were told", () => {
    const history = [
      ...begun,
      operation(5, other, { kind: "submitted", jobId: "j-4", deduplicated: false }),
      acked(30, "get", { kind: "job", view: viewOf({}) }, "j-4"),
    ];
    const parts = partitionJobs(history);
    expect([...parts.values()].map((part) => part.length)).toEqual([2, 2]);
    expect(checkParts(jobModel, parts)).toMatchObject({
      kind: "linearizable",
      partCount: 2,
      operationCount: 4,
      failures: [],
    });
  });

  test("has a violation if one id was given to two keys", () => {
    const history = [
      submitted(0),
      operation(5, other, { kind: "submitted", jobId: JOB_ID, deduplicated: false }),
    ];
    expect(checkParts(jobModel, partitionJobs(history)).kind).toBe("violated");
  });

  test("may have a job that only a submission without an answer can have made", () => {
    const found = acked(30, "get", { kind: "job", view: viewOf({}) }, "j-8");
    expect(checkParts(jobModel, partitionJobs([lost(0, other), found])).kind).toBe("linearizable");
    expect(checkParts(jobModel, partitionJobs([submitted(0), found])).kind).toBe("violated");
    expect(checkParts(jobModel, partitionJobs([found, lost(40, other)])).kind).toBe("violated");
  });

  test("may have a job that came of a free key without anybody's being told", () => {
    const found = acked(50, "get", { kind: "job", view: viewOf({}) }, "j-9");
    const history = [...gone, freed(30), lost(40, SUBMIT), found];
    expect(checkParts(jobModel, partitionJobs(history)).kind).toBe("violated");
    const keys = [[JOB_ID, SUBMIT.key] as const, ["j-9", SUBMIT.key] as const];
    expect(checkParts(jobModel, partitionJobs(history, keys)).kind).toBe("linearizable");
    const early = history.filter(({ call }) => call.kind !== "free-key");
    expect(checkParts(jobModel, partitionJobs(early, keys)).kind).toBe("violated");
  });

  test("is undecided when the budget runs out, and violated all the same if a part is", () => {
    const undecided = checkParts(jobModel, partitionJobs(begun), { stepsMax: 0 });
    expect(undecided.kind).toBe("undecided");
    expect(partsText(undecided)).toBe("key order-1: undecided after 1 steps");
  });

  test("tells of a violation with the times of all that matters", () => {
    const history = [...begun, lost(15, { kind: "cancel", jobId: JOB_ID }), read(20, viewOf({}))];
    const after = operation(40, other, { kind: "submitted", jobId: "j-4", deduplicated: false });
    const verdict = checkParts(jobModel, partitionJobs([...history, after]));
    const text = partsText(verdict, {
      call: (call) => call.kind,
      outcome: (outcome) => outcome.kind,
      state: (job) => job?.state ?? "no job",
    });
    expect(text.split("\n")).toEqual([
      "key order-1: no order of these operations gets past (4)",
      "  (1) ||                               0..1  c1  submit -> submitted",
      "  (2)                ||                10..11  c1  start -> started",
      "  (3)                       |--------. 15..  c1  cancel -> unknown",
      "  (4)                               || 20..21  c1  get -> job",
      "longest order: (1) (2); that leaves running",
      "cannot be placed then: (4)",
    ]);
  });
});
