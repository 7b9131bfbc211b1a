// ledger/ordered-index.ts against a sorted list.

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { OrderedIndex } from "../../../ledger/ordered-index.ts";
import type { JobRecord } from "../../../ledger/record.ts";
import { World } from "./world.ts";

test("the first is the one that sorting finds, whatever was set, changed and removed", () => {
  const world = new World();
  world.submit(...Array.from({ length: 40 }, () => ({})));
  const jobs = [...world.ledger.jobs];
  const step = fc.record({ pick: fc.nat(39), rank: fc.option(fc.nat(60), { freq: 2 }) });
  fc.assert(
    fc.property(fc.array(step, { minLength: 60, maxLength: 200, size: "max" }), (steps) => {
      const index = new OrderedIndex<JobRecord>();
      const ranks = new Map<number, number>();
      for (const { pick, rank } of steps) {
        const job = jobs[pick];
        if (job === undefined) throw new Error("forty jobs");
        if (rank === null) {
          index.remove(job);
          ranks.delete(pick);
        } else {
          index.set(job, rank);
          ranks.set(pick, rank);
        }
        const [first] = [...ranks].sort(([a, one], [b, other]) => one - other || a - b);
        const found = index.first();
        expect(found === null ? undefined : [found.item.number, found.rank]).toEqual(first);
        expect(index.size).toBe(ranks.size);
      }
    }),
    { numRuns: 100 },
  );
});
