// The jobs of a ledger, in the order of acceptance, found by number or by id.
//
// A sorted array, cut into pieces: a job takes one slot, and nothing here ever copies more than a
// piece, however many jobs there are (a large Map stops the loop for some 100 ms when it grows).
// Guarantees: numbers rise, and so do (entry, position), which ids are made of. A search costs some
// twenty comparisons. What is removed leaves no hole.
// Does not own: which jobs there are.

import { assert } from "./assert.ts";
import { type JobPlace, placeOf } from "./job-id.ts";
import type { JobRecord } from "./record.ts";

const PIECE_LENGTH_MAX = 1_024;

export class JobTable implements Iterable<JobRecord> {
  /** None is empty. */
  readonly #pieces: JobRecord[][] = [];
  #length = 0;
  /** Where a number was found last. */
  #lastPiece: readonly JobRecord[] = [];

  get length(): number {
    return this.#length;
  }

  /** The one accepted last of those that are here. */
  get newest(): JobRecord | undefined {
    return this.#pieces.at(-1)?.at(-1);
  }

  /** Whether it may come behind all that are here. */
  isNext(job: JobRecord): boolean {
    const { newest } = this;
    return newest === undefined || (newest.number < job.number && isBefore(newest, job));
  }

  push(job: JobRecord): void {
    assert(this.isNext(job), "jobs come in the order of acceptance");
    const last = this.#pieces.at(-1);
    if (last !== undefined && last.length < PIECE_LENGTH_MAX) last.push(job);
    else this.#pieces.push([job]);
    this.#length += 1;
  }

  get(id: string): JobRecord | undefined {
    const place = placeOf(id);
    if (place === null) return undefined;
    const job = this.#first((one) => !isBefore(one, place));
    return job?.logIndex === place.logIndex && job.position === place.position ? job : undefined;
  }

  /** Of the job at this place, or of the next one that is here; Infinity if there is none. */
  numberAt(place: JobPlace): number {
    return this.#first((one) => !isBefore(one, place))?.number ?? Number.POSITIVE_INFINITY;
  }

  has(id: string): boolean {
    return this.get(id) !== undefined;
  }

  numbered(number: number): JobRecord | undefined {
    // Mostly the number before was looked for last, and its piece has no gaps.
    const near = this.#lastPiece[number - (this.#lastPiece[0]?.number ?? 0)];
    if (near?.number === number) return near;
    const [at, within] = this.#find((one) => one.number >= number);
    const piece = this.#pieces[at];
    const job = piece?.[within];
    if (piece === undefined || job?.number !== number) return undefined;
    this.#lastPiece = piece;
    return job;
  }

  remove(job: JobRecord): void {
    const [at, within] = this.#find((one) => one.number >= job.number);
    const piece = this.#pieces[at];
    assert(piece?.[within] === job, "only what is there is removed");
    piece.splice(within, 1);
    if (piece.length === 0) this.#pieces.splice(at, 1);
    this.#lastPiece = [];
    this.#length -= 1;
  }

  *[Symbol.iterator](): Generator<JobRecord, void, undefined> {
    for (const piece of this.#pieces) yield* piece;
  }

  /** Oldest first, from this number on. */
  *from(number: number): Generator<JobRecord, void, undefined> {
    let [at, within] = this.#find((job) => job.number >= number);
    for (; at < this.#pieces.length; at += 1) {
      const piece = this.#pieces[at] ?? [];
      for (; within < piece.length; within += 1) {
        const job = piece[within];
        if (job !== undefined) yield job;
      }
      within = 0;
    }
  }

  /** Newest first, those before this place, whether or not a job is there; null: all. */
  *backwards(before: JobPlace | null): Generator<JobRecord, void, undefined> {
    let [at, within] = this.#find((job) => before !== null && !isBefore(job, before));
    for (; at >= 0; at -= 1) {
      const piece = this.#pieces[at] ?? [];
      for (within = Math.min(within, piece.length) - 1; within >= 0; within -= 1) {
        const job = piece[within];
        if (job !== undefined) yield job;
      }
      within = PIECE_LENGTH_MAX;
    }
  }

  #first(isReached: (job: JobRecord) => boolean): JobRecord | undefined {
    const [at, within] = this.#find(isReached);
    return this.#pieces[at]?.[within];
  }

  /** Where the first one stands of which this holds; it must hold of all that follow. */
  #find(isReached: (job: JobRecord) => boolean): [piece: number, within: number] {
    const at = firstIndex(this.#pieces, (piece) => {
      const last = piece.at(-1);
      return last !== undefined && isReached(last);
    });
    return [at, firstIndex(this.#pieces[at] ?? [], isReached)];
  }
}

function isBefore(one: JobPlace, other: JobPlace): boolean {
  return (
    one.logIndex < other.logIndex ||
    (one.logIndex === other.logIndex && one.position < other.position)
  );
}

/** Of the first element of which this holds; the length if there is none. */
function firstIndex<T>(items: readonly T[], isReached: (item: T) => boolean): number {
  let [from, to] = [0, items.length];
  while (from < to) {
    const middle = (from + to) >>> 1;
    const item = items[middle];
    if (item === undefined || isReached(item)) to = middle;
    else from = middle + 1;
  }
  return from;
}
