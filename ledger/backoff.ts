// How long a job waits before its next attempt.
//
// Guarantees: whole milliseconds in [ceil(delay * (1 - jitter)), delay], delay = min(max, initial *
// multiplier^(n-1)); the draw comes from the command and the job, so replicas agree and jobs that
// fail in one command do not come back in one herd.

import type { Backoff } from "./job.ts";
import { wholeMs } from "./milliseconds.ts";

/** Half of a delay is drawn unless it was said otherwise. */
export const JITTER_DEFAULT = 0.5;

/** Makes what was given usable: a multiplier below 1, or none, is 1. */
export function normalBackoff({ initialMs, multiplier, maxMs, jitter }: Backoff): Backoff {
  return {
    initialMs: wholeMs(initialMs),
    multiplier: Number.isFinite(multiplier) && multiplier > 1 ? multiplier : 1,
    maxMs: wholeMs(maxMs),
    jitter: jitter >= 0 && jitter <= 1 ? jitter : JITTER_DEFAULT,
  };
}

/** After `attemptsUsed` attempts, from 1. `draw` is uniform in [0, 2^32). */
export function backoffMs(backoff: Backoff, attemptsUsed: number, draw: number): number {
  const { initialMs, multiplier, maxMs, jitter } = backoff;
  // 0 * Infinity is no delay either.
  if (initialMs === 0) return 0;
  const delayMs = Math.floor(Math.min(maxMs, initialMs * multiplier ** (attemptsUsed - 1)));
  const leastMs = Math.ceil(delayMs * (1 - jitter));
  return leastMs + Math.floor((draw / 2 ** 32) * (delayMs - leastMs + 1));
}

/** One draw a job out of the command's: murmur3's finalizer, which mixes every bit into all. */
export function drawFor(random: number, jobNumber: number): number {
  let bits = (random ^ Math.imul(jobNumber + 1, 0x9e3779b1)) >>> 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
