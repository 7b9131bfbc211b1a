// One test a claim of the Raft paper (§ numbers are its sections) and of the dissertation (D §).
// The list follows etcd's raft_paper_test.go.

import { describe, expect, test } from "@jest/globals";
import { EntryKind, type Message } from "../../../raft/message.ts";
import {
  ack,
  append,
  grant,
  logOf,
  messages,
  of,
  RaftBench,
  terms,
  voteRequest,
} from "../../support/raft-bench.ts";

const LATER_MESSAGES: readonly Message[] = [
  append({ term: 9 }),
  ack({ term: 9 }),
  voteRequest({ term: 9 }),
  grant(9),
];

function ledBench(size = 3): RaftBench {
  const bench = new RaftBench({ size });
  bench.lead();
  bench.catchUp();
  return bench;
}

describe("terms (§5.1)", () => {
  const roles: readonly [string, (bench: RaftBench) => void][] = [
    ["follower", () => {}],
    ["pre-candidate", (bench) => bench.timeOut()],
    ["candidate", (bench) => bench.campaign()],
    ["leader", (bench) => bench.lead()],
  ];
  for (const [role, prepare] of roles) {
    for (const message of LATER_MESSAGES) {
      test(`a ${role} that receives ${message.kind} of a later term follows in it (§5.1)`, () => {
        const bench = new RaftBench();
        prepare(bench);
        expect(bench.node.role).toBe(role);
        // A leader that a majority has just heard is not deposed by a mere request (D §4.2.3).
        bench.nowMs += 1500;
        const effects = bench.receive("n2", message);
        expect(bench.node).toMatchObject({ role: "follower", currentTerm: 9 });
        expect(of("persist", effects)[0]?.hardState?.currentTerm).toBe(9);
      });
    }
  }

  test("a request of an old term is refused with the current one and changes nothing (§5.1)", () => {
    for (const message of [append({ term: 2, entries: logOf([2]) }), voteRequest({ term: 2 })]) {
      const bench = new RaftBench({ hardState: { currentTerm: 5, votedFor: null } });
      const deadlineMs = bench.node.electionDeadlineMs;
      const effects = bench.receive("n2", message);
      expect(messages(effects)).toMatchObject([{ term: 5 }]);
      expect(of("persist", effects)).toEqual([]);
      expect(bench.node.log.lastIndex).toBe(0);
      expect(bench.node).toMatchObject({ leader: null, electionDeadlineMs: deadlineMs });
    }
  });

  test("a result of an old term is dropped without an answer (§5.1)", () => {
    const bench = ledBench();
    for (const message of [ack({ term: 0, matchIndex: 7 }), grant(0)]) {
      expect(bench.receive("n2", message)).toEqual([]);
    }
  });
});

describe("elections (§5.2)", () => {
  test("a fresh node is a follower in term 0 and knows no leader (§5.2)", () => {
    const { node } = new RaftBench();
    expect(node).toMatchObject({ role: "follower", currentTerm: 0, leader: null, votedFor: null });
  });

  test("a leader sends an empty append to every peer at each heartbeat interval (§5.2)", () => {
    const bench = ledBench();
    for (let beat = 0; beat < 3; beat += 1) {
      expect(messages(bench.tick(99))).toEqual([]);
      const sent = of("send", bench.tick(1));
      expect(sent.map(({ to }) => to)).toEqual(["n2", "n3"]);
      for (const { message } of sent) {
        expect(message).toMatchObject({ kind: "append-entries", entries: [], prevLogIndex: 1 });
      }
      bench.catchUp();
    }
  });

  test("a follower that hears nothing asks all, votes for itself and raises its term (§5.2)", () => {
    const bench = new RaftBench({ size: 5 });
    bench.nowMs = bench.node.electionDeadlineMs - 1;
    expect(bench.tick()).toEqual([]);
    const effects = bench.campaign();
    expect(bench.node).toMatchObject({ role: "candidate", currentTerm: 1, votedFor: "n1" });
    const real = of("send", effects).filter(
      ({ message }) => message.kind === "request-vote" && !message.preVote,
    );
    expect(real.map(({ to }) => to)).toEqual(["n2", "n3", "n4", "n5"]);
    const writeId = of("persist", effects).at(-1)?.writeId;
    expect(real.every(({ afterWriteId }) => afterWriteId === writeId)).toBe(true);
  });

  test("a candidate whose election comes to nothing begins another in a later term (§5.2)", () => {
    const bench = new RaftBench();
    bench.campaign();
    bench.campaign();
    expect(bench.node).toMatchObject({ role: "candidate", currentTerm: 2 });
  });

  const outcomes: readonly [size: number, grants: number, refusals: number, role: string][] = [
    [1, 0, 0, "leader"],
    [3, 2, 0, "leader"],
    [3, 1, 0, "leader"],
    [5, 4, 0, "leader"],
    [5, 2, 0, "leader"],
    [3, 0, 2, "follower"],
    [5, 0, 4, "follower"],
    [5, 0, 3, "follower"],
    [5, 1, 3, "follower"],
    [3, 0, 0, "candidate"],
    [5, 1, 0, "candidate"],
    [5, 1, 2, "candidate"],
  ];
  test.each(outcomes)("of %i voters %i grants and %i refusals make a %s (§5.2)", (...row) => {
    const [size, grants, refusals, role] = row;
    const bench = new RaftBench({ size });
    bench.campaign();
    bench.flush();
    bench.peers.forEach((peer, place) => {
      if (place < grants) bench.receive(peer, grant(1));
      else if (place < grants + refusals) bench.receive(peer, grant(1, false, false));
    });
    expect(bench.node).toMatchObject({ role, currentTerm: 1 });
  });

  test("a duplicate grant counts once, and a stranger's not at all (§5.2)", () => {
    const bench = new RaftBench({ size: 5 });
    bench.campaign();
    bench.flush();
    for (let copy = 0; copy < 4; copy += 1) bench.receive("n2", grant(1));
    bench.receive("stranger", grant(1));
    expect(bench.node.role).toBe("candidate");
  });

  test("a node votes once a term, first come first served, and again for the same (§5.2)", () => {
    const bench = new RaftBench();
    const request = voteRequest({ term: 3 });
    expect(messages(bench.receive("n2", request))).toMatchObject([{ voteGranted: true }]);
    expect(messages(bench.receive("n3", request))).toMatchObject([{ voteGranted: false }]);
    expect(messages(bench.receive("n2", request))).toMatchObject([{ voteGranted: true }]);
    expect(bench.node.votedFor).toBe("n2");
  });

  test("a grant waits for one write that holds both the term and the vote (§5.2)", () => {
    const bench = new RaftBench();
    const effects = bench.receive("n2", voteRequest({ term: 3 }));
    const [write] = of("persist", effects);
    expect(write?.hardState).toEqual({ currentTerm: 3, votedFor: "n2" });
    expect(of("send", effects)).toMatchObject([{ afterWriteId: write?.writeId }]);
  });

  test.each([1, 2])("a candidate of term 1 follows a leader of term %i (§5.2)", (term) => {
    const bench = new RaftBench();
    bench.campaign();
    bench.receive("n3", append({ term }));
    expect(bench.node).toMatchObject({ role: "follower", currentTerm: term, leader: "n3" });
    // Its vote of this term is kept: it must not vote twice.
    expect(bench.node.votedFor).toBe(term === 1 ? "n1" : null);
  });

  test("every election timeout in [min, max) does occur, for each role (§5.2)", () => {
    for (const again of [
      (bench: RaftBench) => bench.receive("n2", append({ term: 1 })),
      (bench: RaftBench) => bench.timeOut(),
    ]) {
      const bench = new RaftBench({ electionTimeoutMs: { min: 110, max: 120 } });
      const seen = new Set<number>();
      for (let round = 0; round < 300; round += 1) {
        again(bench);
        seen.add(bench.node.electionDeadlineMs - bench.nowMs);
      }
      const all = Array.from({ length: 10 }, (_, place) => 110 + place);
      expect([...seen].sort()).toEqual(all);
    }
  });

  test("of five nodes two rarely time out at the same moment (§5.2)", () => {
    let conflicts = 0;
    for (let round = 0; round < 1000; round += 1) {
      const deadlines = Array.from({ length: 5 }, (_, place) => {
        const bench = new RaftBench({ seed: round * 5 + place });
        return Math.floor(bench.node.electionDeadlineMs / 100);
      }).sort();
      if (deadlines[0] === deadlines[1]) conflicts += 1;
    }
    // Slots of 100 ms, far longer than an election takes: etcd asks for at most 0.3.
    expect(conflicts / 1000).toBeLessThan(0.3);
  });
});

describe("replication (§5.3)", () => {
  test("a proposal is appended and sent with what precedes it and the commit index (§5.3)", () => {
    const bench = ledBench();
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
    const bench = ledBench();
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
    const bench = ledBench(size);
    bench.propose("a");
    bench.flush();
    for (const peer of bench.peers.slice(0, acks)) {
      bench.receive(peer, ack({ term: 1, matchIndex: 2 }));
    }
    expect(bench.node.commitIndex).toBe(isCommitted ? 2 : 1);
  });

  test("a leader counts itself only for what is durable on its disk (D §10.2.1)", () => {
    const bench = ledBench();
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

describe("safety (§5.4)", () => {
  test("a vote request carries the candidate's last index and term (§5.4.1)", () => {
    const bench = new RaftBench({ terms: [1, 1, 2] });
    const requests = messages(bench.campaign());
    expect(requests).toHaveLength(4);
    for (const request of requests) {
      expect(request).toMatchObject({ lastLogIndex: 3, lastLogTerm: 2 });
    }
  });

  const candidates: readonly [mine: number[], term: number, index: number, granted: boolean][] = [
    [[1], 1, 1, true],
    [[1], 1, 2, true],
    [[1, 1], 1, 1, false],
    [[1], 2, 1, true],
    [[1], 2, 2, true],
    [[1, 1], 2, 1, true],
    [[2], 1, 1, false],
    [[2], 1, 2, false],
    [[2, 1], 1, 1, false],
  ];
  test.each(
    candidates.filter(([mine]) => mine.every((term, place) => term >= (mine[place - 1] ?? 0))),
  )("a log of terms %j grants (term %i, index %i): %s (§5.4.1)", (...row) => {
    const [mine, lastLogTerm, lastLogIndex, voteGranted] = row;
    for (const preVote of [false, true]) {
      const bench = new RaftBench({ terms: mine });
      const request = voteRequest({ term: 3, lastLogTerm, lastLogIndex, preVote });
      expect(messages(bench.receive("n2", request))).toMatchObject([{ voteGranted, preVote }]);
    }
  });

  test("an entry of an earlier term is not committed by counting: Figure 8 (§5.4.2)", () => {
    // (c): S1 leads term 4 and has sent the entry of term 2 to a majority; its own is on none yet.
    const bench = new RaftBench({
      size: 5,
      terms: [1, 2],
      hardState: { currentTerm: 3, votedFor: null },
    });
    bench.lead();
    bench.receive("n2", ack({ term: 4, matchIndex: 2 }));
    bench.receive("n3", ack({ term: 4, matchIndex: 2 }));
    expect(bench.node.commitIndex).toBe(0);
    // (e): an entry of its own on a majority commits all before it.
    bench.receive("n2", ack({ term: 4, matchIndex: 3 }));
    expect(bench.node.commitIndex).toBe(0);
    bench.receive("n3", ack({ term: 4, matchIndex: 3 }));
    expect(bench.node.commitIndex).toBe(3);
  });

  test("a rightful leader overwrites what a minority leader left (§5.3, §5.4)", () => {
    const bench = new RaftBench({ terms: [1, 2, 2, 2] });
    const entries = logOf([3, 3], 2);
    const effects = bench.receive(
      "n2",
      append({ term: 3, prevLogIndex: 1, prevLogTerm: 1, entries, leaderCommit: 3 }),
    );
    expect(terms(bench.node)).toEqual([1, 3, 3]);
    expect(of("persist", effects)).toMatchObject([{ truncateFrom: 2, entries }]);
  });
});

describe("clients (§8)", () => {
  test("a new leader commits nothing until its own no-op is on a majority (§8)", () => {
    const bench = new RaftBench({ terms: [1, 1] });
    bench.lead();
    expect(bench.node.log.lastIndex).toBe(3);
    bench.receive("n2", ack({ term: 2, matchIndex: 2 }));
    expect(bench.node.commitIndex).toBe(0);
    bench.receive("n2", ack({ term: 2, matchIndex: 3 }));
    expect(bench.node.commitIndex).toBe(3);
  });

  test("a new leader reads only once an entry of its own term is committed (§8, D §6.4)", () => {
    const bench = new RaftBench({ terms: [1, 1] });
    bench.lead();
    bench.step({ kind: "read", requestId: 7 });
    // Echoes of a round begun after the read do not help before the commit.
    bench.tick(100);
    bench.receive("n2", ack({ term: 2, matchIndex: 0, round: 1 }));
    expect(bench.node.leading?.reads).toHaveLength(1);
    const effects = bench.receive("n2", ack({ term: 2, matchIndex: 3, round: 1 }));
    expect(of("read-ready", effects)).toEqual([{ kind: "read-ready", requestId: 7, readIndex: 3 }]);
  });
});
