// A chaos run fails for each of the things that it is there to find.

import { describe, expect, test } from "@jest/globals";
import { LedgerCounts } from "../../../protos/gen/quorumq/v1/cluster_service.ts";
import { ledgersOf } from "../../chaos/audit.ts";
import type { ChaosReport } from "../../chaos/chaos.ts";
import { failuresOf, linesOf } from "../../chaos/report.ts";

const counts = LedgerCounts.fromPartial({ succeeded: 3, cancelled: 1, recorded: 3 });
const hash = (text: string): Buffer => Buffer.from(text, "hex");
const same = ["n1", "n2", "n3"].map((nodeId) => ({ nodeId, hash: hash("aa") }));
const ledgers = ledgersOf({ index: 9, hash: hash("aa"), nodes: same });
const well: ChaosReport = {
  seed: 1,
  tookMs: 1_000,
  load: { submitted: 4, codes: { OK: 4 }, failures: [], gapMsMax: 5 },
  audit: {
    accepted: 4,
    recordedOnce: 3,
    cancelled: 1,
    lost: [],
    recordedTwice: [],
    wrong: [],
    confused: [],
    counts,
    ledgers,
    history: { kind: "linearizable", operations: 9, parts: 4, text: "" },
  },
  faults: [1, 5, 3].map((ms) => ({
    fault: "kill leader",
    victim: "n1",
    acceptedAfterMs: ms,
    acceptedAfterHealMs: ms,
    wholeAfterMs: 10 * ms,
    newDisks: [],
    gapMs: 100 * ms,
  })),
  failures: [],
};
const judged = (change: Partial<ChaosReport["audit"]>): ChaosReport => ({
  ...well,
  audit: { ...well.audit, ...change },
});

describe("a run in which all is well", () => {
  test("has no failures and a row a fault with median and maximum", () => {
    expect(failuresOf(well)).toEqual([]);
    const row = linesOf(well).find((line) => line.startsWith("kill leader"));
    expect(row?.split(/\s{2,}/)).toEqual([
      "kill leader",
      "3",
      "3",
      "5",
      "3",
      "5",
      "30",
      "50",
      "500",
    ]);
  });
});

describe("a run fails", () => {
  const other = [...same.slice(1), { nodeId: "n1", hash: hash("bb") }];
  const silent = [...same.slice(1), { nodeId: "n1", hash: hash("") }];
  const rows: readonly (readonly [string, ChaosReport])[] = [
    ["for a lost job", judged({ lost: ["j-1"] })],
    ["for a result recorded twice", judged({ recordedTwice: ["j-1"] })],
    ["for a job that has not ended", judged({ wrong: ["j-1"] })],
    ["for an id given to two callers", judged({ confused: ["j-1"] })],
    [
      "for ledgers that differ",
      judged({ ledgers: ledgersOf({ index: 9, hash: hash("aa"), nodes: other }) }),
    ],
    [
      "for a ledger that nobody knows",
      judged({ ledgers: ledgersOf({ index: 9, hash: hash("aa"), nodes: silent }) }),
    ],
    [
      "for answers that fit no order",
      judged({ history: { ...well.audit.history, kind: "violated" } }),
    ],
    [
      "for answers that nobody could judge",
      judged({ history: { ...well.audit.history, kind: "undecided" } }),
    ],
    ["for more results than ended jobs", judged({ counts: { ...counts, recorded: 4 } })],
    ["for a fault that did not heal", { ...well, failures: ["kill leader: not whole"] }],
    ["for a code no caller may see", { ...well, load: { ...well.load, failures: ["INTERNAL"] } }],
  ];

  test.each(rows)("%s", (_why, report) => {
    expect(failuresOf(report)).toHaveLength(1);
  });
});
