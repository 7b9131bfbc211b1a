// Times, durations and backoffs as the API's messages have them.
//
// Guarantees: whole milliseconds survive the way there and back; 0, which is the ledger's "none",
// is an absent time.

import type { Backoff } from "../ledger/job.ts";
import type { Duration } from "../protos/gen/google/protobuf/duration.ts";
import type { Backoff as WireBackoff } from "../protos/gen/quorumq/v1/job.ts";
import { TIME_MS_MAX } from "./limit.ts";

/** Whole milliseconds as seconds and nanoseconds. */
export function durationOf(ms: number): Duration {
  const seconds = Math.trunc(ms / 1_000);
  return { seconds, nanos: (ms - seconds * 1_000) * 1_000_000 };
}

export function toWireBackoff({ initialMs, multiplier, maxMs, jitter }: Backoff): WireBackoff {
  return { initial: durationOf(initialMs), multiplier, max: durationOf(maxMs), jitter };
}

/** A Timestamp ends with the year 9999. */
export function dateOf(ms: number): Date | undefined {
  return ms === 0 ? undefined : new Date(Math.min(ms, TIME_MS_MAX));
}
