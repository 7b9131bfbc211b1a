// How often jobs of a queue may start: a window that slides with the ledger's time.
//
// Guarantees: when every start is asked for here and noted, no stretch of time as long as the
// period has more than `rateCount` starts in it, wherever it begins. What is kept is bounded by
// the count. Limits that change count the starts from then on, and those still remembered.
// Does not own: who starts next (admission.ts).

import { plusMs } from "./milliseconds.ts";
import type { QueueRecord } from "./queue.ts";

/** Starts of the period that ends now. */
export function startsWithin({ limits, recentStarts }: QueueRecord, clockMs: number): number {
  return recentStarts.length - firstWithin(recentStarts, clockMs - limits.ratePeriodMs);
}

/** When one start less will be within the period; null: none is now. */
export function nextRoomMs({ limits, recentStarts }: QueueRecord, clockMs: number): number | null {
  const oldestMs = recentStarts[firstWithin(recentStarts, clockMs - limits.ratePeriodMs)];
  return oldestMs === undefined ? null : plusMs(oldestMs, limits.ratePeriodMs);
}

export function noteStart({ limits, recentStarts }: QueueRecord, clockMs: number): void {
  if (limits.rateCount === 0) return;
  recentStarts.push(clockMs);
  if (recentStarts.length > limits.rateCount) recentStarts.shift();
}

/** Position of the first that is later than this: times never fall. */
function firstWithin(times: readonly number[], afterMs: number): number {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((times[middle] ?? 0) > afterMs) high = middle;
    else low = middle + 1;
  }
  return low;
}
