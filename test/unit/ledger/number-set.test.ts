// ledger/number-set.ts against sets that are looked through.

import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { commonBelow, NumberSet } from "../../../ledger/number-set.ts";

const PAGE = 2 ** 15;

/** Near each other, so that they meet, in more than one page, and at the pages' ends. */
const number = fc.oneof(
  fc.nat(200),
  fc.nat(80).map((by) => PAGE - 40 + by),
  fc.nat(40).map((by) => 9 * PAGE + 31 * by),
);
/** A run of numbers with a step: long ones become bitmaps. */
const run = fc.record({
  from: number,
  length: fc.oneof(fc.constant(1), fc.nat(900)),
  step: fc.integer({ min: 1, max: 3 }),
  isRemoval: fc.boolean(),
});

function filled(runs: readonly (typeof run extends fc.Arbitrary<infer T> ? T : never)[]) {
  const set = new NumberSet();
  const plain = new Set<number>();
  for (const { from, length, step, isRemoval } of runs) {
    for (let at = from; at < from + length * step; at += step) {
      if (isRemoval) {
        set.delete(at);
        plain.delete(at);
      } else {
        set.add(at);
        plain.add(at);
      }
    }
    expect(set.size).toBe(plain.size);
  }
  return { set, plain };
}

describe("a set of numbers", () => {
  const runs = fc.array(run, { minLength: 1, maxLength: 8, size: "max" });

  test("has what was added and not removed, greatest first", () => {
    fc.assert(
      fc.property(runs, number, (work, before) => {
        const { set, plain } = filled(work);
        const wanted = [...plain].filter((one) => one < before).sort((a, b) => b - a);
        expect([...commonBelow([set], before)]).toEqual(wanted);
        for (const one of [before, before + 1, before + 2]) {
          expect(set.has(one)).toBe(plain.has(one));
        }
      }),
      { numRuns: 150 },
    );
  });

  test("has in common with others what a look at each would find", () => {
    fc.assert(
      fc.property(fc.array(runs, { minLength: 2, maxLength: 3 }), number, (works, before) => {
        const all = works.map(filled);
        const [first] = all;
        const wanted = [...(first?.plain ?? [])]
          .filter((one) => one < before && all.every(({ plain }) => plain.has(one)))
          .sort((a, b) => b - a);
        const sets = all.map(({ set }) => set);
        expect([...commonBelow(sets, before)]).toEqual(wanted);
      }),
      { numRuns: 150 },
    );
  });

  test("finds a rare match without a look at each number", () => {
    const [even, rare] = [new NumberSet(), new NumberSet()];
    for (let at = 0; at < 4 * PAGE; at += 2) even.add(at);
    for (const at of [6, PAGE + 1, 2 * PAGE]) rare.add(at);
    expect([...commonBelow([even, rare], 4 * PAGE)]).toEqual([2 * PAGE, 6]);
    expect([...commonBelow([even, new NumberSet()], 4 * PAGE)]).toEqual([]);
    expect([...commonBelow([even], 0)]).toEqual([]);
  });
});
