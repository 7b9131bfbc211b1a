// The seeded generator: the same seed gives the same numbers, spread over the range.

import { describe, expect, test } from "@jest/globals";
import { createPrng, nextUint32, type Prng, uniform } from "../../../raft/prng.ts";

describe("prng", () => {
  test("the sequence is that of the published xoshiro128**", () => {
    // The reference code's first outputs from this state.
    const prng: Prng = { s0: 1, s1: 2, s2: 3, s3: 4 };
    expect([nextUint32(prng), nextUint32(prng), nextUint32(prng)]).toEqual([11520, 0, 5927040]);
  });

  test("equal seeds give equal sequences, other seeds others", () => {
    const draw = (seed: number): number[] => {
      const prng = createPrng(seed);
      return Array.from({ length: 8 }, () => nextUint32(prng));
    };
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
    expect(draw(0).some((value) => value !== 0)).toBe(true);
  });

  test("uniform keeps to its range and reaches both ends", () => {
    const prng = createPrng(1);
    const counts = new Map<number, number>();
    for (let round = 0; round < 10_000; round += 1) {
      const value = uniform(prng, 5, 15);
      counts.set(value, (counts.get(value) ?? 0) + 1);
    }
    expect([...counts.keys()].sort((a, b) => a - b)).toEqual([5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
    for (const count of counts.values()) expect(count).toBeGreaterThan(850);
    expect(uniform(prng, 5, 5)).toBe(5);
  });
});
