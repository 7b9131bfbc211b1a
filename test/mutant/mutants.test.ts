// The planted bugs themselves: each has its place in today's sources, and some are really caught.

import { stripTypeScriptTypes } from "node:module";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { hunt } from "./hunt.ts";
import { filesOf, patched } from "./mutant.ts";
import { MUTANTS } from "./mutants.ts";
import { sourceOf, Workspace } from "./workspace.ts";

/** One an area, each caught by the first few seeds. */
const SAMPLE = [
  "grant-before-durable",
  "leader-counts-early",
  "poisoned-disk-goes-on-talking",
  "joint-never-left",
  "follower-reads-without-asking",
  "lock-shared-by-two-attempts",
];

describe("a planted bug", () => {
  test.each(MUTANTS)("$name has one place in the sources, and what comes out parses", (mutant) => {
    for (const file of filesOf(mutant)) {
      const before = sourceOf(file);
      const after = patched(mutant, file, before);
      expect(after).not.toBe(before);
      expect(stripTypeScriptTypes(after)).not.toBe("");
    }
  });

  test("has a name of its own, and says what may catch it", () => {
    expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
    expect(MUTANTS.filter(({ caughtBy }) => caughtBy.length === 0)).toEqual([]);
  });
});

describe("the simulator", () => {
  let workspace: Workspace;
  beforeAll(() => {
    workspace = new Workspace();
  });
  afterAll(() => {
    workspace.remove();
  });

  test.each(MUTANTS.filter(({ name }) => SAMPLE.includes(name)))(
    "catches $name",
    async (mutant) => {
      expect(await hunt(workspace, mutant, 100)).toMatchObject({ kind: "caught" });
    },
    120_000,
  );
});
