// The one way in which the simulator says that something is wrong.
//
// Guarantees: a violation names what was violated by a word that stays the same from run to run, so
// that a smaller case can be recognised as the same failure.

export class Violation extends Error {
  readonly invariant: string;

  constructor(invariant: string, detail: string) {
    super(`${invariant}: ${detail}`);
    this.name = "Violation";
    this.invariant = invariant;
  }
}

/** The detail is a function where making it would cost more than the check. */
export function demand(
  condition: boolean,
  invariant: string,
  detail: string | (() => string),
): asserts condition {
  if (condition) return;
  throw new Violation(invariant, typeof detail === "string" ? detail : detail());
}
