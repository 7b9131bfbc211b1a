// All that a ledger holds, as plain values that can be compared and that do not change with it.
//
// Guarantees: a field that is added to Ledger and is of no known sort fails here, so that no
// snapshot is taken for complete without it. Where a map's order means nothing, it is sorted.

import { JobIndex } from "../../../ledger/job-index.ts";
import { JobTable } from "../../../ledger/job-table.ts";
import { KeyBook } from "../../../ledger/key-book.ts";
import { type Ledger, nextDueMs } from "../../../ledger/ledger.ts";
import { OrderedIndex } from "../../../ledger/ordered-index.ts";
import type { QueueRecord } from "../../../ledger/queue.ts";
import { TermsPool } from "../../../ledger/terms.ts";

export function imageOf(ledger: Ledger): Record<string, unknown> {
  const fields = Object.entries(ledger).map(([name, value]) => [name, plain(value)]);
  // The index tells its first only; that it tells the rest shows when time has passed.
  const jobs = structuredClone([...ledger.jobs]);
  const locks = structuredClone([...ledger.locks.values()].sort((a, b) => a.number - b.number));
  const keys = [...ledger.keys.forgotten()];
  const schedules = structuredClone([...ledger.schedules.values()]);
  return { ...Object.fromEntries(fields), jobs, locks, keys, schedules, due: dueOf(ledger) };
}

function dueOf({ due, locksDue, ...ledger }: Ledger): unknown {
  const firsts = [due, locksDue].map((index) => [index.size, index.first()?.item.id]);
  return [...firsts, nextDueMs({ due, locksDue, ...ledger })];
}

function plain(value: unknown): unknown {
  if (["number", "string", "boolean"].includes(typeof value) || value === null) return value;
  // What jobs share is part of each; that they share it is no state.
  if (value instanceof JobTable || value instanceof TermsPool) return null;
  // Compared with the jobs by invariants.ts.
  if (value instanceof KeyBook || value instanceof JobIndex) return null;
  if (value instanceof OrderedIndex) return [value.size, value.first()?.item.id];
  if (value instanceof Set) {
    const items = [...value].map((item) => (isQueue(item) ? item.name : plain(item)));
    // Sets of names, and of what has one, are asked for by it only.
    return items.every((item) => typeof item === "string") && !hasJobs(value)
      ? items.sort()
      : items;
  }
  if (value instanceof Map) {
    return [...value]
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([k, v]) => [k, plain(v)]);
  }
  if (typeof value !== "object" || value === null) throw new Error(`no image of ${typeof value}`);
  if (Array.isArray(value)) return value.map(plain);
  if ("id" in value) return value.id;
  // A registered kind's queues are asked for by name only.
  if ("queues" in value && value.queues instanceof Set) {
    return structuredClone({ ...value, queues: [...value.queues].sort() });
  }
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner)]));
}

function isQueue(value: unknown): value is QueueRecord {
  return typeof value === "object" && value !== null && "recentStarts" in value;
}

/** Their order is state. */
function hasJobs(set: ReadonlySet<unknown>): boolean {
  return [...set].some((item) => typeof item === "object" && !isQueue(item));
}
