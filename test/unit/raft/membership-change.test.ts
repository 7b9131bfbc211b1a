// Changes of membership: what is taken, refused, and done by the leader itself (§6, D chapter 4).

import { describe, expect, test } from "@jest/globals";
import {
  type Configuration,
  createConfiguration,
  encodeConfiguration,
} from "../../../raft/configuration.ts";
import type { Effect } from "../../../raft/effect.ts";
import { type Entry, EntryKind, type NodeId } from "../../../raft/message.ts";
import { createNode } from "../../../raft/node.ts";
import { step } from "../../../raft/step.ts";
import {
  ack,
  append,
  entryOf,
  grant,
  LIMITS,
  messages,
  of,
  RaftBench,
  settledLeader,
  snapshotOf,
} from "../../support/raft-bench.ts";

function change(bench: RaftBench, voters: NodeId[], learners: NodeId[] = []): Effect[] {
  return bench.step({ kind: "membership", requestId: 1, target: { voters, learners } });
}

/** What came into force, in order. */
function adopted(effects: readonly Effect[]): Configuration[] {
  return of("configuration-changed", effects).map(({ configuration }) => configuration);
}

/** These peers acknowledge all that the leader's log holds now; its own disk has it too. */
function agree(bench: RaftBench, ...peers: readonly NodeId[]): Effect[] {
  const effects = bench.flush();
  const { currentTerm: term, log } = bench.node;
  const matchIndex = log.lastIndex;
  for (const peer of peers) effects.push(...bench.receive(peer, ack({ term, matchIndex })));
  return effects;
}

/** n4 and n5 learn: they hold an entry, but not the last one, so that they are not promoted yet. */
function withLearners(): RaftBench {
  const bench = new RaftBench({ learners: ["n4", "n5"], limits: { promotionLagMax: 0 } });
  bench.lead();
  bench.propose("a");
  agree(bench, "n2", "n3");
  for (const learner of ["n4", "n5"]) bench.receive(learner, ack({ term: 1, matchIndex: 1 }));
  return bench;
}

describe("a change", () => {
  const unsound: readonly [string, NodeId[], NodeId[]][] = [
    ["nobody votes", [], ["n1"]],
    ["a voter is named twice", ["n1", "n2", "n2"], []],
    ["a learner is named twice", ["n1"], ["n4", "n4"]],
    ["a voter learns as well", ["n1", "n2"], ["n2"]],
    ["a voter has no name", ["n1", ""], []],
    ["a learner has no name", ["n1"], [""]],
  ];
  test.each(unsound)("in which %s is refused as invalid, and nothing happens", (_, ...target) => {
    const bench = settledLeader();
    const effects = change(bench, ...target);
    expect(effects).toMatchObject([{ kind: "refused", reason: "invalid", leader: "n1" }]);
    expect(bench.node.log.lastIndex).toBe(1);
  });

  test("is taken by a leader only", () => {
    const bench = new RaftBench();
    bench.receive("n3", append({ term: 1 }));
    expect(change(bench, ["n1"])).toMatchObject([{ reason: "not-leader", leader: "n3" }]);
  });

  test("waits for the first own entry of a leader to be committed (Ongaro, 2015)", () => {
    const bench = new RaftBench({ terms: [1, 1] });
    bench.lead();
    expect(change(bench, ["n1", "n2"])).toMatchObject([{ reason: "busy" }]);
    bench.catchUp();
    expect(of("appended", change(bench, ["n1", "n2"]))).toMatchObject([{ index: 4, term: 2 }]);
  });

  test("waits for the change before it to be committed (§6)", () => {
    const bench = settledLeader();
    change(bench, ["n1", "n2"]);
    expect(change(bench, ["n1", "n2"], ["n4"])).toMatchObject([{ reason: "busy" }]);
    agree(bench, "n2");
    expect(of("appended", change(bench, ["n1", "n2"], ["n4"]))).toHaveLength(1);
  });

  test("makes no voter of one that is not known to hold anything: it could give no vote", () => {
    const bench = settledLeader();
    expect(change(bench, ["n1", "n2", "n3", "n4"])).toMatchObject([{ reason: "invalid" }]);
    change(bench, ["n1", "n2", "n3"], ["n4"]);
    agree(bench, "n2");
    expect(change(bench, ["n1", "n2", "n3", "n4"])).toMatchObject([{ reason: "invalid" }]);
  });

  test("waits for a joint configuration to be left", () => {
    const bench = settledLeader(5);
    change(bench, ["n1", "n2", "n3"]);
    expect(change(bench, ["n1", "n2", "n3"])).toMatchObject([{ reason: "busy" }]);
    agree(bench, "n2", "n3");
    // Committed, and the next configuration appended in the same step: that one is open now.
    expect(change(bench, ["n1", "n2"])).toMatchObject([{ reason: "busy" }]);
    agree(bench, "n2");
    expect(of("appended", change(bench, ["n1", "n2"]))).toHaveLength(1);
  });

  test("waits for a transfer of leadership", () => {
    const bench = settledLeader();
    bench.step({ kind: "transfer", requestId: 9, to: "n2" });
    expect(change(bench, ["n1", "n2"])).toMatchObject([{ reason: "transferring" }]);
  });

  test("of one voter goes in one step, into force when it is appended (D §4.1)", () => {
    const bench = withLearners();
    const effects = change(bench, ["n1", "n2", "n3", "n4"]);
    expect(adopted(effects)).toEqual([createConfiguration(["n1", "n2", "n3", "n4"])]);
    expect(of("persist", effects)[0]?.entries).toMatchObject([{ kind: EntryKind.Configuration }]);
    agree(bench, "n2");
    expect(bench.node.commitIndex).toBe(2);
    agree(bench, "n3");
    expect(bench.node.commitIndex).toBe(3);
  });

  test("of more voters needs a majority of both, and then leaves by itself (D §4.3)", () => {
    const bench = withLearners();
    const joint = createConfiguration(["n1", "n4", "n5"], [], ["n1", "n2", "n3"]);
    expect(adopted(change(bench, ["n1", "n4", "n5"]))).toEqual([joint]);
    agree(bench, "n2", "n3");
    expect(bench.node.commitIndex).toBe(2);
    const effects = agree(bench, "n4");
    expect(bench.node.commitIndex).toBe(3);
    expect(adopted(effects)).toEqual([createConfiguration(["n1", "n4", "n5"])]);
    agree(bench, "n2", "n3");
    expect(bench.node.commitIndex).toBe(3);
    agree(bench, "n5");
    expect(bench.node.commitIndex).toBe(4);
  });

  test("of learners alone is one step as well, and what a learner has is not counted", () => {
    const bench = settledLeader();
    change(bench, ["n1", "n2", "n3"], ["n4", "n5"]);
    agree(bench, "n4", "n5");
    expect(bench.node.commitIndex).toBe(1);
    agree(bench, "n2");
    expect(bench.node.commitIndex).toBe(2);
  });

  test("asks no learner for a vote, and counts none that it gives", () => {
    const bench = new RaftBench({ learners: ["n4", "n5"] });
    expect(of("send", bench.timeOut()).map(({ to }) => to)).toEqual(["n2", "n3"]);
    bench.receive("n4", grant(0, true));
    bench.receive("n5", grant(0, true));
    expect(bench.node.role).toBe("pre-candidate");
  });

  test("that is cut off gives the configuration before it back (§6)", () => {
    const bench = settledLeader();
    change(bench, ["n1", "n2"]);
    const noOp = { ...entryOf(2, 2), kind: EntryKind.NoOp };
    const message = append({ term: 2, prevLogIndex: 1, prevLogTerm: 1, entries: [noOp] });
    const effects = bench.receive("n2", message);
    expect(adopted(effects)).toEqual([createConfiguration(["n1", "n2", "n3"])]);
    expect(bench.node.configuration).toEqual(createConfiguration(["n1", "n2", "n3"]));
  });
});

describe("a learner", () => {
  /** n4 learns, and the change that said so is committed. */
  function learning(lag = 2): RaftBench {
    const bench = new RaftBench({ limits: { promotionLagMax: lag } });
    bench.lead();
    bench.catchUp();
    change(bench, ["n1", "n2", "n3"], ["n4"]);
    agree(bench, "n2", "n3");
    return bench;
  }

  test("becomes a voter once it has caught up, by an entry of its own (D §4.2.1)", () => {
    const bench = learning();
    expect(adopted(agree(bench, "n4"))).toEqual([createConfiguration(["n1", "n2", "n3", "n4"])]);
  });

  test("may lag by so much, and not by more", () => {
    const term = 1;
    const bench = learning(2);
    // The log ends at 5.
    bench.propose("a", "b", "c");
    expect(adopted(bench.receive("n4", ack({ term, matchIndex: 2 })))).toEqual([]);
    expect(adopted(bench.receive("n4", ack({ term, matchIndex: 3 })))).toHaveLength(1);
  });

  test("is not promoted in a hurry of proposals by an old ack", () => {
    const bench = learning(0);
    bench.propose("a");
    expect(adopted(bench.receive("n4", ack({ term: 1, matchIndex: 2 })))).toEqual([]);
    expect(adopted(agree(bench, "n4"))).toHaveLength(1);
  });

  test("that is silent is not promoted, however far it was, until it is heard again", () => {
    const bench = settledLeader();
    change(bench, ["n1", "n2", "n3"], ["n4"]);
    bench.flush();
    bench.receive("n4", ack({ term: 1, matchIndex: 2 }));
    bench.nowMs += 1000;
    // Only now is it committed that n4 learns; it has all of the log.
    expect(adopted(agree(bench, "n2", "n3"))).toEqual([]);
    expect(bench.node.commitIndex).toBe(2);
    expect(adopted(agree(bench, "n4"))).toHaveLength(1);
  });

  test("that fetches a snapshot is not promoted", () => {
    const bench = new RaftBench({ snapshot: snapshotOf(5, 1), learners: [] });
    bench.lead();
    bench.catchUp();
    change(bench, ["n1", "n2", "n3"], ["n4"]);
    agree(bench, "n2");
    const refusal = { success: false, rejectedIndex: 6, conflictIndex: 1 };
    bench.receive("n4", ack({ term: 2, ...refusal }));
    expect(bench.node.leading?.peers.get("n4")?.mode).toBe("snapshot");
    expect(bench.node.configuration.learners).toEqual(["n4"]);
    bench.tick(100);
    expect(bench.node.configuration.learners).toEqual(["n4"]);
  });

  test("is promoted together with others by a joint configuration", () => {
    const bench = new RaftBench({ learners: ["n4", "n5"] });
    bench.lead();
    const term = 1;
    bench.receive("n4", ack({ term, matchIndex: 1 }));
    bench.receive("n5", ack({ term, matchIndex: 1 }));
    const effects = bench.catchUp();
    const voters = ["n1", "n2", "n3", "n4", "n5"];
    expect(adopted(effects)).toEqual([createConfiguration(voters, [], ["n1", "n2", "n3"])]);
  });

  test("is not promoted while leadership is handed over", () => {
    const bench = learning();
    bench.step({ kind: "transfer", requestId: 9, to: "n2" });
    expect(adopted(agree(bench, "n4"))).toEqual([]);
  });
});

describe("a member that is removed", () => {
  test("is sent the log until that is committed, then a last heartbeat, then nothing", () => {
    const bench = settledLeader();
    change(bench, ["n1", "n2"]);
    expect(of("send", bench.propose("a")).map(({ to }) => to)).toEqual(["n2", "n3"]);
    bench.receive("n3", ack({ term: 1, matchIndex: 2 }));
    const effects = agree(bench, "n2");
    const last = of("send", effects).filter(({ to }) => to === "n3");
    expect(last).toMatchObject([{ message: { prevLogIndex: 2, leaderCommit: 3, entries: [] } }]);
    expect(of("send", bench.propose("b")).map(({ to }) => to)).toEqual(["n2"]);
    expect(of("send", bench.tick(100)).map(({ to }) => to)).toEqual(["n2"]);
  });

  test("and answers late is not listened to", () => {
    const bench = settledLeader();
    change(bench, ["n1", "n2"]);
    agree(bench, "n2");
    expect(bench.receive("n3", ack({ term: 1, matchIndex: 2 }))).toEqual([]);
  });

  test("if it leads, does not count itself, then hands over to the furthest and follows", () => {
    const bench = settledLeader();
    change(bench, ["n2", "n3"]);
    bench.propose("a");
    agree(bench, "n3");
    expect(bench.node.commitIndex).toBe(1);
    const effects = bench.receive("n2", ack({ term: 1, matchIndex: 2 }));
    expect(of("role-changed", effects)).toMatchObject([{ role: "follower", leader: null }]);
    const told = of("send", effects).filter(({ message }) => message.kind === "timeout-now");
    expect(told).toMatchObject([{ to: "n3" }]);
  });

  test("does not campaign once that is committed", () => {
    const bench = settledLeader();
    change(bench, ["n2", "n3"]);
    agree(bench, "n2", "n3");
    bench.nowMs += 10_000;
    expect(messages(bench.tick())).toEqual([]);
    expect(bench.receive("n3", { kind: "timeout-now", term: 1 })).toEqual([]);
  });

  test("campaigns until then, for nobody else may have its last entry (D §4.2.2)", () => {
    const bench = settledLeader(2);
    change(bench, ["n2"]);
    bench.flush();
    bench.tick(2000);
    expect(bench.node.role).toBe("follower");
    bench.timeOut();
    expect(bench.node.role).toBe("pre-candidate");
    bench.receive("n2", grant(1, true));
    bench.flush();
    bench.receive("n2", grant(2));
    expect(bench.node).toMatchObject({ role: "leader", currentTerm: 2 });
    // It does not count itself: n2 alone decides.
    bench.flush();
    expect(bench.node.commitIndex).toBe(1);
    agree(bench, "n2");
    expect(bench.node).toMatchObject({ role: "follower", commitIndex: 3 });
  });
});

describe("uncommitted bytes", () => {
  test("do not fall by configurations: one large proposal is still let through alone", () => {
    const bench = new RaftBench({ limits: { uncommittedBytesMax: 60 } });
    bench.lead();
    bench.catchUp();
    change(bench, ["n1", "n2", "n3"]);
    agree(bench, "n2");
    expect(bench.node.leading?.uncommittedBytes).toBe(0);
    expect(of("appended", bench.propose("a".repeat(100)))).toHaveLength(1);
  });
});

describe("a leader that has removed itself", () => {
  test("and steps down before that is committed campaigns, and does not count itself", () => {
    const bench = settledLeader();
    agree(bench, "n2", "n3");
    change(bench, ["n2", "n3"]);
    bench.flush();
    // Nobody has got the entry, so nobody else can be elected while this node refuses its vote.
    const { max } = bench.node.options.electionTimeoutMs;
    bench.tick(2 * max);
    expect(bench.node.role).toBe("follower");
    const asked = of("send", bench.tick(2 * max)).filter(
      ({ message }) => message.kind === "request-vote",
    );
    expect(asked.map(({ to }) => to)).toEqual(["n2", "n3"]);
  });

  test("campaigns after a restart, when it does not know any more that it ever was a voter", () => {
    const others = createConfiguration(["n2", "n3"]);
    const entries = [
      ["n1", "n2", "n3"],
      ["n2", "n3"],
    ].map((voters, place): Entry => {
      const data = encodeConfiguration(createConfiguration(voters));
      const kind = EntryKind.Configuration;
      return { term: 1, index: 2 + place, kind, data, traceparent: "" };
    });
    const node = createNode({
      id: "n1",
      snapshot: { index: 1, term: 1, configuration: others, bytes: 1, checksum: 1 },
      hardState: { currentTerm: 1, votedFor: null },
      offset: { index: 1, term: 1 },
      entries,
      electionTimeoutMs: { min: 100, max: 200 },
      heartbeatIntervalMs: 10,
      seed: 1,
      limits: LIMITS,
      nowMs: 0,
    });
    step(node, { kind: "tick", nowMs: 200 });
    expect(node.role).toBe("pre-candidate");
  });
});
