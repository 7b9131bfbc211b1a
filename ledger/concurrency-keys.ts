// A job's concurrency keys: those it names, or what its kind's templates give for its payload.
//
// Guarantees: keys are distinct (the first of two counts) and none is empty; a limit is at least 1,
// so that no job waits for ever. What cannot be filled is told, as for locks (lock-template.ts).

import type { JobSpec } from "./command.ts";
import type { ConcurrencyKey } from "./job.ts";
import { fieldsOf, fill } from "./lock-template.ts";
import { wholeMs } from "./milliseconds.ts";
import { type JobConcurrency, NO_CONCURRENCY } from "./record.ts";

export function normalKey({ key, limit }: ConcurrencyKey): ConcurrencyKey {
  return { key, limit: Math.max(1, wholeMs(limit)) };
}

export function concurrencyOf(
  spec: JobSpec,
  templates: readonly ConcurrencyKey[],
): JobConcurrency | { readonly unfilled: string } {
  const asked = spec.concurrencyKeys;
  if (asked.length === 0 && templates.length === 0) return NO_CONCURRENCY;
  if (asked.length > 0) {
    if (asked.some(({ key }) => key === "")) return { unfilled: "" };
    return { keys: distinct(asked), asked };
  }
  const fields = fieldsOf(spec.payload);
  const filled: ConcurrencyKey[] = [];
  for (const { key: template, limit } of templates) {
    const key = fill(template, fields);
    if (key === "") return { unfilled: template };
    filled.push({ key, limit });
  }
  return { keys: distinct(filled), asked };
}

function distinct(keys: readonly ConcurrencyKey[]): readonly ConcurrencyKey[] {
  const seen = new Set<string>();
  return keys.map(normalKey).filter(({ key }) => !seen.has(key) && seen.add(key));
}
