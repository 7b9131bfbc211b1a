// The benchmark's statistics, against values counted by hand.

import { describe, expect, test } from "@jest/globals";
import { summaryOf } from "./percentile.ts";

describe("a summary", () => {
  test("takes percentiles by nearest rank from samples in any order", () => {
    const samples = Array.from({ length: 200 }, (_, at) => ((at * 7) % 200) + 1);
    expect(summaryOf(samples)).toEqual({ count: 200, min: 1, p50: 100, p99: 198, max: 200 });
  });

  test("orders numbers as numbers and leaves the samples as they were", () => {
    const samples = [10, 9, 100];
    expect(summaryOf(samples)).toEqual({ count: 3, min: 9, p50: 10, p99: 100, max: 100 });
    expect(samples).toEqual([10, 9, 100]);
  });

  test("of one sample is that sample, whatever the percentile", () => {
    expect(summaryOf([4.5])).toEqual({ count: 1, min: 4.5, p50: 4.5, p99: 4.5, max: 4.5 });
  });

  test("of no samples says that nothing was measured", () => {
    const nothing = Number.NaN;
    const expected = { count: 0, min: nothing, p50: nothing, p99: nothing, max: nothing };
    expect(summaryOf([])).toEqual(expected);
  });
});
