// The one way to change a node: step(node, input) gives the effects, and the only switches over
// inputs, messages and roles are here.
//
// Guarantees: the same node, seed and inputs give the same effects. Effects come in this order: the
// persist if there is one, role-changed, the rest. What every message has in common is decided
// before its kind is looked at: an old term is told the new one, a new term makes a follower.
// Does not own: what each kind does (election, append, replication, proposal, read, apply).

import { found } from "./adoption.ts";
import { onAppendEntries, probeLeader, probeQuietly, refuseOldLeader } from "./append.ts";
import { handOver, onApplied } from "./apply.ts";
import { type Effect, Role } from "./effect.ts";
import {
  answerVote,
  becomeFollower,
  countOwnVote,
  isElectionDue,
  isLeaderAlive,
  isQuorumSilent,
  onLeaderUnreachable,
  onRequestVote,
  onTimeoutNow,
  onVoteResult,
  startPreVote,
} from "./election.ts";
import type { Input } from "./input.ts";
import { assert } from "./invariant.ts";
import { advanceMembership, changeMembership } from "./membership-change.ts";
import type { Message, NodeId } from "./message.ts";
import { isBlank, leaderState, type RaftNode } from "./node.ts";
import { checkNode, footing } from "./node-check.ts";
import { propose } from "./proposal.ts";
import {
  advanceReads,
  onRead,
  onReadIndex,
  onReadIndexResult,
  refuseForwarded,
  refuseOldForwarded,
} from "./read.ts";
import { commitAgreed, onAppendResult, onPeerUnreachable, sendHeartbeats } from "./replication.ts";
import { onSnapshotRequest, onSnapshotTaken } from "./snapshot.ts";
import {
  askForChunks,
  onInstallSnapshot,
  onSnapshotChunk,
  onSnapshotVerified,
} from "./snapshot-fetch.ts";
import { advanceTransfer, startTransfer } from "./transfer.ts";

export function step(node: RaftNode, input: Input): Effect[] {
  const before = footing(node);
  const { role, leader } = node;
  // The clock is monotonic; a caller's slip must not turn timers back.
  node.nowMs = Math.max(node.nowMs, input.nowMs);
  take(node, input);
  advanceReads(node);
  advanceMembership(node);
  advanceTransfer(node);
  handOver(node);
  checkNode(node, before);
  const { currentTerm, votedFor } = node;
  const isSame = node.role === role && node.leader === leader && currentTerm === before.currentTerm;
  if (!isSame) refuseForwarded(node);
  const changed: Effect = {
    kind: "role-changed",
    role: node.role,
    term: currentTerm,
    leader: node.leader,
  };
  return node.outbox.take({ currentTerm, votedFor }, isSame ? [] : [changed]);
}

function take(node: RaftNode, input: Input): void {
  switch (input.kind) {
    case "tick":
      onTick(node);
      break;
    case "received":
      onMessage(node, input.from, input.message);
      break;
    case "proposed":
      propose(node, input.proposals);
      break;
    case "read":
      onRead(node, input.requestId);
      break;
    case "persisted":
      node.outbox.persisted(input.writeId);
      if (node.role === Role.Leader) commitAgreed(node);
      else if (node.role === Role.Candidate) countOwnVote(node);
      break;
    case "unreachable":
      if (node.role === Role.Leader) onPeerUnreachable(node, input.peer);
      else if (node.leader === input.peer) onLeaderUnreachable(node);
      break;
    case "applied":
      onApplied(node, input.index);
      break;
    case "found":
      found(node, input.voters);
      break;
    case "snapshot-taken":
      onSnapshotTaken(node, input.snapshot);
      break;
    case "snapshot-verified":
      onSnapshotVerified(node, input.snapshot, input.isSound);
      break;
    case "membership":
      changeMembership(node, input.requestId, input.target);
      break;
    case "transfer":
      startTransfer(node, input.requestId, input.to);
      break;
  }
}

function onTick(node: RaftNode): void {
  switch (node.role) {
    case Role.Leader:
      if (isQuorumSilent(node)) becomeFollower(node, node.currentTerm, null);
      else if (node.nowMs >= leaderState(node).nextHeartbeatMs) sendHeartbeats(node);
      break;
    case Role.Follower:
    case Role.PreCandidate:
    case Role.Candidate:
      if (isElectionDue(node)) startPreVote(node);
      else probeQuietly(node);
      askForChunks(node);
      refuseOldForwarded(node);
      break;
  }
}

function onMessage(node: RaftNode, from: NodeId, message: Message): void {
  assert(from !== node.id, "I12", "a message from itself", from);
  if (message.term < node.currentTerm) {
    tellTerm(node, from, message);
    return;
  }
  // Before the term is looked at: who cannot win may not even raise it (§6, dissertation §4.2.3).
  if (message.kind === "request-vote" && !message.transfer && isLeaderAlive(node)) {
    probeLeader(node);
    answerVote(node, from, false, message.preVote);
    return;
  }
  if (message.term > node.currentTerm) becomeFollower(node, message.term, null);
  switch (message.kind) {
    case "request-vote":
      if (!isBlank(node)) onRequestVote(node, from, message);
      break;
    case "request-vote-result":
      onVoteResult(node, from, message);
      break;
    case "append-entries":
      onAppendEntries(node, from, message);
      break;
    case "append-entries-result":
      onAppendResult(node, from, message);
      break;
    case "timeout-now":
      onTimeoutNow(node, from);
      break;
    case "install-snapshot":
      onInstallSnapshot(node, from, message);
      break;
    case "snapshot-request":
      onSnapshotRequest(node, from, message);
      break;
    case "snapshot-chunk":
      onSnapshotChunk(node, message);
      break;
    case "read-index":
      onReadIndex(node, from, message.readId);
      break;
    case "read-index-result":
      onReadIndexResult(node, from, message);
      break;
  }
}

/** Requests of an old term are refused with the new one; results of an old term mean nothing. */
function tellTerm(node: RaftNode, from: NodeId, message: Message): void {
  switch (message.kind) {
    case "request-vote":
      answerVote(node, from, false, message.preVote);
      break;
    case "append-entries":
    case "install-snapshot":
      refuseOldLeader(node, from);
      break;
    case "request-vote-result":
    case "append-entries-result":
    case "timeout-now":
    case "snapshot-request":
    case "snapshot-chunk":
    case "read-index":
    case "read-index-result":
      break;
  }
}
