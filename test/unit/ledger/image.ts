// All that a ledger holds, as plain values that can be compared and that do not change with it.
//
// Guarantees: a field that is added to Ledger and is of no known sort fails here, so that no
// snapshot is taken for complete without it. Where a map's order means nothing, it is sorted.

import { type Ledger, nextDueMs } from "../../../ledger/ledger.ts";
import { OrderedIndex } from "../../../ledger/ordered-index.ts";

export function imageOf(ledger: Ledger): Record<string, unknown> {
  const fields = Object.entries(ledger).map(([name, value]) => [name, plain(value)]);
  // The index tells its first only; that it tells the rest shows when time has passed.
  return { ...Object.fromEntries(fields), jobs: structuredClone(ledger.jobs), due: dueOf(ledger) };
}

function dueOf(ledger: Ledger): unknown {
  return [ledger.due.size, nextDueMs(ledger), ledger.due.first()?.job.id];
}

function plain(value: unknown): unknown {
  if (typeof value === "number" || typeof value === "string") return value;
  if (value instanceof OrderedIndex) return [value.size, value.first()?.job.id];
  if (value instanceof Set) return [...value].map(plain);
  if (value instanceof Map) {
    return [...value]
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([k, v]) => [k, plain(v)]);
  }
  if (typeof value !== "object" || value === null) throw new Error(`no image of ${typeof value}`);
  if ("id" in value) return value.id;
  // A registered kind's queues are asked for by name only.
  if ("queues" in value && value.queues instanceof Set) {
    return structuredClone({ ...value, queues: [...value.queues].sort() });
  }
  return structuredClone(value);
}
