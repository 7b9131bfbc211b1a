// ClusterService over gRPC: what operators ask, what they are refused, and lost answers.

import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";
import { AdministerRefused_Reason as Reason } from "../../../protos/gen/node/v1/exchange.ts";
import type {
  AdministerAction,
  AdministerOutcome,
  CallOptions,
} from "../../../transport/quorum.ts";
import { type Edge, failureOf, startEdge } from "../../support/edge.ts";
import { SoloQuorum } from "../../support/solo-quorum.ts";

jest.setTimeout(30_000);

/** Does what is asked and says that it does not know; then finds its own first sending. */
class ForgetfulQuorum extends SoloQuorum {
  lost = 0;
  #hasLost = false;

  override async administer(
    action: AdministerAction,
    options: CallOptions,
  ): Promise<AdministerOutcome> {
    const end = await super.administer(action, options);
    if (this.lost > 0) {
      this.lost -= 1;
      this.#hasLost = true;
      return { kind: "unknown" };
    }
    return end.kind === "administered" ? { ...end, isRepeat: this.#hasLost } : end;
  }
}

let quorum: ForgetfulQuorum;
let edge: Edge;

beforeEach(async () => {
  quorum = new ForgetfulQuorum();
  edge = await startEdge(quorum);
});
afterEach(() => edge.close());

async function nodeIds(): Promise<string[]> {
  return (await edge.cluster.getCluster({})).nodes.map(({ id }) => id);
}

test("GetCluster shows the members, who waits, and where the log begins", async () => {
  quorum.membership.waiting.add("n4");
  quorum.apply({ kind: "tick" });
  expect(await edge.cluster.getCluster({})).toMatchObject({
    leaderId: "solo",
    commitIndex: 1,
    firstLogIndex: 1,
    snapshotIndex: 0,
    isJoint: false,
    waitingNodeIds: ["n4"],
    nodes: [{ id: "solo", isVoter: true, storeId: "0a1b2c3d" }],
  });
});

describe("AddNode", () => {
  test("makes those that wait learners, who vote once they have caught up", async () => {
    for (const id of ["n4", "n5"]) quorum.membership.waiting.add(id);
    expect(await edge.cluster.addNode({ nodeIds: ["n4", "n5"] })).toEqual({});
    const first = await edge.cluster.getCluster({});
    expect(first.nodes.map((node) => [node.id, node.isVoter])).toEqual([
      ["n4", false],
      ["n5", false],
      ["solo", true],
    ]);
    expect((await edge.cluster.getCluster({})).nodes.every((node) => node.isVoter)).toBe(true);
  });

  test("of a node that does not wait is NOT_FOUND, and says what to do", async () => {
    const error = await failureOf(edge.cluster.addNode({ nodeIds: ["n4"] }));
    expect(error).toMatchObject({
      code: "NOT_FOUND",
      reason: "NODE_UNKNOWN",
      metadata: { node_id: "n4" },
      rawMessage:
        'no node "n4" waits to join: start it with --members naming a member, then add it',
    });
  });

  test("of a member is FAILED_PRECONDITION", async () => {
    const error = await failureOf(edge.cluster.addNode({ nodeIds: ["solo"] }));
    expect(error).toMatchObject({ code: "FAILED_PRECONDITION", reason: "NODE_UNFIT" });
  });

  test("whose answer was lost succeeds, although the second sending is refused", async () => {
    quorum.membership.waiting.add("n4");
    quorum.lost = 1;
    await edge.cluster.addNode({ nodeIds: ["n4"] });
    expect(quorum.membership.asked).toHaveLength(2);
    expect(await nodeIds()).toEqual(["n4", "solo"]);
  });

  test("that finds the leader busy, perhaps with its own first sending, asks again", async () => {
    quorum.membership.waiting.add("n4");
    quorum.membership.refuse({ reason: Reason.REASON_BUSY, nodeId: "" });
    quorum.lost = 1;
    await edge.cluster.addNode({ nodeIds: ["n4"] });
    expect(quorum.membership.asked).toHaveLength(2);
  });

  test("refuses what cannot be ids, all at once", async () => {
    const wrong = await failureOf(
      edge.cluster.addNode({ nodeIds: ["n4", "a.b", "", "n4", "x".repeat(65)] }),
    );
    expect(wrong.violations.map(({ field }) => field)).toEqual([
      ...["node_ids[1]", "node_ids[2]", "node_ids[3]", "node_ids[4]"],
    ]);
    for (const ids of [[], Array.from({ length: 17 }, (_, i) => `n${i}`)]) {
      const error = await failureOf(edge.cluster.addNode({ nodeIds: ids }));
      expect(error).toMatchObject({
        code: "INVALID_ARGUMENT",
        violations: [{ field: "node_ids" }],
      });
    }
    expect(quorum.membership.asked).toEqual([]);
  });
});

describe("RemoveNode", () => {
  test("removes members, but not the last voter, and no stranger", async () => {
    quorum.membership.voters.add("n2");
    await edge.cluster.removeNode({ nodeIds: ["n2"] });
    expect(await nodeIds()).toEqual(["solo"]);
    expect(await failureOf(edge.cluster.removeNode({ nodeIds: ["solo"] }))).toMatchObject({
      reason: "NODE_UNFIT",
    });
    expect(await failureOf(edge.cluster.removeNode({ nodeIds: ["n9"] }))).toMatchObject({
      code: "NOT_FOUND",
      rawMessage: 'no node "n9" is a member',
    });
  });

  test("whose answer was lost succeeds", async () => {
    quorum.membership.voters.add("n2");
    quorum.lost = 1;
    await edge.cluster.removeNode({ nodeIds: ["n2"] });
    expect(await nodeIds()).toEqual(["solo"]);
  });
});

describe("TransferLeadership", () => {
  test("goes to the voter that is furthest when none is named, and then does nothing", async () => {
    quorum.membership.voters.add("n2");
    expect(await edge.cluster.transferLeadership({ nodeId: "" })).toEqual({ leaderId: "n2" });
    expect(await edge.cluster.transferLeadership({ nodeId: "n2" })).toEqual({ leaderId: "n2" });
    expect(quorum.membership.asked).toHaveLength(1);
  });

  test("whose answer was lost names the leader that came of it", async () => {
    quorum.membership.voters.add("n2");
    quorum.lost = 1;
    expect(await edge.cluster.transferLeadership({ nodeId: "n2" })).toEqual({ leaderId: "n2" });
  });

  test("that did not happen in time is ABORTED", async () => {
    quorum.membership.voters.add("n2");
    quorum.membership.refuse({ reason: Reason.REASON_TRANSFER_ABORTED, nodeId: "n2" });
    const error = await failureOf(edge.cluster.transferLeadership({ nodeId: "n2" }));
    expect(error).toMatchObject({ code: "ABORTED", reason: "TRANSFER_ABORTED", retry: "safe" });
  });

  test("to nobody that could take over is FAILED_PRECONDITION", async () => {
    const error = await failureOf(edge.cluster.transferLeadership({ nodeId: "" }));
    expect(error).toMatchObject({ code: "FAILED_PRECONDITION", reason: "NODE_UNFIT" });
  });

  test("refuses what is no id", async () => {
    const error = await failureOf(edge.cluster.transferLeadership({ nodeId: "a b" }));
    expect(error.violations).toMatchObject([{ field: "node_id" }]);
  });
});

describe("a wish", () => {
  test("to a busy leader is UNAVAILABLE with the time to try again", async () => {
    // As often as the client's library repeats it by itself.
    const busy = { reason: Reason.REASON_BUSY, nodeId: "" };
    quorum.membership.refuse(busy, busy, busy, busy);
    const error = await failureOf(edge.cluster.takeSnapshot({}, { timeoutMs: 10_000 }));
    expect(error).toMatchObject({
      code: "UNAVAILABLE",
      reason: "MEMBERSHIP_BUSY",
      retryDelayMs: 1_000,
    });
  });

  test("whose outcome is not known in time says so, and for which nodes", async () => {
    quorum.membership.waiting.add("n4");
    quorum.lost = 1_000;
    const error = await failureOf(edge.cluster.addNode({ nodeIds: ["n4"] }, { timeoutMs: 500 }));
    expect(error).toMatchObject({
      code: "DEADLINE_EXCEEDED",
      reason: "OUTCOME_UNKNOWN",
      metadata: { node_ids: "n4" },
    });
  });

  test("without a leader did not happen", async () => {
    quorum.interrupt({ kind: "unavailable", reason: "no-leader" });
    const wish = edge.cluster.takeSnapshot({}, { timeoutMs: 1_000 });
    expect(await failureOf(wish)).toMatchObject({ code: "UNAVAILABLE", reason: "NO_LEADER" });
    expect(quorum.membership.asked).toEqual([]);
  });
});

test("TakeSnapshot says what it stands for", async () => {
  quorum.apply({ kind: "tick" });
  expect(await edge.cluster.takeSnapshot({})).toEqual({ index: 1, bytes: 1_000 });
  expect(await edge.cluster.getCluster({})).toMatchObject({ snapshotIndex: 1, firstLogIndex: 2 });
});

test("VerifyLedger gives each node's hash, and none for one that is silent", async () => {
  quorum.membership.voters.add("n2");
  quorum.membership.odd.set("n2", "");
  const { hash, nodes } = await edge.cluster.verifyLedger({});
  expect(hash.byteLength).toBe(8);
  expect(nodes).toEqual([
    { nodeId: "solo", hash },
    { nodeId: "n2", hash: Buffer.alloc(0) },
  ]);
});

test("Backup is not there yet", async () => {
  const chunks = edge.cluster.backup({})[Symbol.asyncIterator]();
  expect(await failureOf(chunks.next())).toMatchObject({ reason: "METHOD_NOT_IMPLEMENTED" });
});
