// Leadership transfer: each way in, each way out (D §3.10).

import { describe, expect, test } from "@jest/globals";
import type { Effect } from "../../../raft/effect.ts";
import type { NodeId } from "../../../raft/message.ts";
import {
  ack,
  append,
  messages,
  of,
  RaftBench,
  settledLeader,
  voteRequest,
} from "../../support/raft-bench.ts";

function transfer(bench: RaftBench, to: NodeId | null, requestId = 1): Effect[] {
  return bench.step({ kind: "transfer", requestId, to });
}

function toldToCampaign(effects: readonly Effect[]): NodeId[] {
  return of("send", effects)
    .filter(({ message }) => message.kind === "timeout-now")
    .map(({ to }) => to);
}

describe("a transfer", () => {
  test("to one that has the whole log is told to campaign at once", () => {
    expect(toldToCampaign(transfer(settledLeader(), "n3"))).toEqual(["n3"]);
  });

  test("to one that lags waits until its ack, and tells it once", () => {
    const bench = settledLeader();
    bench.propose("a", "b");
    expect(transfer(bench, "n3")).toEqual([]);
    expect(toldToCampaign(bench.receive("n3", ack({ term: 1, matchIndex: 2 })))).toEqual([]);
    expect(toldToCampaign(bench.receive("n3", ack({ term: 1, matchIndex: 3 })))).toEqual(["n3"]);
    expect(toldToCampaign(bench.receive("n3", ack({ term: 1, matchIndex: 3 })))).toEqual([]);
    expect(toldToCampaign(bench.tick(100))).toEqual([]);
  });

  test("to nobody named goes to the voter that is furthest of those lately heard", () => {
    const bench = new RaftBench({
      size: 5,
      learners: ["n6"],
      limits: { promotionLagMax: 0 },
    });
    bench.lead();
    bench.propose("a", "b", "c");
    const term = 1;
    bench.receive("n2", ack({ term, matchIndex: 3 }));
    bench.nowMs += 1000;
    bench.receive("n3", ack({ term, matchIndex: 1 }));
    bench.receive("n4", ack({ term, matchIndex: 2 }));
    bench.receive("n6", ack({ term, matchIndex: 3 }));
    transfer(bench, null);
    expect(bench.node.leading?.transfer).toMatchObject({ to: "n4", isSent: false });
  });

  test("is refused by one that does not lead, naming who does", () => {
    const bench = new RaftBench();
    bench.receive("n2", append({ term: 1 }));
    expect(transfer(bench, "n3")).toMatchObject([{ reason: "not-leader", leader: "n2" }]);
  });

  test.each(["n1", "n4", "n9"])("to %s, which is no other voter, is refused", (to) => {
    const bench = new RaftBench({ learners: ["n4"] });
    bench.lead();
    expect(transfer(bench, to)).toMatchObject([{ kind: "refused", reason: "invalid" }]);
  });

  test("to nobody named is refused if nobody was heard lately, or there is nobody", () => {
    const bench = settledLeader();
    bench.nowMs += 1000;
    expect(transfer(bench, null)).toMatchObject([{ kind: "refused", reason: "invalid" }]);
    const alone = new RaftBench({ size: 1 });
    alone.timeOut();
    alone.flush();
    expect(alone.node.role).toBe("leader");
    expect(transfer(alone, null)).toMatchObject([{ kind: "refused", reason: "invalid" }]);
  });

  test("is refused while another one is under way, which goes on", () => {
    const bench = settledLeader();
    bench.propose("a");
    transfer(bench, "n3");
    expect(transfer(bench, "n2", 2)).toMatchObject([{ requestId: 2, reason: "transferring" }]);
    expect(bench.node.leading?.transfer?.to).toBe("n3");
  });

  test("keeps proposals and changes out, not reads", () => {
    const bench = settledLeader();
    transfer(bench, "n3");
    expect(bench.propose("a")).toMatchObject([{ reason: "transferring" }]);
    const target = { voters: ["n1", "n2"], learners: [] };
    const changed = bench.step({ kind: "membership", requestId: 3, target });
    expect(changed).toMatchObject([{ reason: "transferring" }]);
    bench.step({ kind: "read", requestId: 4 });
    const echoed = bench.receive("n2", ack({ term: 1, matchIndex: 1, round: 1 }));
    expect(of("read-ready", echoed)).toMatchObject([{ requestId: 4 }]);
  });

  test("ends by itself after an election timeout, and proposals are taken again", () => {
    const bench = settledLeader();
    transfer(bench, "n3");
    bench.nowMs += 1999;
    bench.receive("n2", ack({ term: 1, matchIndex: 1 }));
    expect(of("transfer-aborted", bench.tick())).toEqual([]);
    expect(of("transfer-aborted", bench.tick(1))).toMatchObject([{ requestId: 1 }]);
    expect(of("appended", bench.propose("a"))).toHaveLength(1);
    expect(toldToCampaign(transfer(bench, "n2", 2))).toEqual([]);
  });

  test("ends with the leadership, whoever takes it", () => {
    const bench = settledLeader();
    transfer(bench, "n3");
    const request = voteRequest({ term: 2, lastLogIndex: 1, lastLogTerm: 1, transfer: true });
    const effects = bench.receive("n2", request);
    expect(of("role-changed", effects)).toMatchObject([{ role: "follower", term: 2 }]);
    expect(of("transfer-aborted", effects)).toEqual([]);
    expect(bench.node.leading).toBeNull();
  });

  test("ends at once when the heir has no vote any more", () => {
    const bench = settledLeader(5);
    const target = { voters: ["n1", "n2", "n3"], learners: [] };
    bench.step({ kind: "membership", requestId: 7, target });
    bench.propose("a");
    transfer(bench, "n5");
    bench.flush();
    bench.receive("n2", ack({ term: 1, matchIndex: 2 }));
    const effects = bench.receive("n3", ack({ term: 1, matchIndex: 2 }));
    expect(of("transfer-aborted", effects)).toMatchObject([{ requestId: 1 }]);
  });
});

describe("the heir", () => {
  test("campaigns at once, and says that its leader asked for it", () => {
    const bench = new RaftBench({ terms: [1] });
    bench.receive("n2", append({ term: 1, prevLogIndex: 1, prevLogTerm: 1 }));
    const effects = bench.receive("n2", { kind: "timeout-now", term: 1 });
    expect(bench.node).toMatchObject({ role: "candidate", currentTerm: 2, votedFor: "n1" });
    const expected = { kind: "request-vote", term: 2, preVote: false, transfer: true };
    expect(messages(effects)).toMatchObject([expected, expected]);
  });

  test("does not listen to one that does not lead it", () => {
    const bench = new RaftBench();
    bench.receive("n2", append({ term: 1 }));
    expect(bench.receive("n3", { kind: "timeout-now", term: 1 })).toEqual([]);
    expect(bench.receive("n2", { kind: "timeout-now", term: 0 })).toEqual([]);
    const leader = settledLeader();
    expect(leader.receive("n2", { kind: "timeout-now", term: 1 })).toEqual([]);
  });

  test("does not campaign if it only learns", () => {
    const configuration = { voters: ["n2", "n3"], learners: ["n1"], outgoing: [] };
    const bench = new RaftBench({
      snapshot: { index: 1, term: 1, configuration, bytes: 1, checksum: 0 },
    });
    bench.receive("n2", append({ term: 1, prevLogIndex: 1, prevLogTerm: 1 }));
    expect(bench.receive("n2", { kind: "timeout-now", term: 1 })).toEqual([]);
  });

  test("is voted for although its leader is alive; a usual candidate is not", () => {
    const bench = new RaftBench();
    bench.receive("n2", append({ term: 1 }));
    expect(messages(bench.receive("n3", voteRequest({ term: 2 })))).toMatchObject([
      { kind: "append-entries-result" },
      { voteGranted: false, term: 1 },
    ]);
    const asked = voteRequest({ term: 2, transfer: true });
    expect(messages(bench.receive("n3", asked))).toMatchObject([{ voteGranted: true, term: 2 }]);
  });
});
