// Idempotency keys: one submission a key.
//
// Guarantees: the same key with the same job gives the first job; with another job, nothing. Two
// submissions are the same if what was asked for is equal byte by byte; the trace is not part of
// it, since a retry has its own. Keys are kept as long as their jobs.

import type { JobSpec } from "./command.ts";
import type { Backoff } from "./job.ts";
import type { JobRecord } from "./record.ts";

/** `queue` is what spec.queue stands for now: an empty one may have stood for another before. */
export function isSameJob(owner: JobRecord, spec: JobSpec, queue: string): boolean {
  const first = owner.submitted;
  return (
    first.kind === spec.kind &&
    (first.queue === spec.queue || owner.queue === queue) &&
    Object.is(first.priority, spec.priority) &&
    Object.is(first.runAtMs, spec.runAtMs) &&
    Object.is(first.maxAttempts, spec.maxAttempts) &&
    Object.is(first.attemptTimeoutMs, spec.attemptTimeoutMs) &&
    isSameBackoff(first.backoff, spec.backoff) &&
    isSameList(first.lockKeys, spec.lockKeys) &&
    isSameList(first.payload, spec.payload)
  );
}

function isSameBackoff(one: Backoff | null, other: Backoff | null): boolean {
  if (one === null || other === null) return one === other;
  return (
    Object.is(one.initialMs, other.initialMs) &&
    Object.is(one.multiplier, other.multiplier) &&
    Object.is(one.maxMs, other.maxMs)
  );
}

function isSameList<T>(one: ArrayLike<T>, other: ArrayLike<T>): boolean {
  if (one.length !== other.length) return false;
  for (let i = 0; i < one.length; i++) if (one[i] !== other[i]) return false;
  return true;
}
