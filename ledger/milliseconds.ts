// Total arithmetic on milliseconds.
//
// Guarantees: whatever a command holds, what comes out is a whole number in [0, 2^53): times never
// become NaN, infinite or imprecise, so every replica compares them alike.

/** What is not a finite positive number counts as 0, "not given". */
export function wholeMs(ms: number): number {
  if (!Number.isFinite(ms) || ms <= 0) return 0;
  return Math.min(Math.floor(ms), Number.MAX_SAFE_INTEGER);
}

/** Both whole; the sum ends at the largest safe integer. */
export function plusMs(ms: number, moreMs: number): number {
  return Math.min(ms + moreMs, Number.MAX_SAFE_INTEGER);
}
