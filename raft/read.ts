// Linearizable reads without writing: ReadIndex (dissertation §6.4).
//
//   read ─▶ readIndex = commitIndex ─▶ a later round is echoed by a majority ─▶ ready
//
// A follower asks its leader, with a readId that is never used again, and answers from its own
// state machine once that has applied as much (etcd's ReadIndex).
//
// Guarantees: no read is answered before this leader has committed an entry of its own term (it
// could miss what its predecessor committed), nor by echoes of a round older than the read. Rounds
// rise within a term, and a term has one leader, so a late echo is never taken for a newer one
// (etcd #20418). Reads that come while a round is out share the next one.
// Does not own: the state machine, which must first apply up to readIndex.

import type { RequestId } from "./input.ts";
import type { NodeId, ReadIndexResult } from "./message.ts";
import type { LeaderState, OpenRead, RaftNode } from "./node.ts";
import { reachedByMajority } from "./quorum.ts";
import { refuse } from "./refusal.ts";
import { sendHeartbeats } from "./replication.ts";

/** Reads that may wait at once; more are refused. */
export const OPEN_READS_MAX = 10_000;

export function onRead(node: RaftNode, requestId: RequestId): void {
  const { leading, leader, forwarded, currentTerm: term } = node;
  const open = leading === null ? forwarded.size : leading.reads.length;
  if (leader === null) {
    refuse(node, requestId, "not-leader");
  } else if (open >= OPEN_READS_MAX) {
    refuse(node, requestId, "overloaded");
  } else if (leading !== null) {
    leading.reads.push({ requestId, from: null, round: leading.round + 1, readIndex: null });
  } else {
    forwarded.set(requestId, node.nowMs);
    node.outbox.send(leader, { kind: "read-index", term, readId: requestId }, 0);
  }
}

/** A follower's read; if this node leads no more, or too many wait, it hears nothing. */
export function onReadIndex(node: RaftNode, from: NodeId, readId: RequestId): void {
  const { leading } = node;
  if (leading === null || leading.reads.length >= OPEN_READS_MAX) return;
  leading.reads.push({ requestId: readId, from, round: leading.round + 1, readIndex: null });
}

export function onReadIndexResult(node: RaftNode, from: NodeId, message: ReadIndexResult): void {
  const { readId: requestId, readIndex } = message;
  // Doubled, late, or from one that is not followed: the read is answered or refused already.
  if (from !== node.leader || !node.forwarded.delete(requestId)) return;
  node.outbox.emit({ kind: "read-ready", requestId, readIndex });
}

/** What was lost on the way is told to its reader after an election timeout. */
export function refuseOldForwarded(node: RaftNode): void {
  const { forwarded, nowMs, options } = node;
  for (const [requestId, askedMs] of forwarded) {
    if (nowMs - askedMs < options.electionTimeoutMs.min) return;
    forwarded.delete(requestId);
    refuse(node, requestId, "not-leader");
  }
}

/** Another leader, or none: whom they were forwarded to cannot answer them any more. */
export function refuseForwarded(node: RaftNode): void {
  for (const requestId of node.forwarded.keys()) refuse(node, requestId, "not-leader");
  node.forwarded.clear();
}

/** Run at the end of each of a leader's steps. */
export function advanceReads(node: RaftNode): void {
  const { leading } = node;
  if (leading === null || leading.reads.length === 0) return;
  if (node.commitIndex < leading.termStartIndex) return;
  // Only the last ones can be without: each step costs what is new, not all that waits.
  for (let place = leading.reads.length - 1; place >= 0; place -= 1) {
    const read = leading.reads[place];
    if (read === undefined || read.readIndex !== null) break;
    read.readIndex = node.commitIndex;
  }
  const newest = leading.reads.at(-1)?.round ?? 0;
  // A round that gets lost is followed by the next heartbeats, which are a round as well.
  if (newest > leading.round && confirmedRound(node, leading) === leading.round) {
    sendHeartbeats(node);
  }
  const confirmed = confirmedRound(node, leading);
  // Their rounds never fall along the list.
  let readyCount = 0;
  for (const read of leading.reads) {
    if (read.readIndex === null || read.round > confirmed) break;
    answer(node, read, read.readIndex);
    readyCount += 1;
  }
  if (readyCount > 0) leading.reads.splice(0, readyCount);
}

function answer(node: RaftNode, { requestId, from }: OpenRead, readIndex: number): void {
  if (from === null) node.outbox.emit({ kind: "read-ready", requestId, readIndex });
  else {
    const term = node.currentTerm;
    node.outbox.send(from, { kind: "read-index-result", term, readId: requestId, readIndex }, 0);
  }
}

function confirmedRound(node: RaftNode, leading: LeaderState): number {
  return reachedByMajority(node.configuration, (voter) =>
    voter === node.id ? leading.round : (leading.peers.get(voter)?.round ?? 0),
  );
}

/** A deposed leader can no longer confirm anything. */
export function refuseReads(node: RaftNode, leading: LeaderState): void {
  for (const { requestId, from } of leading.reads) {
    if (from === null) refuse(node, requestId, "not-leader");
  }
  leading.reads = [];
}
