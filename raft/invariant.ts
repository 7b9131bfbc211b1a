// What must hold, numbered; the numbers are those of raft/README.md and the tests.
//
// Guarantees: assertions are always on. A violation is our bug and never an expected outcome: it
// must end the process, since a node that has lost its footing may not vote or acknowledge.
// Does not own: when they are checked (node-check.ts, and where each could break), nor what only an
// observer of several nodes can see (test/support/raft-checker.ts).

export const INVARIANTS = {
  I1: "at most one leader a term (§5.2)",
  I2: "a leader never changes or removes its own entries (§5.3)",
  I3: "the log is contiguous and its terms never fall (§5.3)",
  I7: "a leader commits only up to an entry of its own term (§5.4.2)",
  I8: "term and commit index never fall; a vote is kept for its term (§5.1)",
  I10: "compacted <= snapshot <= applied <= handed over <= commit <= last; match < next (§5.3)",
  I11: "at most one configuration is not committed; members are told apart (§6)",
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
