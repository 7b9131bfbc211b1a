// Snapshots on the side that has them: what they free, who is offered one, and what is served.

import { describe, expect, test } from "@jest/globals";
import type { Effect } from "../../../raft/effect.ts";
import type { InstallSnapshot, Snapshot } from "../../../raft/message.ts";
import type { Progress } from "../../../raft/progress.ts";
import { ack, append, logOf, of, RaftBench, snapshotOf } from "../../support/raft-bench.ts";

function take(bench: RaftBench, index: number, term = 1): Effect[] {
  return bench.step({ kind: "snapshot-taken", snapshot: snapshotOf(index, term) });
}

/** A leader in term 1 with a log of so many entries, applied; n2 has them all, n3 has nothing. */
function leading(entries: number, limits = {}): RaftBench {
  const bench = new RaftBench({ limits });
  bench.lead();
  grow(bench, entries - 1);
  return bench;
}

function grow(bench: RaftBench, by: number): void {
  bench.propose(...Array.from({ length: by }, (_, place) => `c${place}`));
  bench.flush();
  const { log } = bench.node;
  bench.receive("n2", ack({ term: 1, matchIndex: log.lastIndex }));
  bench.step({ kind: "applied", index: log.lastIndex });
}

function progressOfN3(bench: RaftBench): Progress {
  const progress = bench.node.leading?.peers.get("n3");
  if (progress === undefined) throw new Error("n3 is a peer");
  return progress;
}

/** n3 was away, and is back with nothing: it has to be offered what is compacted. */
function comeBack(bench: RaftBench): Effect[] {
  bench.step({ kind: "unreachable", peer: "n3" });
  return bench.receive("n3", ack({ term: 1 }));
}

function offers(effects: readonly Effect[]): InstallSnapshot[] {
  return of("send", effects).flatMap(({ to, message }) =>
    to === "n3" && message.kind === "install-snapshot" ? [message] : [],
  );
}

function ask(bench: RaftBench, { index, term }: Snapshot, offset = 0, bytes = 10): Effect[] {
  const message = { kind: "snapshot-request", term: 1, index, snapshotTerm: term } as const;
  return bench.receive("n3", { ...message, offset, bytes });
}

describe("a snapshot that was taken", () => {
  test("drops what is before it, but for a tail, in one write", () => {
    const bench = leading(10, { trailingEntriesMax: 3 });
    const [write] = of("persist", take(bench, 8));
    expect(write).toMatchObject({
      snapshot: snapshotOf(8, 1),
      compactTo: { index: 5, term: 1 },
      entries: [],
    });
    expect(bench.node.log).toMatchObject({ firstIndex: 6, lastIndex: 10 });
  });

  test("drops nothing while the log is no longer than the tail", () => {
    const bench = leading(3, { trailingEntriesMax: 3 });
    const [write] = of("persist", take(bench, 3));
    expect(write?.snapshot).toEqual(snapshotOf(3, 1));
    expect(bench.node.log.firstIndex).toBe(1);
  });

  test("may drop the whole log", () => {
    const bench = leading(5, { trailingEntriesMax: 0 });
    take(bench, 5);
    expect(bench.node.log).toMatchObject({ firstIndex: 6, lastIndex: 5, lastTerm: 1 });
    expect(of("appended", bench.propose("a"))).toMatchObject([{ index: 6 }]);
  });

  test("is ignored if it is not newer than the present one", () => {
    const bench = leading(10);
    take(bench, 8);
    expect(take(bench, 8)).toEqual([]);
    expect(take(bench, 7)).toEqual([]);
    expect(bench.node.snapshot?.index).toBe(8);
  });

  test("of what is not applied, or of another entry, ends the process", () => {
    const bench = leading(5);
    bench.propose("a");
    expect(() => take(bench, 6)).toThrow(/^I10\./);
    expect(() => take(bench, 4, 2)).toThrow(/^I3\./);
  });

  test("is taken by followers as well", () => {
    const bench = new RaftBench({ limits: { trailingEntriesMax: 1 } });
    bench.receive("n2", append({ term: 1, entries: logOf([1, 1, 1]), leaderCommit: 3 }));
    bench.step({ kind: "applied", index: 3 });
    take(bench, 3);
    expect(bench.node.log.firstIndex).toBe(3);
  });

  test("never moves the beginning of the log back", () => {
    const bench = leading(12, { trailingEntriesMax: 1 });
    take(bench, 10);
    comeBack(bench);
    // n3 fetches 10: the log would be held from there, but it begins later already.
    expect(progressOfN3(bench).offered?.index).toBe(10);
    take(bench, 12);
    expect(bench.node.log.offset.index).toBe(10);
  });
});

describe("the log behind a snapshot that a peer fetches", () => {
  test("is held for it while it is heard", () => {
    const bench = leading(10, { trailingEntriesMax: 2 });
    take(bench, 10);
    comeBack(bench);
    grow(bench, 6);
    take(bench, 16);
    expect(bench.node.log.offset.index).toBe(10);
    bench.nowMs += 2000;
    bench.receive("n2", ack({ term: 1, matchIndex: 16 }));
    grow(bench, 4);
    take(bench, 20);
    expect(bench.node.log.offset.index).toBe(18);
  });

  test("is not held for more than sixteen tails", () => {
    const bench = leading(10, { trailingEntriesMax: 2 });
    take(bench, 10);
    comeBack(bench);
    grow(bench, 50);
    take(bench, 60);
    expect(bench.node.log.offset.index).toBe(60 - 32);
  });
});

describe("a peer whose next entry is compacted", () => {
  test("is offered the snapshot, and no entries until its ack", () => {
    const bench = leading(10);
    take(bench, 10);
    const effects = comeBack(bench);
    expect(offers(effects)).toMatchObject([{ snapshot: snapshotOf(10, 1), term: 1 }]);
    expect(of("send", bench.propose("a")).map(({ to }) => to)).toEqual(["n2"]);
    const after = of("send", bench.receive("n3", ack({ term: 1, matchIndex: 10 })));
    expect(after).toMatchObject([{ message: { prevLogIndex: 10, entries: [{ index: 11 }] } }]);
  });

  test("is told by heartbeats that claim nothing, and offered again when it gets on no more", () => {
    const bench = leading(10);
    take(bench, 10);
    comeBack(bench);
    bench.nowMs += 900;
    const heartbeats = of("send", bench.tick()).filter(({ to }) => to === "n3");
    expect(heartbeats).toMatchObject([{ message: { prevLogIndex: 0, prevLogTerm: 0 } }]);
    expect(offers(bench.receive("n3", ack({ term: 1 })))).toEqual([]);
    bench.nowMs += 100;
    expect(offers(bench.receive("n3", ack({ term: 1 })))).toHaveLength(1);
    expect(offers(bench.receive("n3", ack({ term: 1 })))).toEqual([]);
  });

  test("that asks for chunks is not disturbed", () => {
    const bench = leading(10);
    take(bench, 10);
    comeBack(bench);
    bench.nowMs += 900;
    ask(bench, snapshotOf(10, 1));
    bench.nowMs += 900;
    expect(offers(bench.receive("n3", ack({ term: 1 })))).toEqual([]);
  });

  test("is offered the same one again as long as the log goes on behind it", () => {
    const bench = leading(10);
    take(bench, 10);
    comeBack(bench);
    grow(bench, 2);
    take(bench, 12);
    bench.nowMs += 1000;
    expect(offers(bench.receive("n3", ack({ term: 1 })))).toMatchObject([
      { snapshot: { index: 10 } },
    ]);
  });

  test("is offered the newest when the log does not, or the store has it no more", () => {
    const cut = leading(10, { trailingEntriesMax: 0 });
    take(cut, 10);
    comeBack(cut);
    cut.nowMs += 2000;
    grow(cut, 2);
    take(cut, 12);
    expect(cut.node.log.offset.index).toBe(12);
    const offered = offers(cut.receive("n3", ack({ term: 1 })));
    expect(offered).toMatchObject([{ snapshot: { index: 12 } }]);

    const gone = leading(10, { trailingEntriesMax: 5 });
    take(gone, 10);
    comeBack(gone);
    if (progressOfN3(gone).mode !== "snapshot") throw new Error("n3 fetches");
    for (const index of [11, 12]) {
      grow(gone, 1);
      take(gone, index);
    }
    gone.nowMs += 1000;
    expect(offers(gone.receive("n3", ack({ term: 1 })))).toMatchObject([
      { snapshot: { index: 12 } },
    ]);
  });

  test("that turns out to have a later entry goes on from there", () => {
    const bench = leading(10, { trailingEntriesMax: 4 });
    take(bench, 10);
    comeBack(bench);
    const effects = bench.receive("n3", ack({ term: 1, matchIndex: 7 }));
    expect(of("send", effects)).toMatchObject([
      { to: "n3", message: { prevLogIndex: 7, entries: [{}, {}, {}] } },
    ]);
  });
});

describe("a chunk", () => {
  test("is loaded from where it was asked for, and no more than the limit", () => {
    const bench = leading(10);
    take(bench, 10);
    comeBack(bench);
    const [load] = of("load-chunk", ask(bench, snapshotOf(10, 1), 20, 1 << 30));
    expect(load).toEqual({
      kind: "load-chunk",
      to: "n3",
      message: { kind: "snapshot-chunk", term: 1, index: 10, snapshotTerm: 1, offset: 20 },
      bytes: 10,
    });
    expect(of("load-chunk", ask(bench, snapshotOf(10, 1), 0, 3))).toMatchObject([{ bytes: 3 }]);
  });

  test("is loaded by one that does not lead any more, too: what is fetched is finished", () => {
    const bench = new RaftBench({ snapshot: snapshotOf(5, 1) });
    bench.receive("n2", append({ term: 1, prevLogIndex: 5, prevLogTerm: 1 }));
    expect(of("load-chunk", ask(bench, snapshotOf(5, 1)))).toHaveLength(1);
  });

  test("of a snapshot that is gone is answered by an offer of the newest, once", () => {
    const bench = leading(10, { trailingEntriesMax: 5 });
    take(bench, 10);
    comeBack(bench);
    for (const index of [11, 12]) {
      grow(bench, 1);
      take(bench, index);
    }
    expect(offers(ask(bench, snapshotOf(10, 1)))).toMatchObject([{ snapshot: { index: 12 } }]);
    expect(offers(ask(bench, snapshotOf(10, 1), 10))).toEqual([]);
    // Asking for what is gone is no progress: if the offer got lost, it is repeated.
    bench.nowMs += 1000;
    ask(bench, snapshotOf(10, 1));
    expect(offers(bench.receive("n3", ack({ term: 1 })))).toHaveLength(1);
  });
});

describe("a blank member", () => {
  const blank = { term: 1, success: false, conflictIndex: 0, rejectedIndex: 0 };

  test("makes its leader want a snapshot as long as there is none", () => {
    const bench = leading(3);
    expect(bench.receive("n3", ack(blank))).toEqual([{ kind: "snapshot-wanted" }]);
    expect(bench.receive("n3", ack(blank))).toEqual([{ kind: "snapshot-wanted" }]);
    take(bench, 3);
    expect(offers(bench.receive("n3", ack(blank)))).toMatchObject([{ snapshot: { index: 3 } }]);
  });

  test("is not offered it again with each heartbeat that it refuses", () => {
    const bench = leading(3);
    take(bench, 3);
    expect(offers(bench.receive("n3", ack(blank)))).toHaveLength(1);
    bench.nowMs += 900;
    expect(offers(bench.receive("n3", ack(blank)))).toEqual([]);
    bench.nowMs += 100;
    expect(offers(bench.receive("n3", ack(blank)))).toHaveLength(1);
  });
});
