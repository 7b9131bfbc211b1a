// A follower's side of AppendEntries (§5.3).
//
// Guarantees: entries are cut off only where one has another term than the leader's at the same
// index, never because a message is shorter than the log, and never at or below commitIndex
// (I13). An ack proves no more than its message did, and leaves only when that much is durable.
// Does not own: the election timer's length (election.ts).

import { adoptConfiguration } from "./adoption.ts";
import { Role } from "./effect.ts";
import { becomeFollower, PROBE_HEARTBEATS, resetElectionTimer } from "./election.ts";
import { assert } from "./invariant.ts";
import type { AppendEntries, AppendEntriesResult, LogIndex, NodeId } from "./message.ts";
import { isBlank, type RaftNode } from "./node.ts";

/** The message's term is the current term. */
export function onAppendEntries(node: RaftNode, from: NodeId, message: AppendEntries): void {
  assert(node.role !== Role.Leader, "I1", "another leader", from, message.term);
  assert(node.leader === null || node.leader === from, "I1", "two leaders", node.leader, from);
  // A candidate of the same term has lost (§5.2); its vote stays.
  becomeFollower(node, node.currentTerm, from);
  resetElectionTimer(node);
  node.leaderHeardMs = node.nowMs;
  node.isLeaderUnreachable = false;

  if (isBlank(node)) {
    refuseBlank(node, from, message);
    return;
  }
  const { prevLogIndex, entries, round } = message;
  // What is compacted was committed, and so it is the leader's as well (§5.4).
  const isCompacted = prevLogIndex < node.log.offset.index;
  if (!isCompacted && node.log.termAt(prevLogIndex) !== message.prevLogTerm) {
    refuseAppend(node, from, message);
    return;
  }
  store(node, message);
  const matchIndex = prevLogIndex + entries.length;
  // Not leaderCommit up to the own last index: behind matchIndex the log may still differ.
  node.commitIndex = Math.max(node.commitIndex, Math.min(message.leaderCommit, matchIndex));
  node.followed.matchIndex = Math.max(node.followed.matchIndex, matchIndex);
  node.followed.round = Math.max(node.followed.round, round);
  acknowledge(node, from, matchIndex, round);
}

/** What an answer says if it says nothing but its term. */
const NOTHING = {
  kind: "append-entries-result",
  success: false,
  matchIndex: 0,
  conflictTerm: 0,
  conflictIndex: 0,
  rejectedIndex: 0,
  round: 0,
} as const;

/** Leaves when everything up to matchIndex is durable, with the term it is said in. */
export function acknowledge(
  node: RaftNode,
  leader: NodeId,
  matchIndex: LogIndex,
  round: number,
): void {
  const term = node.currentTerm;
  // It finds out as well whether the mailbox is there.
  node.followed.nextProbeMs = node.nowMs + PROBE_HEARTBEATS * node.options.heartbeatIntervalMs;
  const ack: AppendEntriesResult = { ...NOTHING, term, success: true, matchIndex, round };
  node.outbox.send(leader, ack, node.outbox.afterEntries(matchIndex));
}

/** "I have nothing": its leader can only begin with a snapshot. */
function refuseBlank(node: RaftNode, leader: NodeId, message: AppendEntries): void {
  const { currentTerm: term } = node;
  const { prevLogIndex: rejectedIndex, round } = message;
  const refusal: AppendEntriesResult = { ...NOTHING, term, rejectedIndex, round };
  node.outbox.send(leader, refusal, node.outbox.afterHardState());
}

/** The whole run of the conflicting term is named, so that the leader can skip it (§5.3). */
function refuseAppend(node: RaftNode, leader: NodeId, message: AppendEntries): void {
  const { log, currentTerm: term } = node;
  const { prevLogIndex: rejectedIndex, round } = message;
  const conflictTerm = log.termAt(rejectedIndex);
  const isConflict = conflictTerm !== null;
  assert(!isConflict || rejectedIndex > node.commitIndex, "I13", "a conflict", rejectedIndex);
  const refusal: AppendEntriesResult = {
    ...NOTHING,
    term,
    conflictTerm: conflictTerm ?? 0,
    conflictIndex: isConflict ? log.firstIndexOfTermAt(rejectedIndex) : log.lastIndex + 1,
    rejectedIndex,
    round,
  };
  node.outbox.send(leader, refusal, node.outbox.afterHardState());
}

/**
 * Echoes neither round nor index: by the time it arrives, the sender may lead this very term, and
 * would take an echo of its old rounds for a confirmation of its new ones. Nor is it blank.
 */
export function refuseOldLeader(node: RaftNode, from: NodeId): void {
  const refusal: AppendEntriesResult = { ...NOTHING, term: node.currentTerm, conflictIndex: 1 };
  node.outbox.send(from, refusal, node.outbox.afterHardState());
}

/** Skips what the log has, cuts off what conflicts, appends the rest. */
function store(node: RaftNode, { prevLogIndex, entries }: AppendEntries): void {
  const { log, outbox, membership } = node;
  const compactedIndex = log.offset.index;
  const known = entries.findIndex(
    ({ index, term }) => index > compactedIndex && log.termAt(index) !== term,
  );
  const fresh = known < 0 ? [] : entries.slice(known);
  const first = fresh[0];
  if (first === undefined) return;
  assert(first.index === prevLogIndex + known + 1, "I3", "a gap", first.index, prevLogIndex);
  if (first.index <= log.lastIndex) {
    assert(first.index > node.commitIndex, "I13", "cut", first.index, node.commitIndex);
    assert(first.index > node.followed.matchIndex, "I2", "the leader's own entry", first.index);
    log.truncateFrom(first.index);
    outbox.saveTruncation(first.index);
  }
  log.append(fresh);
  outbox.saveEntries(fresh);
  const isCut = first.index <= membership.currentIndex && membership.truncate(first.index);
  if (membership.append(fresh) || isCut) adoptConfiguration(node);
}

/**
 * Repeats what this follower has last proved in this term. The leader learns nothing new, but if
 * its mailbox is gone the broker returns the message and this node gets `unreachable`: the quick
 * way to notice a dead leader while no acks are flowing.
 */
export function probeLeader(node: RaftNode): void {
  const { leader, followed } = node;
  if (node.role !== Role.Follower || leader === null || isBlank(node)) return;
  acknowledge(node, leader, followed.matchIndex, followed.round);
}

/** While nothing else is said to the leader; under load its acks are enough. */
export function probeQuietly(node: RaftNode): void {
  if (node.nowMs >= node.followed.nextProbeMs) probeLeader(node);
}
