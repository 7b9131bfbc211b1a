// The statistics of the benchmark: pure, over samples in milliseconds.
//
// Guarantees: percentiles are nearest-rank (a value that was measured, never one in between), so a
// p99 of fewer than a hundred samples is the largest one; the samples are not changed.

export interface Summary {
  readonly count: number;
  readonly min: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** The smallest sample that at least this share of the samples does not exceed. */
export function percentile(sorted: Float64Array, share: number): number {
  const rank = Math.max(1, Math.ceil(sorted.length * share));
  return sorted[rank - 1] ?? Number.NaN;
}

/** All NaN, which JSON shows as null, when nothing was measured. */
export function summaryOf(samples: readonly number[]): Summary {
  const sorted = Float64Array.from(samples).sort();
  return {
    count: sorted.length,
    min: percentile(sorted, 0),
    p50: percentile(sorted, 0.5),
    p99: percentile(sorted, 0.99),
    max: percentile(sorted, 1),
  };
}
