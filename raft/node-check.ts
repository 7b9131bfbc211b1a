// What must hold of one node after every step, asserted at its end.
//
// Guarantees: costs a few comparisons a step and a peer, so it is always on.
// Does not own: the invariants' numbers and words (invariant.ts).

import { Role } from "./effect.ts";
import { assert } from "./invariant.ts";
import type { RaftNode } from "./node.ts";

/** What a step must not take back. */
export interface Footing {
  readonly currentTerm: number;
  readonly votedFor: string | null;
  readonly commitIndex: number;
}

export function footing(node: RaftNode): Footing {
  const { currentTerm, votedFor, commitIndex } = node;
  return { currentTerm, votedFor, commitIndex };
}

/** Checked at the end of every step; its cost grows with the number of peers only. */
export function checkNode(node: RaftNode, before: Footing): void {
  const { log, currentTerm, votedFor, commitIndex, handedIndex, lastApplied } = node;
  assert(currentTerm >= before.currentTerm, "I8", "term", before.currentTerm, currentTerm);
  assert(commitIndex >= before.commitIndex, "I8", "commit", before.commitIndex, commitIndex);
  const mayVote = currentTerm > before.currentTerm || before.votedFor === null;
  assert(mayVote || votedFor === before.votedFor, "I8", "vote", before.votedFor, votedFor);
  assert(lastApplied <= handedIndex, "I10", "applied, handed over", lastApplied, handedIndex);
  assert(handedIndex <= commitIndex, "I10", "handed over, commit", handedIndex, commitIndex);
  assert(commitIndex <= log.lastIndex, "I10", "commit, last", commitIndex, log.lastIndex);
  const snapshotIndex = node.snapshot?.index ?? 0;
  assert(log.offset.index <= snapshotIndex, "I10", "compacted, snapshot", log.offset.index);
  assert(snapshotIndex <= lastApplied, "I10", "snapshot, applied", snapshotIndex, lastApplied);
  assert(log.lastTerm <= currentTerm, "I3", "an entry of a later term", log.lastTerm, currentTerm);
  assert((node.leading !== null) === (node.role === Role.Leader), "I1", "leader state", node.role);
  const durable = node.outbox.durableIndex;
  assert(durable <= log.lastIndex, "I15", "durable, last", durable, log.lastIndex);
  if (node.leading === null) return;
  // Before that it does not know how much of its log is committed: after a restart maybe all of it.
  if (commitIndex >= node.leading.termStartIndex) {
    const open = node.membership.uncommittedCount(commitIndex);
    assert(open <= 1, "I11", "configurations not committed", open);
  }
  const isOwn = commitIndex === before.commitIndex || log.termAt(commitIndex) === currentTerm;
  assert(isOwn, "I7", "commit", commitIndex, log.termAt(commitIndex));
  assert(votedFor === node.id, "I1", "a leader voted for itself", votedFor);
  for (const [peer, { matchIndex, nextIndex, inflight }] of node.leading.peers) {
    assert(matchIndex < nextIndex, "I10", "match, next", peer, matchIndex, nextIndex);
    assert(nextIndex <= log.lastIndex + 1, "I10", "next, last", peer, nextIndex, log.lastIndex);
    const { inflightMax } = node.options.limits;
    assert(inflight.length <= inflightMax, "I20", "inflight", peer, inflight.length);
  }
}
