// AppendEntries at and below the compacted part of a log. What is compacted was committed, so it is
// the leader's as well: it is never asked for, never cut, and never sent again.

import { describe, expect, test } from "@jest/globals";
import {
  ack,
  append,
  logOf,
  messages,
  of,
  RaftBench,
  snapshotOf,
  terms,
} from "../../support/raft-bench.ts";

/** Snapshot at 5 of term 2, then 6 of term 2 and 7 of term 3. */
function compacted(): RaftBench {
  return new RaftBench({ snapshot: snapshotOf(5, 2), terms: [2, 3] });
}

function held(bench: RaftBench): number[] {
  const { log } = bench.node;
  return log.range(log.firstIndex, log.lastIndex + 1).map(({ term }) => term);
}

describe("an append to a follower that has compacted its log", () => {
  const all = [1, 1, 2, 2, 2, 2, 3];
  const known: readonly [string, number, number, number][] = [
    ["wholly below it", 0, 0, 3],
    ["that ends where it begins", 2, 1, 3],
    ["across it", 3, 2, 3],
    ["from where it begins", 5, 2, 2],
    ["of nothing, below it", 2, 1, 0],
  ];
  test.each(known)("%s is acknowledged as far as it goes, and writes nothing", (...row) => {
    const [, prevLogIndex, prevLogTerm, count] = row;
    const bench = compacted();
    const entries = logOf(all, 1).slice(prevLogIndex, prevLogIndex + count);
    const effects = bench.receive("n2", append({ term: 3, prevLogIndex, prevLogTerm, entries }));
    expect(of("persist", effects)).toEqual([]);
    expect(messages(effects)).toMatchObject([{ success: true, matchIndex: prevLogIndex + count }]);
    expect(held(bench)).toEqual([2, 3]);
  });

  test("across it appends what is new", () => {
    const bench = compacted();
    const entries = logOf([2, 2, 2, 3, 3, 3], 4);
    const effects = bench.receive(
      "n2",
      append({ term: 3, prevLogIndex: 3, prevLogTerm: 2, entries, leaderCommit: 9 }),
    );
    expect(of("persist", effects)).toMatchObject([{ entries: [{ index: 8 }, { index: 9 }] }]);
    expect(bench.node.commitIndex).toBe(9);
    expect(of("apply", effects)[0]?.entries.map(({ index }) => index)).toEqual([6, 7, 8, 9]);
  });

  test("across it cuts off what differs behind it", () => {
    const bench = compacted();
    const entries = logOf([2, 2, 4], 5);
    const effects = bench.receive(
      "n2",
      append({ term: 4, prevLogIndex: 4, prevLogTerm: 2, entries }),
    );
    expect(of("persist", effects)).toMatchObject([{ truncateFrom: 7, entries: [{ index: 7 }] }]);
    expect(held(bench)).toEqual([2, 4]);
  });

  test("that claims another term where it begins ends the process: that is committed", () => {
    const bench = compacted();
    const other = append({ term: 3, prevLogIndex: 5, prevLogTerm: 1 });
    expect(() => bench.receive("n2", other)).toThrow(/^I13\./);
  });

  test("whose entry differs is refused from where the log begins, not from the first index", () => {
    const bench = new RaftBench({ snapshot: snapshotOf(5, 2), terms: [3, 3] });
    const effects = bench.receive("n2", append({ term: 4, prevLogIndex: 7, prevLogTerm: 4 }));
    expect(messages(effects)).toMatchObject([{ conflictTerm: 3, conflictIndex: 6 }]);
    const same = new RaftBench({ snapshot: snapshotOf(5, 3), terms: [3, 3] });
    const more = same.receive("n2", append({ term: 4, prevLogIndex: 7, prevLogTerm: 4 }));
    // Term 3 may go on before 5, but what is compacted cannot conflict.
    expect(messages(more)).toMatchObject([{ conflictTerm: 3, conflictIndex: 6 }]);
  });
});

describe("a leader that has compacted its log", () => {
  test("begins behind its snapshot like any other, and elects with its last entry", () => {
    const bench = compacted();
    expect(messages(bench.timeOut())[0]).toMatchObject({ lastLogIndex: 7, lastLogTerm: 3 });
    bench.lead();
    bench.catchUp();
    expect(bench.node.commitIndex).toBe(8);
    const empty = new RaftBench({ snapshot: snapshotOf(5, 2) });
    expect(messages(empty.timeOut())[0]).toMatchObject({ lastLogIndex: 5, lastLogTerm: 2 });
  });

  test("finds where a refused log meets its own, down to its own beginning", () => {
    const bench = compacted();
    bench.lead();
    const refusal = { success: false, rejectedIndex: 7, conflictTerm: 2, conflictIndex: 4 };
    const effects = bench.receive("n2", ack({ term: 4, ...refusal }));
    expect(messages(effects)).toMatchObject([
      { prevLogIndex: 6, prevLogTerm: 2, entries: [{ index: 7 }, { index: 8 }] },
    ]);
  });

  test("offers its snapshot to one whose log meets it before that", () => {
    const bench = compacted();
    bench.lead();
    const refusal = { success: false, rejectedIndex: 7, conflictTerm: 1, conflictIndex: 1 };
    const effects = bench.receive("n2", ack({ term: 4, ...refusal }));
    expect(messages(effects)).toMatchObject([{ kind: "install-snapshot" }]);
  });

  test("offers it to one that has less than the log begins with", () => {
    const bench = compacted();
    bench.lead();
    const refusal = { success: false, rejectedIndex: 7, conflictTerm: 0, conflictIndex: 3 };
    const effects = bench.receive("n2", ack({ term: 4, ...refusal }));
    expect(messages(effects)).toMatchObject([{ kind: "install-snapshot" }]);
    expect(terms(new RaftBench({ terms: [1] }).node)).toEqual([1]);
  });

  test("sends one that ends where the log begins what is behind it", () => {
    const bench = compacted();
    bench.lead();
    const refusal = { success: false, rejectedIndex: 7, conflictTerm: 0, conflictIndex: 6 };
    const effects = bench.receive("n2", ack({ term: 4, ...refusal }));
    expect(messages(effects)).toMatchObject([
      { prevLogIndex: 5, prevLogTerm: 2, entries: [{}, {}, {}] },
    ]);
  });
});
