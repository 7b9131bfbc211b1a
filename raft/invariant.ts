// What must hold after every step, numbered; the numbers are those of raft/README.md and the tests.
//
// Guarantees: assertions are always on. A violation is our bug and never an expected outcome: it
// must end the process, since a node that has lost its footing may not vote or acknowledge.
// Does not own: what only an observer of several nodes can see (test/support/raft-checker.ts).

import { Role } from "./effect.ts";
import type { RaftNode } from "./node.ts";

export const INVARIANTS = {
  I1: "at most one leader a term (§5.2)",
  I2: "a leader never changes or removes its own entries (§5.3)",
  I3: "the log is contiguous and its terms never fall (§5.3)",
  I7: "a leader commits only up to an entry of its own term (§5.4.2)",
  I8: "term and commit index never fall; a vote is kept for its term (§5.1)",
  I10: "applied <= handed over <= commit <= last; match < next (§5.3)",
  I12: "a peer's answer is about something that was sent to it",
  I13: "nothing at or below the commit index is ever cut off (§5.4)",
  I15: "writes become durable in the order in which they were asked",
  I20: "what waits is bounded by its limit",
  I24: "a node is created from sound options and a sound disk",
} as const;
export type InvariantId = keyof typeof INVARIANTS;

export class InvariantViolation extends Error {
  readonly invariant: InvariantId;

  constructor(invariant: InvariantId, message: string) {
    super(message);
    this.name = "InvariantViolation";
    this.invariant = invariant;
  }
}

/** The values are only put into words when the assertion fails, so that a check costs nothing. */
export function assert(
  condition: boolean,
  invariant: InvariantId,
  detail: string,
  ...values: readonly (string | number | null)[]
): asserts condition {
  if (condition) return;
  const text = `${invariant}. ${INVARIANTS[invariant]}: ${detail} (${values.join(", ")})`;
  throw new InvariantViolation(invariant, text);
}

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
  assert(log.lastTerm <= currentTerm, "I3", "an entry of a later term", log.lastTerm, currentTerm);
  assert((node.leading !== null) === (node.role === Role.Leader), "I1", "leader state", node.role);
  const durable = node.outbox.durableIndex;
  assert(durable <= log.lastIndex, "I15", "durable, last", durable, log.lastIndex);
  if (node.leading === null) return;
  const isOwn = commitIndex === before.commitIndex || log.termAt(commitIndex) === currentTerm;
  assert(isOwn, "I7", "commit", commitIndex, log.termAt(commitIndex));
  assert(votedFor === node.id, "I1", "a leader voted for itself", votedFor);
  for (const [peer, { matchIndex, nextIndex, inflight }] of node.leading.peers) {
    assert(matchIndex < nextIndex, "I10", "match, next", peer, matchIndex, nextIndex);
    assert(nextIndex <= log.lastIndex + 1, "I10", "next, last", peer, nextIndex, log.lastIndex);
    const inflightMax = node.options.limits.inflightMax;
    assert(inflight.length <= inflightMax, "I20", "inflight", peer, inflight.length);
  }
}
