// Majorities, against a second implementation that sorts and counts.

import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { createConfiguration, isVoter } from "../../../raft/configuration.ts";
import { majority, reachedByMajority, tally } from "../../../raft/quorum.ts";

const configurations = fc
  .integer({ min: 1, max: 9 })
  .map((size) => createConfiguration(Array.from({ length: size }, (_, place) => `n${place}`)));

const ids = Array.from({ length: 7 }, (_, place) => `n${place}`);
/** Two sets of voters out of seven nodes, with or without some in common; the rest only learn. */
const joint = fc
  .tuple(fc.subarray(ids, { minLength: 1 }), fc.subarray(ids, { minLength: 1 }))
  .map(([voters, outgoing]) => {
    const learners = ids.filter((id) => !voters.includes(id));
    return createConfiguration(voters, learners, outgoing);
  });
/** What each of the seven has reached, or answered. */
const values = fc.array(fc.nat({ max: 9 }), { minLength: 7, maxLength: 7 });
const answers = fc.array(fc.constantFrom(true, false, null), { minLength: 7, maxLength: 7 });

function isMostOf(set: readonly string[], holds: (id: string) => boolean): boolean {
  return set.filter(holds).length * 2 > set.length;
}

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
    const nine = fc.array(fc.constantFrom(true, false, null), { minLength: 9, maxLength: 9 });
    fc.assert(
      fc.property(configurations, nine, (it, given) => {
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

  test("between two configurations a majority of each has reached it (§6)", () => {
    fc.assert(
      fc.property(joint, values, (it, reached) => {
        const reachedBy = (id: string): number => reached[ids.indexOf(id)] ?? 0;
        let highest = 0;
        for (let value = 0; value <= 9; value += 1) {
          const holds = (id: string): boolean => reachedBy(id) >= value;
          if (isMostOf(it.voters, holds) && isMostOf(it.outgoing, holds)) highest = value;
        }
        expect(reachedByMajority(it, reachedBy)).toBe(highest);
      }),
      { numRuns: 2000 },
    );
  });

  test("between two configurations an election needs both, and one can lose it (§6)", () => {
    fc.assert(
      fc.property(joint, answers, (it, given) => {
        const answerOf = (id: string): boolean | null => given[ids.indexOf(id)] ?? null;
        const votes = new Map<string, boolean>();
        for (const id of ids) {
          const answer = answerOf(id);
          if (answer !== null) votes.set(id, answer);
        }
        const both = [it.voters, it.outgoing];
        const isWon = both.every((set) => isMostOf(set, (id) => answerOf(id) === true));
        const canWin = both.every((set) => isMostOf(set, (id) => answerOf(id) !== false));
        expect(tally(it, votes)).toBe(isWon ? "won" : canWin ? "open" : "lost");
      }),
      { numRuns: 2000 },
    );
  });

  test("what learners have reached or answered changes nothing", () => {
    fc.assert(
      fc.property(joint, values, values, (it, reached, other) => {
        const isCounted = (id: string): boolean => isVoter(it, id);
        const reachedBy = (id: string): number => reached[ids.indexOf(id)] ?? 0;
        const mixed = (id: string): number =>
          isCounted(id) ? reachedBy(id) : (other[ids.indexOf(id)] ?? 0);
        expect(reachedByMajority(it, mixed)).toBe(reachedByMajority(it, reachedBy));
        const votes = new Map(ids.filter(isCounted).map((id) => [id, reachedBy(id) > 4]));
        const strangers = ids.map((id): [string, boolean] => [id, votes.get(id) ?? true]);
        expect(tally(it, new Map(strangers))).toBe(tally(it, votes));
      }),
    );
  });

  test("two majorities always share a voter", () => {
    fc.assert(
      fc.property(configurations, (it) => {
        expect(2 * majority(it.voters)).toBeGreaterThan(it.voters.length);
      }),
    );
  });
});
