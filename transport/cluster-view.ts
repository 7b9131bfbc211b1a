// The cluster as its leader sees it, for GetCluster and `quorumq status`.
//
// Guarantees: read from the core and the ledger at one moment; changes nothing.

import { counts, type Ledger } from "../ledger/ledger.ts";
import {
  type GetClusterResponse,
  type Node,
  NodeRole,
} from "../protos/gen/quorumq/v1/cluster_service.ts";
import type { NodeId } from "../raft/message.ts";
import type { RaftNode } from "../raft/node.ts";

export interface ClusterViewOptions {
  readonly cluster: string;
  readonly node: RaftNode;
  readonly ledger: Ledger;
  readonly lastApplied: number;
  readonly nowMs: number;
  /** 0: not heard of yet. */
  readonly incarnationOf: (node: NodeId) => number;
}

export function clusterView(options: ClusterViewOptions): GetClusterResponse {
  const { cluster, node, ledger, lastApplied, nowMs, incarnationOf } = options;
  const nodes: Node[] = [
    {
      id: node.id,
      role: NodeRole.NODE_ROLE_LEADER,
      matchIndex: node.log.lastIndex,
      lastContactMs: 0,
      incarnation: incarnationOf(node.id),
    },
  ];
  for (const [id, progress] of node.leading?.peers ?? []) {
    nodes.push({
      id,
      role: NodeRole.NODE_ROLE_FOLLOWER,
      matchIndex: progress.matchIndex,
      lastContactMs: Math.max(0, Math.round(nowMs - progress.heardMs)),
      incarnation: incarnationOf(id),
    });
  }
  nodes.sort((a, b) => (a.id < b.id ? -1 : 1));
  return {
    cluster,
    leaderId: node.id,
    term: node.currentTerm,
    commitIndex: node.commitIndex,
    appliedIndex: lastApplied,
    nodes,
    counts: counts(ledger),
  };
}
