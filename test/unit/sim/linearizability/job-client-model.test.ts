// The model of a job for histories without workers: allows what the ledger does, and not much else.

import { describe, expect, test } from "@jest/globals";
import { check } from "../../../sim/linearizability/checker.ts";
import type { JobHistory, JobOperation, JobView } from "../../../sim/linearizability/job-call.ts";
import { jobClientModel } from "../../../sim/linearizability/job-client-model.ts";
import { jobModel } from "../../../sim/linearizability/job-model.ts";
import { Draw } from "./draw.ts";
import { acked, read, submitted } from "./job-script.ts";
import { goodJobHistory, otherJobOutcome } from "./random-job.ts";
import { mutated } from "./random-register.ts";

function isOfClient({ call }: JobOperation): boolean {
  return call.kind === "submit" || call.kind === "cancel" || call.kind === "get";
}

function verdictOn(history: JobHistory): string {
  return check(jobClientModel, history).kind;
}

const RUNNING: JobView = {
  state: "running",
  attempts: [{ token: 4, outcome: "started" }],
  result: null,
  error: null,
};
const DONE: JobView = {
  state: "succeeded",
  attempts: [{ token: 4, outcome: "succeeded" }],
  result: '"a"',
  error: null,
};

describe("without a word about workers", () => {
  test("what the ledger tells callers is linearizable", () => {
    for (let seed = 0; seed < 1_500; seed++) {
      const draw = new Draw(seed);
      const history = goodJobHistory(draw, 40, draw.below(8), false).filter(isOfClient);
      expect([seed, verdictOn(history)]).toEqual([seed, "linearizable"]);
    }
  });

  test("nothing is found that the full model allows, and most that it finds among reads", () => {
    let [both, full] = [0, 0];
    for (let seed = 0; seed < 1_500; seed++) {
      const draw = new Draw(seed);
      const good = goodJobHistory(draw, 25, draw.below(4), false);
      const bad = mutated(draw, good, (operation) => otherJobOutcome(draw, operation));
      const changed = bad.find((operation, position) => operation !== good[position]);
      if (changed === undefined || !isOfClient(changed)) continue;
      const isFound = verdictOn(bad.filter(isOfClient)) === "violated";
      const isFoundByFull = check(jobModel, bad).kind === "violated";
      expect([seed, isFound && !isFoundByFull]).toEqual([seed, false]);
      if (isFound) both += 1;
      if (isFoundByFull) full += 1;
    }
    expect(full).toBeGreaterThan(50);
    expect(both / full).toBeGreaterThan(0.6);
  });

  test("a job may have run and finished between two reads", () => {
    expect(verdictOn([submitted(0), read(10, RUNNING), read(20, DONE)])).toBe("linearizable");
    expect(verdictOn([submitted(0), read(10, DONE)])).toBe("linearizable");
  });

  test.each<[string, JobHistory]>([
    ["an older state after a newer one", [submitted(0), read(10, DONE), read(20, RUNNING)]],
    ["another result", [submitted(0), read(10, DONE), read(20, { ...DONE, result: '"b"' })]],
    ["an accepted job that is gone", [submitted(0), acked(10, "get", { kind: "job-not-found" })]],
    [
      "a job that runs after it was cancelled",
      [submitted(0), acked(10, "cancel", { kind: "cancelled" }), read(20, RUNNING)],
    ],
    [
      "a token that changes",
      [
        submitted(0),
        read(10, RUNNING),
        read(20, { ...RUNNING, attempts: [{ token: 3, outcome: "started" }] }),
      ],
    ],
    [
      "two attempts that succeeded",
      [
        submitted(0),
        read(10, {
          ...DONE,
          attempts: [
            { token: 3, outcome: "succeeded" },
            { token: 4, outcome: "succeeded" },
          ],
        }),
      ],
    ],
  ])("%s is a violation", (_what, history) => {
    expect(verdictOn(history)).toBe("violated");
  });
});
