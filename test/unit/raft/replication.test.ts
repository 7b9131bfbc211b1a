// Replication as inputs and effects: windows, refusals, lost appends, durability, one rule a test.

import { describe, expect, test } from "@jest/globals";
import { ack, append, logOf, messages, of, RaftBench } from "../../support/raft-bench.ts";

function replicating(limits = {}): RaftBench {
  const bench = new RaftBench({ limits });
  bench.lead();
  bench.catchUp();
  return bench;
}

function sentTo(peer: string, bench: RaftBench, ...texts: string[]): object[] {
  return of("send", bench.propose(...texts))
    .filter(({ to }) => to === peer)
    .map(({ message }) => message);
}

describe("flow control", () => {
  test("a full window stops the leader and each ack lets it go on", () => {
    const bench = replicating({ inflightMax: 2 });
    expect(sentTo("n2", bench, "a")).toHaveLength(1);
    expect(sentTo("n2", bench, "b")).toHaveLength(1);
    expect(sentTo("n2", bench, "c")).toHaveLength(0);
    const next = messages(bench.receive("n2", ack({ term: 1, matchIndex: 2 })));
    expect(next).toMatchObject([{ prevLogIndex: 3, entries: [{ index: 4 }] }]);
  });

  test("proposals of one input travel in batches bounded by entries and by bytes", () => {
    const byEntries = replicating({ appendEntriesMax: 2 });
    const batches = sentTo("n2", byEntries, "a", "b", "c");
    expect(batches).toMatchObject([{ entries: [{}, {}] }, { entries: [{}] }]);
    const byBytes = replicating({ appendBytesMax: 60 });
    expect(sentTo("n2", byBytes, "a", "b", "c")).toMatchObject([
      { entries: [{}, {}] },
      { entries: [{}] },
    ]);
  });

  test("a peer whose logs are not known to meet gets one append at a time", () => {
    const bench = new RaftBench();
    bench.lead();
    expect(sentTo("n2", bench, "a", "b")).toEqual([]);
    expect(messages(bench.receive("n2", ack({ term: 1, matchIndex: 1 })))).toMatchObject([
      { prevLogIndex: 1, entries: [{ index: 2 }, { index: 3 }] },
    ]);
  });

  test("an append that got lost is sent again after two heartbeats, once the peer is heard", () => {
    const bench = replicating();
    bench.propose("a");
    bench.propose("b");
    bench.tick(199);
    expect(messages(bench.receive("n2", ack({ term: 1, matchIndex: 1 })))).toEqual([]);
    bench.tick(1);
    expect(messages(bench.receive("n2", ack({ term: 1, matchIndex: 1 })))).toMatchObject([
      { prevLogIndex: 1, entries: [{ index: 2 }, { index: 3 }] },
    ]);
  });

  test("a peer without a mailbox gets heartbeats only, until it is heard", () => {
    const bench = replicating();
    bench.step({ kind: "unreachable", peer: "n2" });
    expect(sentTo("n2", bench, "a")).toEqual([]);
    expect(of("send", bench.tick(100)).map(({ to }) => to)).toEqual(["n2", "n3"]);
    expect(messages(bench.receive("n2", ack({ term: 1, matchIndex: 1 })))).toMatchObject([
      { prevLogIndex: 1, entries: [{ index: 2 }] },
    ]);
  });
});

describe("late and reordered answers", () => {
  test("a late refusal never moves nextIndex to or below matchIndex", () => {
    const bench = replicating();
    bench.propose("a", "b", "c");
    bench.receive("n2", ack({ term: 1, matchIndex: 4 }));
    const refusal = { success: false, conflictIndex: 1, rejectedIndex: 3 };
    expect(messages(bench.receive("n2", ack({ term: 1, ...refusal })))).toEqual([]);
    expect(bench.node.leading?.peers.get("n2")).toMatchObject({ matchIndex: 4, nextIndex: 5 });
  });

  test("a late ack never lowers matchIndex, and an ack of an old term is not counted", () => {
    const bench = replicating();
    bench.propose("a", "b");
    bench.receive("n2", ack({ term: 1, matchIndex: 3 }));
    bench.receive("n2", ack({ term: 1, matchIndex: 2 }));
    bench.receive("n3", ack({ term: 0, matchIndex: 3 }));
    expect(bench.node.leading?.peers.get("n2")?.matchIndex).toBe(3);
    expect(bench.node.leading?.peers.get("n3")?.matchIndex).toBe(1);
  });

  test("a hole in the pipeline is refused, probed and filled, and never stored", () => {
    const leader = replicating();
    const follower = new RaftBench();
    follower.receive("n9", append({ term: 1, entries: logOf([1]) }));
    const lost = sentTo("n2", leader, "a");
    const later = of("send", leader.propose("b")).filter(({ to }) => to === "n2");
    expect([lost.length, later.length]).toEqual([1, 1]);
    const refused = later.flatMap(({ message }) => messages(follower.receive("n9", message)));
    expect(refused).toMatchObject([{ success: false, conflictIndex: 2 }]);
    expect(follower.node.log.lastIndex).toBe(1);
    const again = refused.flatMap((message) => messages(leader.receive("n2", message)));
    expect(again).toMatchObject([{ prevLogIndex: 1, entries: [{ index: 2 }, { index: 3 }] }]);
    for (const message of again) follower.receive("n9", message);
    expect(follower.node.log.lastIndex).toBe(3);
  });

  test("an older, shorter append leaves what is behind it", () => {
    const bench = new RaftBench();
    bench.receive("n2", append({ term: 1, entries: logOf([1, 1, 1]) }));
    const effects = bench.receive("n2", append({ term: 1, entries: logOf([1]) }));
    expect(of("persist", effects)).toEqual([]);
    expect(bench.node.log.lastIndex).toBe(3);
    expect(messages(effects)).toMatchObject([{ matchIndex: 1 }]);
  });

  test("a heartbeat that overtakes appends is no conflict", () => {
    const bench = replicating();
    bench.propose("a", "b");
    const follower = new RaftBench({ terms: [1] });
    for (const message of messages(bench.tick(100)).slice(0, 1)) {
      expect(messages(follower.receive("n9", message))).toMatchObject([{ success: true }]);
    }
  });

  test("a conflict at or below the commit index ends the process", () => {
    const bench = new RaftBench();
    bench.receive("n2", append({ term: 1, entries: logOf([1, 1]), leaderCommit: 2 }));
    const conflict = append({ term: 2, entries: logOf([2]) });
    expect(() => bench.receive("n3", conflict)).toThrow(/^I13\./);
    expect(() => bench.receive("n3", append({ term: 2, prevLogIndex: 2, prevLogTerm: 2 }))).toThrow(
      /^I13\./,
    );
  });

  test("a refusal to an old leader echoes no round: it may lead that term when it arrives", () => {
    const bench = new RaftBench({ hardState: { currentTerm: 5, votedFor: "n2" } });
    const effects = bench.receive("n2", append({ term: 4, prevLogIndex: 7, round: 44 }));
    expect(messages(effects)).toMatchObject([{ term: 5, round: 0, rejectedIndex: 0 }]);
  });
});

describe("what is durable", () => {
  test("an ack of entries whose write is still under way waits for that write", () => {
    const bench = new RaftBench();
    const first = bench.receive("n2", append({ term: 1, entries: logOf([1, 1]) }));
    const [write] = of("persist", first);
    bench.receive(
      "n2",
      append({ term: 1, prevLogIndex: 2, prevLogTerm: 1, entries: logOf([1], 3) }),
    );
    const again = bench.receive("n2", append({ term: 1, entries: logOf([1, 1]) }));
    expect(of("persist", again)).toEqual([]);
    expect(of("send", again)).toMatchObject([{ afterWriteId: write?.writeId }]);
    bench.flush();
    const durable = bench.receive("n2", append({ term: 1, entries: logOf([1, 1]) }));
    expect(of("send", durable)).toMatchObject([{ afterWriteId: 0 }]);
  });

  test("the completion of a write that was cut off proves nothing of what replaced it (ABA)", () => {
    const bench = new RaftBench();
    const old = of("persist", bench.receive("n2", append({ term: 1, entries: logOf([1, 1, 1]) })));
    bench.receive(
      "n3",
      append({ term: 2, prevLogIndex: 1, prevLogTerm: 1, entries: logOf([2], 2) }),
    );
    bench.step({ kind: "persisted", writeId: old[0]?.writeId ?? 0 });
    expect(bench.node.outbox.durableIndex).toBe(1);
    bench.flush();
    expect(bench.node.outbox.durableIndex).toBe(2);
  });

  test("a leader's count of itself survives a term change only for what is still in its log", () => {
    const bench = new RaftBench();
    bench.lead();
    const late = of("persist", bench.propose("a", "b"))[0]?.writeId ?? 0;
    bench.receive(
      "n2",
      append({ term: 2, prevLogIndex: 1, prevLogTerm: 1, entries: logOf([2], 2) }),
    );
    bench.nowMs += 2000;
    bench.campaign();
    bench.receive("n2", {
      kind: "request-vote-result",
      term: 3,
      voteGranted: true,
      preVote: false,
    });
    bench.step({ kind: "persisted", writeId: late });
    expect(bench.node).toMatchObject({ role: "candidate", currentTerm: 3 });
    expect(bench.node.outbox.durableIndex).toBe(1);
    bench.flush();
    expect(bench.node.role).toBe("leader");
    expect(bench.node.outbox.durableIndex).toBe(2);
    bench.flush();
    expect(bench.node.outbox.durableIndex).toBe(3);
  });

  test("a step gives at most one persist, and it comes first", () => {
    const bench = new RaftBench({ terms: [1, 1] });
    const entries = logOf([2, 2], 2);
    const effects = bench.receive(
      "n2",
      append({ term: 2, prevLogIndex: 1, prevLogTerm: 1, entries, leaderCommit: 3 }),
    );
    expect(effects.map(({ kind }) => kind)).toEqual(["persist", "role-changed", "send", "apply"]);
  });
});

describe("proposals", () => {
  test("a node that does not lead refuses and names the leader", () => {
    const bench = new RaftBench();
    expect(bench.propose("a")).toMatchObject([{ reason: "not-leader", leader: null }]);
    bench.receive("n3", append({ term: 1 }));
    expect(bench.propose("a")).toMatchObject([{ reason: "not-leader", leader: "n3" }]);
  });

  test("what is not committed is bounded by entries; the rest of the input is refused", () => {
    const bench = replicating({ uncommittedEntriesMax: 2 });
    const effects = bench.propose("a", "b", "c", "d");
    expect(of("appended", effects).map(({ requestId }) => requestId)).toEqual([1, 2]);
    expect(of("refused", effects)).toMatchObject([
      { requestId: 3, reason: "overloaded" },
      { requestId: 4, reason: "overloaded" },
    ]);
    bench.flush();
    bench.catchUp();
    expect(of("appended", bench.propose("e"))).toHaveLength(1);
  });

  test("what is not committed is bounded by bytes, and the room comes back with the commit", () => {
    const bench = replicating({ uncommittedBytesMax: 60 });
    expect(of("refused", bench.propose("a", "b", "c"))).toMatchObject([{ requestId: 3 }]);
    bench.flush();
    bench.catchUp();
    expect(bench.node.leading?.uncommittedBytes).toBe(0);
    expect(of("appended", bench.propose("x".repeat(99)))).toHaveLength(1);
  });
});

describe("apply", () => {
  test("no more than 4,096 entries are handed over ahead of the state machine", () => {
    const bench = new RaftBench({ terms: new Array<number>(5000).fill(1) });
    const heartbeat = append({ term: 1, prevLogIndex: 5000, prevLogTerm: 1, leaderCommit: 5000 });
    const first = of("apply", bench.receive("n2", heartbeat)).flatMap(({ entries }) => entries);
    expect(first).toHaveLength(4096);
    expect(of("apply", bench.receive("n2", heartbeat))).toEqual([]);
    const rest = of("apply", bench.step({ kind: "applied", index: 1000 }));
    expect(rest.flatMap(({ entries }) => entries)).toHaveLength(904);
  });
});
