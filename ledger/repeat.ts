// Whether a submission is the repeat of an earlier one, by its idempotency key.
//
// Guarantees: a key names one submission: of a job, or of a job with its family; also when these
// are forgotten, for as long as the key is not. A repeat is answered with the first one's ids.
// Does not own: when two jobs are the same (dedup.ts), what comes of a new one (submit.ts).

import { isSameJob } from "./dedup.ts";
import { type AskedMember, fingerprintOf } from "./fingerprint.ts";
import { type JobPlace, jobIdOf } from "./job-id.ts";
import type { ForgottenKey } from "./key-book.ts";
import type { JobRecord } from "./record.ts";
import type { Ledger } from "./state.ts";
import { type Families, repeatedIds } from "./submit-family.ts";

/** What is answered of the first submission: a job, or what is left of one. */
export type First = JobPlace & Pick<JobRecord, "traceparent">;

export interface Repeat {
  readonly kind: "repeat";
  readonly first: First;
  /** Of the family that it heads, by place in the command. */
  readonly ids: ReadonlyMap<number, string>;
}

export interface Reused {
  readonly kind: "reused";
  /** "": of this very command. */
  readonly jobId: string;
}

export interface Submission {
  readonly families: Families;
  /** The job's place in the command. */
  readonly at: number;
  /** What its queue stands for now. */
  readonly queue: string;
  readonly key: string;
}

const NO_IDS: ReadonlyMap<number, string> = new Map();

/** `inBatch` has the key within the same command. null: the key is new. */
export function repeatOf(
  ledger: Ledger,
  submission: Submission,
  inBatch: JobRecord | undefined,
): Repeat | Reused | null {
  const owner = ledger.keys.ownerOf(submission.key);
  if (owner !== null && "forgotten" in owner) {
    const first = owner.forgotten;
    const ids = idsOfForgotten(first, submission);
    return ids === null
      ? { kind: "reused", jobId: jobIdOf(first) }
      : { kind: "repeat", first, ids };
  }
  const first = owner?.job ?? inBatch;
  if (first === undefined) return null;
  const ids = idsOfJobs(ledger, first, submission);
  if (ids !== null) return { kind: "repeat", first, ids };
  // An owner within this command will not come to be: there is no id to give.
  return { kind: "reused", jobId: owner === null ? "" : first.id };
}

/** null: it is another job, or another family. */
function idsOfJobs(
  ledger: Ledger,
  first: JobRecord,
  { families, at, queue }: Submission,
): ReadonlyMap<number, string> | null {
  const spec = families.specs[at];
  if (spec === undefined || !isSameJob(first, spec, queue)) return null;
  if (first.childPositions.length === 0 && !families.children.has(at)) return NO_IDS;
  // A family's key comes once in a command: its children are not there to be compared with.
  return ledger.jobs.has(first.id) ? repeatedIds(ledger, families, at, first) : null;
}

function idsOfForgotten(
  first: ForgottenKey,
  { families, at, queue }: Submission,
): ReadonlyMap<number, string> | null {
  if (first.askedQueue !== families.specs[at]?.queue && first.queue !== queue) return null;
  const places = placesBelow(families, at);
  if (fingerprintOf(askedMembers(families, places)) !== first.fingerprint) return null;
  const { logIndex, members } = first;
  const ids = new Map<number, string>();
  for (const [order, place] of places.slice(1).entries()) {
    ids.set(place, jobIdOf({ logIndex, position: members[order] ?? 0 }));
  }
  return ids;
}

/** Itself, then its children, then theirs. */
function placesBelow({ children }: Families, at: number): number[] {
  const places = [at];
  // Grows while it is walked.
  for (const place of places) places.push(...(children.get(place) ?? []));
  return places;
}

function* askedMembers(
  { specs, children }: Families,
  places: readonly number[],
): Generator<AskedMember, void, undefined> {
  for (const place of places) {
    const spec = specs[place];
    if (spec !== undefined) yield { spec, childCount: children.get(place)?.length ?? 0 };
  }
}
