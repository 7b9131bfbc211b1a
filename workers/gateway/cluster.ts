// ClusterService: what an operator sees of the quorum and asks of it. Backup answers UNIMPLEMENTED.
//
// Guarantees: OK means that the leader did it, or that it was so already by an earlier sending of
// this very call. Transfers always name the heir, so that one that goes to the new leader again
// changes nothing.
// Does not own: who may join, lead or go (the leader decides).

import type { GetClusterResponse } from "../../protos/gen/quorumq/v1/cluster_service.ts";
import type { Call } from "../../transport/grpc/call.ts";
import type { ClusterHandlers } from "../../transport/grpc/server.ts";
import type { Quorum } from "../../transport/quorum.ts";
import { administer, readCluster } from "./administer.ts";
import { timeLeft } from "./ask.ts";
import { tailHandler } from "./tail.ts";
import { checkNodeId, checkNodeIds } from "./validate.ts";
import { Violations } from "./violations.ts";

const SEE_STATUS = "look at the cluster's status before asking again";

export function clusterHandlers(quorum: Quorum): ClusterHandlers {
  return {
    getCluster: (_request, call) => readCluster(quorum, call),
    addNode: ({ nodeIds }, call) => change(quorum, "addNode", nodeIds, call),
    removeNode: ({ nodeIds }, call) => change(quorum, "removeNode", nodeIds, call),
    transferLeadership: async ({ nodeId }, call) => {
      return { leaderId: await transfer(quorum, nodeId, call) };
    },
    takeSnapshot: async (_request, call) => {
      const answer = await administer(
        quorum,
        {
          action: { $case: "takeSnapshot", value: {} },
          whatHappened: "the snapshot may still be taken",
          advice: SEE_STATUS,
          metadata: {},
        },
        call,
      );
      if (answer?.$case === "takeSnapshot") return answer.value;
      throw otherAnswer("takeSnapshot", answer?.$case);
    },
    verifyLedger: async (_request, call) => {
      const answer = await administer(
        quorum,
        {
          action: { $case: "verifyLedger", value: {} },
          whatHappened: "the nodes may still build their ledgers",
          advice: "ask again with more time",
          metadata: {},
        },
        call,
      );
      if (answer?.$case === "verifyLedger") return answer.value;
      throw otherAnswer("verifyLedger", answer?.$case);
    },
    tailLog: tailHandler(quorum),
  };
}

/** Of voters and learners alike. */
async function change(
  quorum: Quorum,
  $case: "addNode" | "removeNode",
  nodeIds: string[],
  call: Call,
): Promise<object> {
  const violations = new Violations();
  checkNodeIds(nodeIds, "node_ids", violations);
  violations.requireNone();
  const isAddition = $case === "addNode";
  const answer = await administer(
    quorum,
    {
      action: { $case, value: { nodeIds } },
      isFulfilled: ({ nodes }) =>
        nodeIds.every((id) => nodes.some((node) => node.id === id) === isAddition),
      whatHappened: `the nodes may have been ${isAddition ? "added" : "removed"}`,
      advice: SEE_STATUS,
      metadata: { node_ids: nodeIds.join(",") },
    },
    call,
  );
  if (answer !== null && answer.$case !== $case) throw otherAnswer($case, answer.$case);
  return {};
}

/** The new leader. */
async function transfer(quorum: Quorum, wished: string, call: Call): Promise<string> {
  const violations = new Violations();
  if (wished !== "") checkNodeId(wished, "node_id", violations);
  violations.requireNone();
  const leftMs = timeLeft(call);
  const cluster = await readCluster(quorum, call, leftMs);
  const nodeId = wished === "" ? heirOf(cluster) : wished;
  if (nodeId !== "" && nodeId === cluster.leaderId) return nodeId;
  const answer = await administer(
    quorum,
    {
      action: { $case: "transferLeadership", value: { nodeId } },
      isFulfilled: ({ leaderId }) => leaderId === nodeId,
      whatHappened: "leadership may have been handed over",
      advice: SEE_STATUS,
      metadata: { node_id: nodeId },
    },
    call,
    leftMs,
  );
  if (answer === null) return nodeId;
  if (answer.$case === "transferLeadership") return answer.value.leaderId;
  throw otherAnswer("transferLeadership", answer.$case);
}

/** The voter that is furthest, of equal ones the one heard of last; "" leaves it to the leader. */
function heirOf({ nodes, leaderId }: GetClusterResponse): string {
  const heirs = nodes
    .filter(({ id, isVoter }) => isVoter && id !== leaderId)
    .sort((a, b) => b.matchIndex - a.matchIndex || a.lastContactMs - b.lastContactMs);
  return heirs[0]?.id ?? "";
}

function otherAnswer(asked: string, answered: string | undefined): Error {
  return new Error(`${asked} was answered with ${answered ?? "nothing"}`);
}
