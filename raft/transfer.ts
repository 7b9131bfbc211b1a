// Leadership transfer (dissertation §3.10): the leader brings a voter up to its own log, then tells
// it to campaign at once.
//
// Guarantees: no proposal is taken while a transfer is under way, and it ends: by the heir's higher
// term, or by itself after an election timeout, when proposals are taken again (hashicorp #696
// refused them for ever). Does not own: the heir's election (election.ts).

import { isVoter } from "./configuration.ts";
import type { RequestId } from "./input.ts";
import type { NodeId } from "./message.ts";
import { leaderState, type RaftNode } from "./node.ts";
import { refuse } from "./refusal.ts";

export function startTransfer(node: RaftNode, requestId: RequestId, to: NodeId | null): void {
  const { leading } = node;
  if (leading === null) {
    refuse(node, requestId, "not-leader");
  } else if (leading.transfer !== null) {
    refuse(node, requestId, "transferring");
  } else {
    const heir = to ?? furthestVoter(node);
    if (heir === null || heir === node.id || !isVoter(node.configuration, heir)) {
      refuse(node, requestId, "invalid");
      return;
    }
    const deadlineMs = node.nowMs + node.options.electionTimeoutMs.max;
    leading.transfer = { requestId, to: heir, deadlineMs, isSent: false };
  }
}

/** At the end of each of a leader's steps. */
export function advanceTransfer(node: RaftNode): void {
  const transfer = node.leading?.transfer ?? null;
  if (transfer === null) return;
  const progress = leaderState(node).peers.get(transfer.to);
  const isPossible = progress !== undefined && isVoter(node.configuration, transfer.to);
  if (!isPossible || node.nowMs >= transfer.deadlineMs) {
    leaderState(node).transfer = null;
    node.outbox.emit({ kind: "transfer-aborted", requestId: transfer.requestId });
  } else if (!transfer.isSent && progress.matchIndex === node.log.lastIndex) {
    transfer.isSent = true;
    handOver(node, transfer.to);
  }
}

export function handOver(node: RaftNode, heir: NodeId): void {
  node.outbox.send(heir, { kind: "timeout-now", term: node.currentTerm }, 0);
}

/** The voter whose log is closest to this leader's, if one was heard of lately. */
export function furthestVoter(node: RaftNode): NodeId | null {
  let furthest: NodeId | null = null;
  let matchIndex = -1;
  for (const [peer, progress] of leaderState(node).peers) {
    const isQuiet = node.nowMs - progress.heardMs >= node.options.electionTimeoutMs.min;
    const isThere = !progress.isUnreachable && !isQuiet;
    const isCandidate = node.configuration.voters.includes(peer) && isThere;
    if (!isCandidate || progress.matchIndex <= matchIndex) continue;
    furthest = peer;
    matchIndex = progress.matchIndex;
  }
  return furthest;
}
