// One test a claim of the Raft paper (§ numbers are its sections) and of the dissertation (D §).
// The list follows etcd's raft_paper_test.go; replication is in paper-replication.test.ts.

import { describe, expect, test } from "@jest/globals";
import type { Message } from "../../../raft/message.ts";
import {
  ack,
  append,
  grant,
  logOf,
  messages,
  of,
  RaftBench,
  settledLeader,
  terms,
  voteRequest,
} from "../../support/raft-bench.ts";

const LATER_MESSAGES: readonly Message[] = [
  append({ term: 9 }),
  ack({ term: 9 }),
  voteRequest({ term: 9 }),
  grant(9),
];

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
    const bench = settledLeader();
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
    const bench = settledLeader();
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
    [[1, 2], 1, 9, false],
    [[1, 2], 2, 2, true],
  ];
  test.each(candidates)("a log of terms %j grants (term %i, index %i): %s (§5.4.1)", (...row) => {
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
