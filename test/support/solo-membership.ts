// Who is in a quorum of one and its imagined peers: what operators' wishes change, without Raft.
//
// Guarantees: the rules of who may join, lead and go are those that callers are told. A node that
// was added is a learner in the first view after it and a voter in the next one.
// Does not own: replication, time. `refuse` stands for all that makes a leader say no.

import {
  type Administer,
  type Administered,
  type AdministerRefused,
  AdministerRefused_Reason as Reason,
} from "../../protos/gen/node/v1/exchange.ts";
import {
  type GetClusterResponse,
  type Node,
  NodeRole,
} from "../../protos/gen/quorumq/v1/cluster_service.ts";

type Action = NonNullable<Administer["action"]>;

/** What the leader knows of its log and ledger at this moment. */
export interface SoloState {
  readonly index: number;
  readonly term: number;
  readonly firstLogIndex: number;
  readonly counts: GetClusterResponse["counts"];
  /** Hexadecimal. */
  readonly hash: string;
}

export class SoloMembership {
  leaderId: string;
  readonly voters = new Set<string>();
  readonly learners = new Set<string>();
  /** Nodes that run and are no members. */
  readonly waiting = new Set<string>();
  /** The hash that a voter's disk gives instead of the right one; "" is silence. */
  readonly odd = new Map<string, string>();
  readonly asked: Action[] = [];
  snapshotIndex = 0;
  #refusals: AdministerRefused[] = [];

  constructor(nodeId: string) {
    this.leaderId = nodeId;
    this.voters.add(nodeId);
  }

  /** The next wishes are refused like this, one each. */
  refuse(...refusals: readonly AdministerRefused[]): void {
    this.#refusals.push(...refusals);
  }

  administer(action: Action, state: SoloState): Administered {
    this.asked.push(action);
    const refused = this.#refusals.shift() ?? this.#refusal(action);
    if (refused !== null) return { outcome: { $case: "refused", value: refused } };
    return { outcome: this.#fulfil(action, state) };
  }

  view(state: SoloState): GetClusterResponse {
    const { index, term, firstLogIndex, counts } = state;
    const members = [...this.voters, ...this.learners].sort();
    const nodes = members.map((id) => this.#nodeView(id, index));
    const view = {
      cluster: "solo",
      leaderId: this.leaderId,
      term,
      commitIndex: index,
      appliedIndex: index,
      nodes,
      counts,
      snapshotIndex: this.snapshotIndex,
      firstLogIndex,
      isJoint: false,
      waitingNodeIds: [...this.waiting].sort(),
    };
    for (const id of this.learners) this.voters.add(id);
    this.learners.clear();
    return view;
  }

  #nodeView(id: string, index: number): Node {
    const isVoter = this.voters.has(id);
    const role = isVoter ? NodeRole.NODE_ROLE_FOLLOWER : NodeRole.NODE_ROLE_LEARNER;
    return {
      id,
      role: id === this.leaderId ? NodeRole.NODE_ROLE_LEADER : role,
      matchIndex: isVoter ? index : 0,
      lastContactMs: id === this.leaderId ? 0 : 5,
      incarnation: 1,
      storeId: "0a1b2c3d",
      isVoter,
      isFetchingSnapshot: !isVoter,
    };
  }

  #refusal(action: Action): AdministerRefused | null {
    const isMember = (id: string): boolean => this.voters.has(id) || this.learners.has(id);
    switch (action.$case) {
      case "addNode":
        for (const nodeId of action.value.nodeIds) {
          if (isMember(nodeId)) return { reason: Reason.REASON_NODE_UNFIT, nodeId };
          if (!this.waiting.has(nodeId)) return { reason: Reason.REASON_NODE_UNKNOWN, nodeId };
        }
        return null;
      case "removeNode": {
        const { nodeIds } = action.value;
        const stranger = nodeIds.find((id) => !isMember(id));
        if (stranger !== undefined) {
          return { reason: Reason.REASON_NODE_UNKNOWN, nodeId: stranger };
        }
        const isLast = [...this.voters].every((id) => nodeIds.includes(id));
        return isLast ? { reason: Reason.REASON_NODE_UNFIT, nodeId: nodeIds[0] ?? "" } : null;
      }
      case "transferLeadership": {
        const { nodeId } = action.value;
        if (nodeId !== "" && !isMember(nodeId)) {
          return { reason: Reason.REASON_NODE_UNKNOWN, nodeId };
        }
        const isFit = this.voters.has(nodeId) && nodeId !== this.leaderId;
        return isFit ? null : { reason: Reason.REASON_NODE_UNFIT, nodeId };
      }
      default:
        return null;
    }
  }

  #fulfil(action: Action, { index, hash }: SoloState): Administered["outcome"] {
    switch (action.$case) {
      case "addNode":
        for (const id of action.value.nodeIds) {
          this.waiting.delete(id);
          this.learners.add(id);
        }
        return { $case: "addNode", value: {} };
      case "removeNode":
        for (const id of action.value.nodeIds) {
          this.voters.delete(id);
          this.learners.delete(id);
        }
        return { $case: "removeNode", value: {} };
      case "transferLeadership":
        this.leaderId = action.value.nodeId;
        return { $case: "transferLeadership", value: { leaderId: this.leaderId } };
      case "takeSnapshot":
        this.snapshotIndex = index;
        return { $case: "takeSnapshot", value: { index, bytes: 1_000 } };
      case "verifyLedger": {
        const bytesOf = (id: string): Buffer => Buffer.from(this.odd.get(id) ?? hash, "hex");
        const nodes = [...this.voters].map((id) => ({ nodeId: id, hash: bytesOf(id) }));
        return { $case: "verifyLedger", value: { index, hash: Buffer.from(hash, "hex"), nodes } };
      }
    }
  }
}
