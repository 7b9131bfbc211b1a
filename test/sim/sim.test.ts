// The simulator as a test: a fixed range of seeds, shorter than a campaign's, and every kept case.
//
// Guarantees: counters are asserted, so that a range in which nothing happened does not pass; the
// same seed has the same trace twice. Long campaigns: npm run sim; planted bugs: test/mutant.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { packageRoot } from "../../deploy/package-root.ts";
import { readArgs } from "./campaign/args.ts";
import { type Done, runJob, runOne } from "./campaign/job.ts";
import { FAULT_KINDS } from "./fault-kind.ts";
import type { Overrides } from "./swarm.ts";
import { Tally } from "./tally.ts";

const SEEDS = 300;
const SEEDS_OF_A_TEST = 50;
const SAFETY_MS = 15_000;
const REGRESSIONS = join(packageRoot(), "test", "sim", "regressions");

interface Regression {
  readonly seed: number;
  readonly overrides: Overrides;
  readonly invariant: string;
  /** What was wrong. */
  readonly note: string;
}

describe("random runs", () => {
  const tally = new Tally();
  const firsts = Array.from(
    { length: SEEDS / SEEDS_OF_A_TEST },
    (_, place) => 1 + place * SEEDS_OF_A_TEST,
  );

  test.each(firsts)(
    "hold every invariant, seeds from %i on",
    (from) => {
      const to = from + SEEDS_OF_A_TEST - 1;
      const overrides = { untilMs: SAFETY_MS };
      const done: Done = runJob({ from, to, overrides, isTwice: false });
      tally.addAll(done.counts);
      expect(done.failures).toEqual([]);
    },
    120_000,
  );

  test("have met every kind of fault", () => {
    const never = FAULT_KINDS.filter((kind) => tally.of(`fault.${kind}`) === 0);
    expect(never).toEqual([]);
  });

  test("have done a good deal of work", () => {
    const least = {
      "count.client-operations": 20_000,
      "count.committed": 20_000,
      "count.backlog-refusals": 100,
      "count.crashes": 500,
      "count.elections": 500,
      "count.installs": 50,
      "count.jobs-drained": 200,
      "count.jobs-forgotten": 1_500,
      "count.keyed-starts": 1_500,
      "count.keys-freed": 700,
      "count.lock-waits": 200,
      "count.locks-held": 200,
      "count.membership-changes": 100,
      "count.rated-starts": 1_000,
      "count.reads-of-followers": 500,
      "count.repeats-of-the-forgotten": 20,
      "count.slots-fired": 200,
      "count.snapshots-taken": 500,
      "count.starts-limited": 300,
      "count.new-members": 50,
      "sometimes.truncation": 20,
      "sometimes.joint-configuration": 50,
      "sometimes.learner-promoted": 50,
      "sometimes.timeout-now": 20,
      "sometimes.old-term-entry-on-a-majority": 10,
      "sometimes.election-with-uncommitted-configuration": 3,
      "sometimes.leader-removes-itself": 5,
    };
    const missing = Object.entries(least).filter(([name, count]) => tally.of(name) < count);
    expect(missing.map(([name, count]) => `${name}: ${tally.of(name)} < ${count}`)).toEqual([]);
  });
});

describe("a seed", () => {
  test.each([1, 2, 3, 4, 5, 6])("has the same trace twice: %i", (seed) => {
    const overrides = { untilMs: SAFETY_MS };
    const { digest } = runOne(seed, overrides);
    expect(runOne(seed, overrides).digest).toBe(digest);
    expect(runOne(seed + 1, overrides).digest).not.toBe(digest);
  });
});

describe("a case that once failed", () => {
  const files = readdirSync(REGRESSIONS).filter((name) => name.endsWith(".json"));

  test.each(files)("holds: %s", (name) => {
    const text = readFileSync(join(REGRESSIONS, name), "utf8");
    const { seed, overrides } = JSON.parse(text) as Regression;
    expect(runOne(seed, overrides).violation).toBeNull();
  });
});

describe("the command line", () => {
  test("is read into a range of seeds and a smaller run", () => {
    const words = [
      "--seeds",
      "3..9",
      "--without",
      "crash,wipe",
      "--until-ms",
      "500",
      "--jobs",
      "1",
    ];
    const overrides = { without: ["crash", "wipe"], untilMs: 500 };
    expect(readArgs(words)).toMatchObject({ from: 3, to: 9, jobs: 1, overrides });
  });

  test.each([[["--seeds", "9..3"]], [["--without", "rain"]], [["--what"]]])(
    "that says %j is not understood",
    (words) => {
      expect(typeof readArgs(words)).toBe("string");
    },
  );
});
