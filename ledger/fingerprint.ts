// What was asked for by a submission, in 16 characters: all that is left of it when its job is
// forgotten and its idempotency key is not.
//
// Guarantees: a repeat has the fingerprint of the first submission. It is of a job and all that
// stand below it, in one order; the trace is not part of it, since a retry has its own, nor is the
// topmost job's queue, which may be left out (repeat.ts compares it).

import type { JobSpec } from "./command.ts";
import { Digest } from "./digest.ts";

/** The topmost job first, then its children, then theirs. */
export interface AskedMember {
  readonly spec: JobSpec;
  readonly childCount: number;
}

export function fingerprintOf(family: Iterable<AskedMember>): string {
  const digest = new Digest();
  let isTop = true;
  for (const { spec, childCount } of family) {
    const { queue, idempotencyKey, traceparent, parent, ...asked } = spec;
    digest.fields(asked);
    digest.number(childCount);
    if (!isTop) digest.text(queue);
    isTop = false;
  }
  return digest.hex();
}
