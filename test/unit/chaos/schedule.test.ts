// The order of a chaos run's faults, and the mix of its load, follow from its seed.

import { describe, expect, test } from "@jest/globals";
import { Dice } from "../../chaos/dice.ts";
import { ALL_FAULTS } from "../../chaos/faults.ts";
import { planOf } from "../../chaos/job-mix.ts";
import { scheduled } from "../../chaos/schedule.ts";

const names = (seed: number, rounds: number): string[] =>
  [...scheduled(ALL_FAULTS, new Dice(seed), rounds)].map(({ name }) => name);

describe("a schedule", () => {
  test("has each fault once a round, in an order that only the seed decides", () => {
    const all = ALL_FAULTS.map(({ name }) => name);
    expect(new Set(all).size).toBe(all.length);
    const two = names(7, 2);
    expect(two).toEqual(names(7, 2));
    expect(two).not.toEqual(names(8, 2));
    expect(two.slice(0, all.length).toSorted()).toEqual(all.toSorted());
    expect(two.slice(all.length).toSorted()).toEqual(all.toSorted());
    expect(two.slice(0, all.length)).not.toEqual(two.slice(all.length));
  });
});

describe("the mix of callers", () => {
  test("has some of each sort, and most that only submit", () => {
    const dice = new Dice(1);
    const sorts = Array.from({ length: 1_000 }, (_, number) => planOf(number, dice).afterwards);
    expect(new Set(sorts)).toEqual(
      new Set(["nothing", "look", "cancel", "wait", "repeat", "reuse"]),
    );
    expect(sorts.filter((sort) => sort === "nothing").length).toBeGreaterThan(500);
  });
});
