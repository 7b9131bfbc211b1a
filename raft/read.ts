// Linearizable reads without writing: ReadIndex (dissertation §6.4).
//
//   read ─▶ readIndex = commitIndex ─▶ a later round is echoed by a majority ─▶ ready
//
// Guarantees: no read is answered before this leader has committed an entry of its own term (it
// could miss what its predecessor committed), nor by echoes of a round older than the read. Rounds
// rise within a term, and a term has one leader, so a late echo is never taken for a newer one
// (etcd #20418). Reads that come while a round is out share the next one.
// Does not own: the state machine, which must first apply up to readIndex.

import { Role } from "./effect.ts";
import type { RequestId } from "./input.ts";
import type { LeaderState, RaftNode } from "./node.ts";
import { reachedByMajority } from "./quorum.ts";
import { sendHeartbeats } from "./replication.ts";

/** Reads that may wait at once; more are refused. */
export const OPEN_READS_MAX = 10_000;

export function onRead(node: RaftNode, requestId: RequestId): void {
  const { leading, leader } = node;
  if (node.role !== Role.Leader || leading === null) {
    node.outbox.emit({ kind: "refused", requestId, reason: "not-leader", leader });
  } else if (leading.reads.length >= OPEN_READS_MAX) {
    node.outbox.emit({ kind: "refused", requestId, reason: "overloaded", leader });
  } else {
    leading.reads.push({ requestId, round: leading.round + 1, readIndex: null });
  }
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
  for (const { requestId, round, readIndex } of leading.reads) {
    if (readIndex === null || round > confirmed) break;
    node.outbox.emit({ kind: "read-ready", requestId, readIndex });
    readyCount += 1;
  }
  if (readyCount > 0) leading.reads.splice(0, readyCount);
}

function confirmedRound(node: RaftNode, leading: LeaderState): number {
  return reachedByMajority(node.configuration, (voter) =>
    voter === node.id ? leading.round : (leading.peers.get(voter)?.round ?? 0),
  );
}

/** A deposed leader can no longer confirm anything. */
export function refuseReads(node: RaftNode, leading: LeaderState): void {
  for (const { requestId } of leading.reads) {
    const { leader } = node;
    node.outbox.emit({ kind: "refused", requestId, reason: "not-leader", leader });
  }
  leading.reads = [];
}
