// ledger/job-table.ts against a sorted list, and ledger/job-id.ts.

import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { jobIdOf, placeOf } from "../../../ledger/job-id.ts";
import { JobTable } from "../../../ledger/job-table.ts";
import type { JobRecord } from "../../../ledger/record.ts";
import { World } from "./world.ts";

/** More than two pieces of a table: some alone in their entry, some with others. */
function manyJobs(): JobRecord[] {
  const world = new World();
  for (let i = 0; i < 900; i++) world.submit(...Array.from({ length: 1 + (i % 4) }, () => ({})));
  return [...world.ledger.jobs];
}

const all = manyJobs();

test("a table is what a list would be, whatever came and went", () => {
  const step = fc.record({ pick: fc.nat(), run: fc.nat(900), isRemoval: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 40, size: "max" }), (steps) => {
      const table = new JobTable();
      let list: JobRecord[] = [];
      let next = 0;
      for (const { pick, run, isRemoval } of steps) {
        if (isRemoval) {
          const from = pick % (list.length + 1);
          for (const job of list.slice(from, from + run)) table.remove(job);
          list = list.filter((_, at) => at < from || at >= from + run);
        } else {
          // Jobs may be missing from the start: they were forgotten before a snapshot.
          next += pick % 3;
          for (const job of all.slice(next, next + run)) table.push(job);
          list.push(...all.slice(next, next + run));
          next += run;
        }
        const some = all[pick % all.length];
        if (some === undefined) throw new Error("there are jobs");
        const isThere = list.includes(some);
        expect(table.get(some.id)).toBe(isThere ? some : undefined);
        expect(table.numbered(some.number)).toBe(isThere ? some : undefined);
        const older = list.filter(({ number }) => number < some.number).toReversed();
        expect([...table.backwards(some)]).toEqual(older);
        expect([...table.backwards(null)]).toEqual(list.toReversed());
        expect([table.length, table.newest]).toEqual([list.length, list.at(-1)]);
      }
      expect([...table]).toEqual(list);
    }),
    { numRuns: 40 },
  );
});

test("a job that came before another is refused", () => {
  const table = new JobTable();
  const [first, second] = all;
  if (first === undefined || second === undefined) throw new Error("there are two");
  table.push(second);
  expect(table.isNext(first)).toBe(false);
  expect(() => table.push(first)).toThrow("in the order of acceptance");
  expect(() => table.remove(first)).toThrow("only what is there");
});

describe("an id", () => {
  test("is written in one way only", () => {
    fc.assert(
      fc.property(fc.nat({ max: 9 }), fc.nat({ max: 3 }), (logIndex, position) => {
        const place = { logIndex: logIndex + 1, position };
        expect(placeOf(jobIdOf(place))).toEqual(place);
      }),
    );
    for (const id of [
      "",
      "j-",
      "j-0",
      "j-01",
      "j-1-0",
      "j-1-",
      "j-1-02",
      "J-1",
      "j-1 ",
      "j-1-2-3",
    ]) {
      expect([id, placeOf(id)]).toEqual([id, null]);
    }
    expect(placeOf("j-9999999999999999")).toBeNull();
    expect(placeOf(`j-${"9".repeat(400)}`)).toBeNull();
  });
});
