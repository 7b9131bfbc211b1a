// Idempotency keys: one submission a key.
//
// Guarantees: the same key with the same job gives the first job; with another job, nothing. Two
// submissions are the same if what was asked for is equal byte by byte; the trace is not part of
// it, since a retry has its own. Children are compared one by one (submit-family.ts). Of a family
// that was forgotten, fingerprints are compared (fingerprint.ts).

import type { JobSpec } from "./command.ts";
import type { JobRecord } from "./record.ts";
import { isSameValue } from "./same-value.ts";

/** `queue` is what spec.queue stands for now: an empty one may have stood for another before. */
export function isSameJob(owner: JobRecord, spec: JobSpec, queue: string): boolean {
  const first = owner.submitted;
  const isSameQueue = first.queue === spec.queue || owner.queue === queue;
  const { idempotencyKey, traceparent, parent } = first;
  const again = { ...spec, queue: first.queue, idempotencyKey, traceparent, parent };
  return isSameQueue && isSameValue(first, again);
}
