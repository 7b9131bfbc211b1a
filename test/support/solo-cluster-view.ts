// The cluster as a quorum of one would show it.

import { counts, type Ledger } from "../../ledger/ledger.ts";
import { type GetClusterResponse, NodeRole } from "../../protos/gen/quorumq/v1/cluster_service.ts";

export function soloClusterView(
  ledger: Ledger,
  node: string,
  term: number,
  index: number,
): GetClusterResponse {
  return {
    cluster: "solo",
    leaderId: node,
    term,
    commitIndex: index,
    appliedIndex: index,
    nodes: [
      {
        id: node,
        role: NodeRole.NODE_ROLE_LEADER,
        matchIndex: index,
        lastContactMs: 0,
        incarnation: 1,
      },
    ],
    counts: counts(ledger),
  };
}
