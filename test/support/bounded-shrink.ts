// fast-check's assert, for properties whose runs are long.
//
// Guarantees: so many runs, on any machine, however slow: what a test has reached at its end does
// not depend on the time. When one fails, the search for a smaller case ends after so many tries.

import fc from "fast-check";

/** Work of a hundred steps is mostly cut down by then. */
const SHRINKS_MAX = 300;

export function assertRuns<Ts>(property: fc.IProperty<Ts>, { numRuns }: { numRuns: number }): void {
  const shrink = property.shrink.bind(property);
  let tries = 0;
  property.shrink = (value) => {
    return shrink(value).takeWhile(() => {
      tries += 1;
      return tries <= SHRINKS_MAX;
    });
  };
  fc.assert(property, { numRuns });
}
