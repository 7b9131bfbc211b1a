// The memory of the search: exact, also where its hash is not.

import { expect, test } from "@jest/globals";
import { Memo } from "../../../sim/linearizability/memo.ts";

const OPERATIONS = 6;
const STATES = 4;

/** Each set of operations once, one changed at a time. */
function forEachSet(memo: Memo, visit: (set: number) => void): void {
  visit(0);
  for (let step = 1; step < 2 ** OPERATIONS; step++) {
    // Gray code: the lowest bit of the step says which operation changes.
    memo.flip(31 - Math.clz32(step & -step));
    visit(step);
  }
  // Gray code ends with the last operation alone.
  memo.flip(OPERATIONS - 1);
}

test.each<[string, ((number: number) => number) | undefined]>([
  ["a good hash", undefined],
  ["two hashes for all", (number) => number & 1],
])("each place is new once, with %s", (_what, hashOf) => {
  const memo = new Memo(OPERATIONS, hashOf);
  const counts = { first: 0, again: 0 };
  forEachSet(memo, () => {
    for (let state = 0; state < STATES; state++) if (memo.add(`s${state}`)) counts.first += 1;
  });
  forEachSet(memo, () => {
    for (let state = 0; state < STATES; state++) if (memo.add(`s${state}`)) counts.again += 1;
  });
  expect(counts).toEqual({ first: STATES * 2 ** OPERATIONS, again: 0 });
});

test("sets of more than 32 operations differ in every word", () => {
  const memo = new Memo(100);
  expect(memo.add("s")).toBe(true);
  for (const operation of [0, 31, 32, 63, 64, 99]) {
    memo.flip(operation);
    expect([operation, memo.add("s")]).toEqual([operation, true]);
    memo.flip(operation);
    expect([operation, memo.add("s")]).toEqual([operation, false]);
  }
});
