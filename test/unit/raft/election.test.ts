// Elections as inputs and effects: PreVote, votes, stickiness and CheckQuorum, one rule a test.

import { describe, expect, test } from "@jest/globals";
import {
  ack,
  append,
  grant,
  messages,
  of,
  RaftBench,
  voteRequest,
} from "../../support/raft-bench.ts";

describe("PreVote", () => {
  test("asking for pre-votes touches neither term, vote nor disk", () => {
    const bench = new RaftBench();
    const effects = bench.timeOut();
    expect(messages(effects)).toMatchObject([
      { kind: "request-vote", preVote: true, term: 0 },
      { kind: "request-vote", preVote: true, term: 0 },
    ]);
    expect(of("persist", effects)).toEqual([]);
    expect(bench.node).toMatchObject({ role: "pre-candidate", currentTerm: 0, votedFor: null });
  });

  test("granting a pre-vote binds nobody", () => {
    const bench = new RaftBench();
    for (const peer of ["n2", "n3"]) {
      const effects = bench.receive(peer, voteRequest({ term: 0, preVote: true }));
      expect(messages(effects)).toMatchObject([{ voteGranted: true, preVote: true }]);
      expect(of("persist", effects)).toEqual([]);
    }
    expect(bench.node.votedFor).toBeNull();
  });

  test("a late pre-vote answer does not count in the real election, nor the reverse", () => {
    const bench = new RaftBench({ size: 5 });
    bench.timeOut();
    bench.receive("n2", grant(0));
    bench.receive("n3", grant(0));
    expect(bench.node.role).toBe("pre-candidate");
    bench.receive("n2", grant(0, true));
    bench.receive("n3", grant(0, true));
    bench.flush();
    bench.receive("n4", grant(1, true));
    bench.receive("n5", grant(1, true));
    expect(bench.node.role).toBe("candidate");
  });

  test("a pre-candidate with a smaller term learns the term and then wins in it", () => {
    const bench = new RaftBench({ terms: [1] });
    bench.timeOut();
    bench.receive("n2", grant(4, true, false));
    expect(bench.node).toMatchObject({ role: "follower", currentTerm: 4 });
    bench.campaign();
    expect(bench.node).toMatchObject({ role: "candidate", currentTerm: 5 });
  });

  test("a pre-candidate that hears its leader again follows it in the same term", () => {
    const bench = new RaftBench();
    bench.receive("n2", append({ term: 1 }));
    bench.timeOut();
    bench.receive("n2", append({ term: 1 }));
    expect(bench.node).toMatchObject({ role: "follower", leader: "n2", currentTerm: 1 });
  });
});

describe("stickiness", () => {
  test.each([true, false])(
    "while its leader is heard a follower helps nobody (preVote %s)",
    (preVote) => {
      const bench = new RaftBench();
      bench.receive("n2", append({ term: 1 }));
      const request = voteRequest({ term: 5, preVote });
      bench.nowMs += 999;
      const refused = messages(bench.receive("n3", request)).filter((it) => "voteGranted" in it);
      expect(refused).toMatchObject([{ voteGranted: false, term: 1 }]);
      expect(bench.node).toMatchObject({ currentTerm: 1, leader: "n2" });
      bench.nowMs += 1;
      expect(messages(bench.receive("n3", request))).toMatchObject([{ voteGranted: true }]);
    },
  );

  test("a returning node with a later term does not depose a leader that a majority hears", () => {
    const bench = new RaftBench();
    bench.lead();
    bench.catchUp();
    bench.nowMs += 500;
    bench.receive("n3", voteRequest({ term: 8, lastLogTerm: 1, lastLogIndex: 9 }));
    expect(bench.node).toMatchObject({ role: "leader", currentTerm: 1 });
  });

  test("a stuck candidate with a later term frees itself by refusing the leader's append", () => {
    const bench = new RaftBench();
    bench.lead();
    bench.receive("n3", ack({ term: 8, success: false }));
    expect(bench.node).toMatchObject({ role: "follower", currentTerm: 8 });
  });
});

describe("CheckQuorum", () => {
  test("a leader that no majority answers steps down in its term and keeps its vote", () => {
    const bench = new RaftBench({ size: 5 });
    bench.lead();
    bench.tick(1500);
    bench.receive("n2", ack({ term: 1 }));
    bench.step({ kind: "read", requestId: 5 });
    const effects = bench.tick(501);
    expect(bench.node).toMatchObject({ role: "follower", currentTerm: 1, votedFor: "n1" });
    expect(of("role-changed", effects)).toMatchObject([{ role: "follower", leader: null }]);
    expect(of("persist", effects)).toEqual([]);
  });

  test("a leader that one of two peers answers stays", () => {
    const bench = new RaftBench();
    bench.lead();
    for (let beat = 0; beat < 50; beat += 1) {
      bench.tick(100);
      bench.receive("n3", ack({ term: 1 }));
    }
    expect(bench.node.role).toBe("leader");
  });

  test("reads that wait at a deposed leader are refused", () => {
    const bench = new RaftBench();
    bench.lead();
    bench.step({ kind: "read", requestId: 5 });
    const effects = bench.receive("n2", append({ term: 2 }));
    expect(of("refused", effects)).toMatchObject([{ requestId: 5, reason: "not-leader" }]);
  });
});

describe("the hint that the leader's mailbox is gone", () => {
  function hinted(): RaftBench {
    const bench = new RaftBench();
    bench.receive("n2", append({ term: 1 }));
    bench.flush();
    bench.step({ kind: "unreachable", peer: "n2" });
    return bench;
  }

  test("makes a follower ask for pre-votes within a heartbeat interval, not for votes", () => {
    const bench = hinted();
    expect(bench.node.electionDeadlineMs - bench.nowMs).toBeLessThanOrEqual(100);
    const requests = messages(bench.tick(100)).filter(({ kind }) => kind === "request-vote");
    expect(requests).toMatchObject([{ preVote: true }, { preVote: true }]);
    expect(bench.node.currentTerm).toBe(1);
  });

  test("lets a follower grant in spite of its stickiness", () => {
    const bench = hinted();
    const effects = bench.receive("n3", voteRequest({ term: 1, preVote: true }));
    expect(messages(effects)).toMatchObject([{ voteGranted: true }]);
  });

  test("is over as soon as the leader is heard, and given twice draws no second delay", () => {
    const bench = hinted();
    const { electionDeadlineMs } = bench.node;
    bench.step({ kind: "unreachable", peer: "n2" });
    expect(bench.node.electionDeadlineMs).toBe(electionDeadlineMs);
    bench.receive("n2", append({ term: 1 }));
    expect(bench.node.isLeaderUnreachable).toBe(false);
    expect(bench.node.electionDeadlineMs - bench.nowMs).toBeGreaterThanOrEqual(1000);
  });

  test("makes a split vote end within three heartbeat intervals, not an election timeout", () => {
    const bench = hinted();
    bench.tick(100);
    // The other follower took the same hint: both get the pre-vote, and each votes for itself.
    bench.receive("n3", grant(1, true));
    expect([bench.node.role, bench.node.currentTerm]).toEqual(["candidate", 2]);
    bench.receive("n3", grant(2, false, false));
    bench.receive("n2", grant(2, false, false));
    expect(bench.node.role).toBe("follower");
    const waitMs = bench.node.electionDeadlineMs - bench.nowMs;
    expect(waitMs).toBeGreaterThanOrEqual(100);
    expect(waitMs).toBeLessThanOrEqual(300);
    const requests = messages(bench.tick(300)).filter(({ kind }) => kind === "request-vote");
    expect(requests).toMatchObject([{ preVote: true }, { preVote: true }]);
  });

  test("about another peer changes nothing for a follower", () => {
    const bench = new RaftBench();
    bench.receive("n2", append({ term: 1 }));
    const { electionDeadlineMs } = bench.node;
    expect(bench.step({ kind: "unreachable", peer: "n3" })).toEqual([]);
    expect(bench.node.electionDeadlineMs).toBe(electionDeadlineMs);
  });

  test("is provoked while nothing else is said to the leader, and by a pre-vote that stickiness refuses", () => {
    const bench = new RaftBench();
    bench.receive("n2", append({ term: 1, round: 4 }));
    bench.flush();
    const probe = { to: "n2", message: { kind: "append-entries-result", success: true, round: 4 } };
    const asked = bench.receive("n3", voteRequest({ term: 1, preVote: true }));
    expect(of("send", asked)).toMatchObject([probe, { to: "n3" }]);
    expect(bench.tick(24)).toEqual([]);
    expect(of("send", bench.tick(1))).toMatchObject([probe]);
    expect(bench.tick(24)).toEqual([]);
    expect(of("send", bench.tick(1))).toMatchObject([probe]);
  });
});

describe("a sole voter", () => {
  test("leads at its first tick and commits what is on its own disk", () => {
    const bench = new RaftBench({ size: 1 });
    bench.tick();
    expect(bench.node.role).toBe("candidate");
    bench.tick(1);
    expect(bench.node.currentTerm).toBe(1);
    expect(of("role-changed", bench.flush())).toMatchObject([{ role: "leader", leader: "n1" }]);
    expect(of("apply", bench.flush())).toMatchObject([{ entries: [{ index: 1 }] }]);
    bench.propose("a");
    expect(bench.node.commitIndex).toBe(1);
    expect(of("apply", bench.flush())).toMatchObject([{ entries: [{ index: 2 }] }]);
    const read = bench.step({ kind: "read", requestId: 3 });
    expect(of("read-ready", read)).toMatchObject([{ requestId: 3, readIndex: 2 }]);
  });
});
