// A leader's log on its way to the others: appends, heartbeats, acks, and what they commit (§5.3).
//
// Guarantees: an entry is committed by counting only if it is of the leader's own term (§5.4.2),
// and the leader counts itself only for what is durable on its own disk (dissertation §10.2.1).
// An append that got lost is sent again, but only to a peer that shows a sign of life.
// Heartbeats travel on another queue and may overtake appends, so they claim nothing but
// matchIndex, which is proved: they can never be refused for a conflict.
// Does not own: the bookkeeping of one peer (progress.ts) nor the follower's side (append.ts).

import { adoptConfiguration } from "./adoption.ts";
import { assert } from "./invariant.ts";
import { entryBytes } from "./log.ts";
import type { AppendEntries, AppendEntriesResult, Entry, LogIndex, NodeId } from "./message.ts";
import { EntryKind } from "./message.ts";
import { leaderState, type RaftNode } from "./node.ts";
import * as progressOf from "./progress.ts";
import { reachedByMajority } from "./quorum.ts";
import { offerSnapshot, offerSnapshotAgain, offerToBlank } from "./snapshot.ts";

/** An append without progress for this many heartbeat intervals counts as lost. */
const RESEND_HEARTBEATS = 2;

/** A leader's own entries: into its log, to its disk and to the peers at the same time. */
export function appendOwn(node: RaftNode, entries: readonly Entry[]): void {
  node.log.append(entries);
  node.outbox.saveEntries(entries);
  if (node.membership.append(entries)) adoptConfiguration(node);
  for (const peer of leaderState(node).peers.keys()) replicate(node, peer);
}

/** Sends all that the peer's window lets through. */
export function replicate(node: RaftNode, peer: NodeId): void {
  const progress = leaderState(node).peers.get(peer);
  if (progress === undefined) return;
  const { limits } = node.options;
  const limit = { entriesMax: limits.appendEntriesMax, bytesMax: limits.appendBytesMax };
  while (progressOf.maySend(progress, limits)) {
    if (progress.nextIndex < node.log.firstIndex) {
      offerSnapshot(node, peer, progress);
      return;
    }
    const entries = node.log.batch(progress.nextIndex, limit);
    const last = entries.at(-1);
    if (last === undefined) return;
    sendAppend(node, peer, progress.nextIndex - 1, entries);
    const bytes = entries.reduce((sum, entry) => sum + entryBytes(entry), 0);
    progressOf.noteSent(progress, last.index, bytes, node.nowMs);
  }
}

/** A new round: who echoes it has followed this leader after it began. */
export function sendHeartbeats(node: RaftNode): void {
  const leading = leaderState(node);
  leading.round += 1;
  leading.nextHeartbeatMs = node.nowMs + node.options.heartbeatIntervalMs;
  for (const peer of leading.peers.keys()) sendHeartbeat(node, peer);
}

/** To a peer that is behind the compacted part: it claims nothing at all. */
export function sendHeartbeat(node: RaftNode, peer: NodeId): void {
  const matchIndex = leaderState(node).peers.get(peer)?.matchIndex ?? 0;
  sendAppend(node, peer, matchIndex < node.log.offset.index ? 0 : matchIndex, []);
}

function sendAppend(
  node: RaftNode,
  peer: NodeId,
  prevLogIndex: LogIndex,
  entries: readonly Entry[],
): void {
  const prevLogTerm = prevLogIndex === 0 ? 0 : node.log.termAt(prevLogIndex);
  assert(prevLogTerm !== null, "I10", "the entry before is in the log", prevLogIndex);
  const message: AppendEntries = {
    kind: "append-entries",
    term: node.currentTerm,
    prevLogIndex,
    prevLogTerm,
    leaderCommit: node.commitIndex,
    entries,
    round: leaderState(node).round,
  };
  // Not after a write: the leader's disk works while the message travels (§10.2.1). Its term and
  // vote are durable, or nobody could have elected it.
  node.outbox.send(peer, message, 0);
}

export function onAppendResult(node: RaftNode, from: NodeId, message: AppendEntriesResult): void {
  const leading = node.leading;
  const progress = leading?.peers.get(from);
  if (leading === null || progress === undefined) return;
  assert(message.round <= leading.round, "I12", "a round", message.round, leading.round);
  progressOf.noteHeard(progress, message.round, node.nowMs);
  if (message.success) {
    const { matchIndex } = message;
    assert(matchIndex <= node.log.lastIndex, "I12", "an ack", matchIndex, node.log.lastIndex);
    progressOf.noteMatched(progress, matchIndex, node.nowMs);
    offerSnapshotAgain(node, from, progress);
    const resendMs = RESEND_HEARTBEATS * node.options.heartbeatIntervalMs;
    if (progressOf.isOverdue(progress, node.nowMs, resendMs)) progressOf.becomeProbe(progress);
    commitAgreed(node);
  } else if (message.conflictIndex === 0) {
    offerToBlank(node, from, progress);
  } else if (progressOf.isRefusalCurrent(progress, message.rejectedIndex)) {
    const nextIndex = nextAfterRefusal(node, message);
    progressOf.noteRefused(progress, message.rejectedIndex, nextIndex);
  }
  replicate(node, from);
}

/**
 * Where the logs may meet (§5.3). The follower has conflictTerm at [conflictIndex, rejectedIndex].
 * Terms never fall along a log, so behind the leader's last entry with a term <= conflictTerm
 * nothing can match; and if that entry's term is lower, nothing of conflictTerm matches either.
 * Each refusal thus skips at least one term of one of the two logs, not one entry.
 */
function nextAfterRefusal(node: RaftNode, message: AppendEntriesResult): LogIndex {
  const { conflictTerm, conflictIndex, rejectedIndex } = message;
  if (conflictTerm === 0) return Math.min(conflictIndex, rejectedIndex);
  const meeting = node.log.lastIndexOfTermAtMost(conflictTerm, rejectedIndex - 1);
  // Behind the compacted part nothing can be compared: a snapshot is next.
  if (meeting >= rejectedIndex) return rejectedIndex;
  const isShared = node.log.termAt(meeting) === conflictTerm && meeting >= conflictIndex;
  return isShared ? meeting + 1 : Math.min(meeting + 1, conflictIndex);
}

/** The broker returned a message: nothing but heartbeats until the peer is heard again. */
export function onPeerUnreachable(node: RaftNode, peer: NodeId): void {
  const progress = node.leading?.peers.get(peer);
  if (progress === undefined) return;
  progressOf.becomeProbe(progress);
  progress.isUnreachable = true;
}

/** Commits what a majority holds durably, if its last entry is of this term (§5.4.2, Figure 8). */
export function commitAgreed(node: RaftNode): void {
  const leading = leaderState(node);
  const { durableIndex } = node.outbox;
  const agreed = reachedByMajority(node.configuration, (voter) =>
    voter === node.id ? durableIndex : (leading.peers.get(voter)?.matchIndex ?? 0),
  );
  if (agreed <= node.commitIndex || node.log.termAt(agreed) !== node.currentTerm) return;
  const from = Math.max(node.commitIndex, leading.termStartIndex) + 1;
  for (const entry of node.log.range(from, agreed + 1)) {
    // Configurations were let in without being weighed (proposal.ts).
    if (entry.kind === EntryKind.Command) leading.uncommittedBytes -= entryBytes(entry);
  }
  node.commitIndex = agreed;
}
