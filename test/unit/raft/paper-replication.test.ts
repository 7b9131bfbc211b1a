// The claims of the Raft paper about replication (§5.3), a test each; the others are in
// paper.test.ts.

import { describe, expect, test } from "@jest/globals";
import { EntryKind } from "../../../raft/message.ts";
import {
  ack,
  append,
  logOf,
  messages,
  of,
  RaftBench,
  settledLeader,
  terms,
} from "../../support/raft-bench.ts";

describe("replication (§5.3)", () => {
  test("a proposal is appended and sent with what precedes it and the commit index (§5.3)", () => {
    const bench = settledLeader();
    const effects = bench.propose("a", "b");
    expect(of("persist", effects)).toHaveLength(1);
    expect(of("persist", effects)[0]?.entries.map(({ index }) => index)).toEqual([2, 3]);
    for (const { message, afterWriteId } of of("send", effects)) {
      expect(afterWriteId).toBe(0);
      expect(message).toMatchObject({ prevLogIndex: 1, prevLogTerm: 1, leaderCommit: 1 });
      expect(message).toMatchObject({ entries: [{ index: 2 }, { index: 3 }] });
    }
    expect(of("appended", effects)).toMatchObject([{ index: 2 }, { index: 3 }]);
  });

  test("an entry that a majority holds is committed, applied and told to the peers (§5.3)", () => {
    const bench = settledLeader();
    bench.propose("a");
    bench.flush();
    const effects = bench.receive("n2", ack({ term: 1, matchIndex: 2 }));
    expect(bench.node.commitIndex).toBe(2);
    expect(of("apply", effects)).toMatchObject([{ entries: [{ index: 2 }] }]);
    expect(messages(bench.tick(100))).toMatchObject([{ leaderCommit: 2 }, { leaderCommit: 2 }]);
  });

  const commits: readonly [size: number, acks: number, isCommitted: boolean][] = [
    [1, 0, true],
    [3, 0, false],
    [3, 1, true],
    [3, 2, true],
    [5, 0, false],
    [5, 1, false],
    [5, 2, true],
    [5, 4, true],
  ];
  test.each(commits)("of %i nodes %i acks commit: %s (§5.3)", (size, acks, isCommitted) => {
    const bench = settledLeader(size);
    bench.propose("a");
    bench.flush();
    for (const peer of bench.peers.slice(0, acks)) {
      bench.receive(peer, ack({ term: 1, matchIndex: 2 }));
    }
    expect(bench.node.commitIndex).toBe(isCommitted ? 2 : 1);
  });

  test("a leader counts itself only for what is durable on its disk (D §10.2.1)", () => {
    const bench = settledLeader();
    bench.propose("a");
    bench.receive("n2", ack({ term: 1, matchIndex: 2 }));
    expect(bench.node.commitIndex).toBe(1);
    bench.flush();
    expect(bench.node.commitIndex).toBe(2);
  });

  test("a new leader's first entry commits all before it, in order (§5.3)", () => {
    for (const old of [[], [1], [1, 1], [1, 2], [1, 2, 3]]) {
      const bench = new RaftBench({ terms: old });
      bench.lead();
      const effects = bench.catchUp();
      expect(bench.node.commitIndex).toBe(old.length + 1);
      const applied = of("apply", effects).flatMap(({ entries }) => entries);
      expect(applied.map(({ index }) => index)).toEqual([...old, 0].map((_, place) => place + 1));
      expect(applied.at(-1)).toMatchObject({ kind: EntryKind.NoOp, term: bench.node.currentTerm });
    }
  });

  test("a follower applies up to the leader's commit index, in order (§5.3)", () => {
    for (const leaderCommit of [1, 2, 3]) {
      const bench = new RaftBench();
      const effects = bench.receive(
        "n2",
        append({ term: 1, entries: logOf([1, 1, 1]), leaderCommit }),
      );
      const applied = of("apply", effects).flatMap(({ entries }) => entries);
      expect(applied.map(({ index }) => index)).toEqual([1, 2, 3].slice(0, leaderCommit));
    }
  });

  test("a follower commits no further than the message proves (§5.3)", () => {
    const bench = new RaftBench({ terms: [1, 1, 1] });
    bench.receive("n2", append({ term: 2, prevLogIndex: 1, prevLogTerm: 1, leaderCommit: 3 }));
    expect(bench.node.commitIndex).toBe(1);
  });

  const checks: readonly [prevLogIndex: number, prevLogTerm: number, result: object][] = [
    [0, 0, { success: true, matchIndex: 0 }],
    [1, 1, { success: true, matchIndex: 1 }],
    [4, 2, { success: true, matchIndex: 4 }],
    [4, 4, { success: false, rejectedIndex: 4, conflictTerm: 2, conflictIndex: 2 }],
    [7, 4, { success: false, rejectedIndex: 7, conflictTerm: 0, conflictIndex: 5 }],
  ];
  test.each(checks)("a follower checks what precedes: %i in term %i (§5.3)", (...row) => {
    const [prevLogIndex, prevLogTerm, result] = row;
    const bench = new RaftBench({ terms: [1, 2, 2, 2] });
    const effects = bench.receive("n2", append({ term: 4, prevLogIndex, prevLogTerm }));
    expect(messages(effects)).toMatchObject([result]);
  });

  const appends: readonly [at: number, term: number, sent: number[], log: number[]][] = [
    [2, 2, [3], [1, 2, 3]],
    [1, 1, [3, 4], [1, 3, 4]],
    [0, 0, [1], [1, 2]],
    [0, 0, [3], [3]],
    [0, 0, [1, 2], [1, 2]],
  ];
  test.each(appends)("behind (%i, %i) the terms %j make the log %j (§5.3)", (...row) => {
    const [prevLogIndex, prevLogTerm, sent, log] = row;
    const bench = new RaftBench({ terms: [1, 2] });
    const entries = logOf(sent, prevLogIndex + 1);
    const effects = bench.receive("n2", append({ term: 4, prevLogIndex, prevLogTerm, entries }));
    expect(terms(bench.node)).toEqual(log);
    const [write] = of("persist", effects);
    expect(messages(effects)).toMatchObject([{ matchIndex: prevLogIndex + sent.length }]);
    expect(of("send", effects)).toMatchObject([{ afterWriteId: write?.writeId }]);
  });

  // Figure 7: what followers may look like when the leader on top comes to power.
  const leaderTerms = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6];
  const followers: readonly [string, number[]][] = [
    ["a", [1, 1, 1, 4, 4, 5, 5, 6, 6]],
    ["b", [1, 1, 1, 4]],
    ["c", [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6]],
    ["d", [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7]],
    ["e", [1, 1, 1, 4, 4, 4, 4]],
    ["f", [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3]],
  ];
  test.each(followers)("follower %s of Figure 7 ends equal to the leader (§5.3)", (_, log) => {
    const hardState = { currentTerm: 7, votedFor: null };
    const leader = new RaftBench({ terms: leaderTerms, hardState });
    const follower = new RaftBench({ terms: log, hardState });
    let outgoing = leader.lead().filter((effect) => effect.kind === "send" && effect.to === "n2");
    let refusals = 0;
    while (outgoing.length > 0) {
      const answers = messages(outgoing).flatMap((message) => {
        if (message.kind !== "append-entries") return [];
        const results = messages(follower.receive("n9", message));
        follower.flush();
        return results;
      });
      refusals += answers.filter((it) => "success" in it && !it.success).length;
      outgoing = answers.flatMap((answer) => leader.receive("n2", answer));
      outgoing = outgoing.filter((effect) => effect.kind === "send" && effect.to === "n2");
    }
    expect(terms(follower.node)).toEqual([...leaderTerms, 8]);
    // Bounded by the terms that differ, not by the entries.
    expect(refusals).toBeLessThanOrEqual(3);
  });

  test("finding where two long logs part takes a round trip a term, not an entry (§5.3)", () => {
    const run = (term: number, length: number): number[] => new Array<number>(length).fill(term);
    const hardState = { currentTerm: 9, votedFor: null };
    const shared = run(1, 500);
    const leader = new RaftBench({ terms: [...shared, ...run(3, 900), ...run(6, 900)], hardState });
    const mine = [...shared, ...run(2, 700), ...run(4, 700), ...run(5, 400)];
    const follower = new RaftBench({ terms: mine, hardState, limits: { appendEntriesMax: 9999 } });
    let outgoing = messages(leader.lead()).filter(({ kind }) => kind === "append-entries");
    outgoing = outgoing.slice(0, 1);
    let trips = 0;
    while (follower.node.log.lastTerm !== 10 && trips < 50) {
      trips += 1;
      const answers = outgoing.flatMap((message) => messages(follower.receive("n9", message)));
      follower.flush();
      const sent = answers.flatMap((answer) => of("send", leader.receive("n2", answer)));
      outgoing = sent.filter(({ to }) => to === "n2").map(({ message }) => message);
    }
    expect(terms(follower.node)).toEqual(terms(leader.node));
    // Four to find the place, the rest to carry 1,800 entries in batches of 100, 8 at a time.
    expect(trips).toBeLessThanOrEqual(9);
  });
});
