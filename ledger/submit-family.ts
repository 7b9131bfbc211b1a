// Which of a command's jobs are parents and children of each other, and whether a family that is
// submitted again is the same one.
//
// Guarantees: a child's parent stands before it among the jobs, so nothing is its own ancestor; a
// place that is anything else is none. A command without families costs one look a job.
// Does not own: how deep and wide families may be (whoever proposes).

import type { JobSpec } from "./command.ts";
import { isSameJob } from "./dedup.ts";
import { type JobFamily, NO_FAMILY } from "./job-past.ts";
import type { JobRecord } from "./record.ts";
import { resolveKind } from "./registry.ts";
import type { Ledger } from "./state.ts";

/** Jobs by their place in their command, from 0. */
export interface Families {
  readonly specs: readonly JobSpec[];
  /** Children to parents. */
  readonly parents: ReadonlyMap<number, number>;
  /** Parents to children, in their order. */
  readonly children: ReadonlyMap<number, readonly number[]>;
}

const NONE: readonly number[] = [];

export function familiesOf(specs: readonly JobSpec[]): Families {
  const parents = new Map<number, number>();
  const children = new Map<number, number[]>();
  for (let at = 1; at < specs.length; at++) {
    const parent = (specs[at]?.parent ?? 0) - 1;
    if (!Number.isInteger(parent) || parent < 0 || parent >= at) continue;
    parents.set(at, parent);
    const siblings = children.get(parent);
    if (siblings === undefined) children.set(parent, [at]);
    else siblings.push(at);
  }
  return { specs, parents, children };
}

/** Of the job at this place in its command, from 0; a job's position in its entry is from 1. */
export function familyAt({ parents, children }: Families, at: number): JobFamily {
  const parentAt = parents.get(at);
  const childrenAt = children.get(at);
  if (parentAt === undefined && childrenAt === undefined) return NO_FAMILY;
  return {
    parentPosition: parentAt === undefined ? 0 : parentAt + 1,
    childPositions: (childrenAt ?? NONE).map((childAt) => childAt + 1),
  };
}

/**
 * The ids of the jobs that this family was before, by place: the topmost one at `topAt` is known
 * to be `owner`. null: below it something was asked for that was not asked for then.
 */
export function repeatedIds(
  ledger: Ledger,
  { specs, children }: Families,
  topAt: number,
  owner: JobRecord,
): ReadonlyMap<number, string> | null {
  const ids = new Map([[topAt, owner.id]]);
  // null: forgotten meanwhile, so that it can no longer be told from another.
  const family = new Map<number, JobRecord | null>([[topAt, owner]]);
  // Grows while it is walked: parents come before their children.
  for (const [at, job] of family) {
    const childrenAt = children.get(at) ?? NONE;
    if (job !== null && childrenAt.length !== job.childJobIds.length) return null;
    for (const [place, childAt] of childrenAt.entries()) {
      const id = job?.childJobIds[place] ?? "";
      const child = ledger.jobs.get(id) ?? null;
      if (child !== null && !isSame(ledger, child, specs[childAt])) return null;
      ids.set(childAt, id);
      family.set(childAt, child);
    }
  }
  return ids;
}

function isSame(ledger: Ledger, owner: JobRecord, spec: JobSpec | undefined): boolean {
  if (spec === undefined) return false;
  const resolved = resolveKind(ledger, spec.kind, spec.queue);
  return resolved.kind === "resolved" && isSameJob(owner, spec, resolved.queue);
}
