// The cluster and the log as their leader sees them, for operators.
//
// Guarantees: read from the core and the ledger at one moment; changes nothing.

import { counts, type Ledger } from "../ledger/ledger.ts";
import {
  type GetClusterResponse,
  type Node,
  NodeRole,
} from "../protos/gen/quorumq/v1/cluster_service.ts";
import { isJoint, isVoter, membersOf } from "../raft/configuration.ts";
import type { NodeId } from "../raft/message.ts";
import type { RaftNode } from "../raft/node.ts";
import { logEntryOf } from "./log-entry.ts";
import { nameOf, storeIdOf } from "./member-id.ts";
import type { LogSource } from "./read-server.ts";

export interface ClusterViewOptions {
  readonly cluster: string;
  readonly node: RaftNode;
  readonly ledger: Ledger;
  readonly lastApplied: number;
  /** Nodes that wait to be added. */
  readonly waitingNames: readonly string[];
  /** 0: not heard of yet. */
  readonly incarnationOf: (node: NodeId) => number;
}

/** What was applied: a reader of the log sees nothing that could still be cut off. */
export function logSourceOf({ log, lastApplied }: RaftNode): LogSource {
  return (fromIndex, entriesMax) => {
    const { firstIndex: firstLogIndex } = log;
    const from = Math.max(fromIndex, firstLogIndex);
    const to = Math.min(lastApplied + 1, from + entriesMax);
    return { entries: to > from ? log.range(from, to).map(logEntryOf) : [], firstLogIndex };
  };
}

export function clusterView(options: ClusterViewOptions): GetClusterResponse {
  const { cluster, node, ledger, lastApplied, incarnationOf, waitingNames } = options;
  const nowMs = performance.now();
  const { configuration } = node;
  const nodes = membersOf(configuration).map((id): Node => {
    const progress = node.leading?.peers.get(id);
    const isLearner = !isVoter(configuration, id);
    const role = isLearner ? NodeRole.NODE_ROLE_LEARNER : NodeRole.NODE_ROLE_FOLLOWER;
    return {
      id: nameOf(id),
      role: id === node.leader ? NodeRole.NODE_ROLE_LEADER : role,
      matchIndex: progress?.matchIndex ?? node.log.lastIndex,
      lastContactMs: Math.max(0, Math.round(nowMs - (progress?.heardMs ?? nowMs))),
      incarnation: incarnationOf(id),
      storeId: storeIdOf(id),
      isVoter: !isLearner,
      isFetchingSnapshot: progress?.mode === "snapshot",
    };
  });
  nodes.sort((a, b) => (a.id < b.id ? -1 : 1));
  return {
    cluster,
    leaderId: nameOf(node.leader ?? ""),
    term: node.currentTerm,
    commitIndex: node.commitIndex,
    appliedIndex: lastApplied,
    nodes,
    counts: counts(ledger),
    snapshotIndex: node.snapshot?.index ?? 0,
    firstLogIndex: node.log.firstIndex,
    isJoint: isJoint(configuration),
    waitingNodeIds: [...waitingNames],
  };
}
