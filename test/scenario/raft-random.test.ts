// Random runs of whole clusters, each checked after every event (test/support/raft-checker.ts).
// A failing seed is named in the message and runs again alone with the same options.

import { describe, expect, test } from "@jest/globals";
import { step } from "../../raft/step.ts";
import { drawnOptions, runToConvergence } from "../support/raft-run.ts";

const SEEDS = 300;

describe("random clusters under loss, reordering, crashes, slow disks and partitions", () => {
  test(`keep every property at every event, and converge once healed, for ${SEEDS} seeds`, () => {
    const total = { steps: 0, crashes: 0, elections: 0, truncations: 0, reads: 0, committed: 0 };
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const { counts, checker } = runToConvergence(drawnOptions(seed, step));
      total.steps += counts.steps;
      total.crashes += counts.crashes;
      total.elections += counts.elections;
      total.truncations += counts.truncations;
      total.reads += counts.reads;
      total.committed += checker.committed.length;
    }
    // A run in which nothing happens would prove nothing.
    expect(total.steps).toBeGreaterThan(500_000);
    expect(total.crashes).toBeGreaterThan(1000);
    expect(total.elections).toBeGreaterThan(500);
    expect(total.truncations).toBeGreaterThan(30);
    expect(total.reads).toBeGreaterThan(5000);
    expect(total.committed).toBeGreaterThan(20_000);
  }, 60_000);

  test("the same seed gives the same run", () => {
    const trace = (): string => {
      const { counts, checker, hosts } = runToConvergence(drawnOptions(17, step));
      const states = hosts.map(({ node }) => [node.currentTerm, node.role, node.commitIndex]);
      return JSON.stringify([counts, checker.committed.map(({ term }) => term), states]);
    };
    expect(trace()).toBe(trace());
  });
});
