// ledger/least-first.ts against a list that is sorted each time.

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { LeastFirst } from "../../../ledger/least-first.ts";

test("the least of what was added and not taken is first", () => {
  const step = fc.option(fc.nat(20), { nil: null });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
      const heap = new LeastFirst<number>((one, other) => one < other);
      const list: number[] = [];
      for (const number of steps) {
        if (number === null) {
          heap.take();
          list.shift();
        } else {
          heap.add(number);
          list.push(number);
          list.sort((one, other) => one - other);
        }
        expect(heap.least()).toBe(list[0]);
      }
    }),
  );
});
