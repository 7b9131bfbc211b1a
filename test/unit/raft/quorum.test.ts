// Majorities, against a second implementation that sorts and counts.

import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { createConfiguration, isSoleVoter, isVoter, peersOf } from "../../../raft/configuration.ts";
import { majority, reachedByMajority, tally } from "../../../raft/quorum.ts";

const configurations = fc
  .integer({ min: 1, max: 9 })
  .map((size) => createConfiguration(Array.from({ length: size }, (_, place) => `n${place}`)));

describe("quorum, against a dumb second implementation", () => {
  test("the value reached is the highest that more than half have", () => {
    fc.assert(
      fc.property(configurations, fc.array(fc.nat({ max: 12 }), { minLength: 9 }), (it, values) => {
        const reached = it.voters.map((_, place) => values[place] ?? 0);
        let highest = 0;
        for (let value = 0; value <= 12; value += 1) {
          const holders = reached.filter((other) => other >= value).length;
          if (holders * 2 > it.voters.length) highest = value;
        }
        const valueBy = (voter: string): number => reached[it.voters.indexOf(voter)] ?? 0;
        expect(reachedByMajority(it, valueBy)).toBe(highest);
      }),
      { numRuns: 2000 },
    );
  });

  test("an election is won, lost or open exactly as trying all that may still come says", () => {
    const answers = fc.array(fc.constantFrom(true, false, null), { minLength: 9, maxLength: 9 });
    fc.assert(
      fc.property(configurations, answers, (it, given) => {
        const votes = new Map<string, boolean>([["stranger", true]]);
        it.voters.forEach((voter, place) => {
          const vote = given[place] ?? null;
          if (vote !== null) votes.set(voter, vote);
        });
        const granted = it.voters.filter((voter) => votes.get(voter) === true).length;
        const silent = it.voters.filter((voter) => !votes.has(voter)).length;
        const isWon = granted * 2 > it.voters.length;
        const canWin = (granted + silent) * 2 > it.voters.length;
        expect(tally(it, votes)).toBe(isWon ? "won" : canWin ? "open" : "lost");
      }),
      { numRuns: 2000 },
    );
  });

  test("two majorities always share a voter", () => {
    fc.assert(
      fc.property(configurations, (it) => {
        expect(2 * majority(it)).toBeGreaterThan(it.voters.length);
      }),
    );
  });
});

describe("configuration", () => {
  test("voters are distinct and at least one", () => {
    expect(() => createConfiguration([])).toThrow(/^I24\./);
    expect(() => createConfiguration(["a", "a"])).toThrow(/^I24\./);
  });

  test("peers are the voters but for the node itself, which need not be one", () => {
    const three = createConfiguration(["a", "b", "c"]);
    expect(peersOf(three, "b")).toEqual(["a", "c"]);
    expect([isVoter(three, "b"), isVoter(three, "d")]).toEqual([true, false]);
    expect([isSoleVoter(three, "a"), isSoleVoter(createConfiguration(["a"]), "a")]).toEqual([
      false,
      true,
    ]);
  });
});
