// The checker against brute force, on random short histories: good ones, and good ones with one
// thing changed. LINEARIZABILITY_RUNS sets how many of each model.

import { describe, expect, test } from "@jest/globals";
import { check } from "../../../sim/linearizability/checker.ts";
import { withRepeats } from "../../../sim/linearizability/history.ts";
import { jobModel } from "../../../sim/linearizability/job-model.ts";
import { registerModel } from "../../../sim/linearizability/register-model.ts";
import { disagreement } from "./agreement.ts";
import { Draw } from "./draw.ts";
import { goodJobHistory, otherJobOutcome } from "./random-job.ts";
import { goodRegisterHistory, mutated, otherRegisterOutcome } from "./random-register.ts";

const RUNS = Number(process.env["LINEARIZABILITY_RUNS"] ?? 10_000);
const OPERATIONS_MAX = 7;

function sizeOf(draw: Draw): number {
  return 1 + draw.below(OPERATIONS_MAX);
}

describe("on short histories, with and without memory, the checker says what brute force says", () => {
  test("of a register", () => {
    const tally = { linearizable: 0, violated: 0 };
    for (let seed = 0; seed < RUNS; seed++) {
      const draw = new Draw(seed);
      const good = goodRegisterHistory(draw, sizeOf(draw), draw.below(8));
      const history = draw.oneIn(3)
        ? good
        : mutated(draw, good, (operation) => otherRegisterOutcome(draw, operation));
      expect([seed, disagreement(registerModel, history, tally)]).toEqual([seed, null]);
    }
    expect(Math.min(tally.linearizable, tally.violated)).toBeGreaterThan(RUNS / 5);
  });

  test("of a job", () => {
    const tally = { linearizable: 0, violated: 0 };
    for (let seed = 0; seed < RUNS; seed++) {
      const draw = new Draw(seed);
      const good = goodJobHistory(draw, sizeOf(draw), draw.below(8));
      const history = draw.oneIn(3)
        ? good
        : mutated(draw, good, (operation) => otherJobOutcome(draw, operation));
      expect([seed, disagreement(jobModel, history, tally)]).toEqual([seed, null]);
    }
    expect(Math.min(tally.linearizable, tally.violated)).toBeGreaterThan(RUNS / 5);
  });
});

describe("what happened in some order is linearizable", () => {
  test("a long history of a register, much of it concurrent", () => {
    for (let seed = 0; seed < 100; seed++) {
      const draw = new Draw(seed);
      const history = goodRegisterHistory(draw, 60, 12);
      expect([seed, check(registerModel, history).kind]).toEqual([seed, "linearizable"]);
    }
  });

  test("also with many operations of unknown outcome, in few steps, since few took effect", () => {
    for (let seed = 0; seed < 300; seed++) {
      const draw = new Draw(seed);
      const good = goodJobHistory(draw, 40, 6, false);
      const history = withRepeats(good, ({ call }) => call.kind === "start");
      const { kind } = check(jobModel, history, { stepsMax: 20_000 });
      expect([seed, kind]).toEqual([seed, "linearizable"]);
    }
  });

  test("whatever the ledger answers about one job", () => {
    for (let seed = 0; seed < 2_000; seed++) {
      const draw = new Draw(seed);
      const history = goodJobHistory(draw, 40, draw.below(10));
      expect([seed, check(jobModel, history).kind]).toEqual([seed, "linearizable"]);
    }
  });
});
