// A set of jobs ordered by a rank, with the lowest first: a binary heap that knows where each is.
//
// Guarantees: the order is that of (rank, job number), whatever order they came in; set and remove
// take O(log n), first O(1). Reading changes nothing.
// Owns no meaning: due.ts ranks by time, park.ts by place in the line.

import { assert } from "./assert.ts";
import type { JobRecord } from "./record.ts";

interface Entry {
  readonly job: JobRecord;
  rank: number;
  place: number;
}

export class OrderedIndex {
  readonly #heap: Entry[] = [];
  readonly #entries = new Map<JobRecord, Entry>();

  get size(): number {
    return this.#heap.length;
  }

  first(): { readonly job: JobRecord; readonly rank: number } | null {
    return this.#heap[0] ?? null;
  }

  set(job: JobRecord, rank: number): void {
    const known = this.#entries.get(job);
    if (known === undefined) {
      const entry = { job, rank, place: this.#heap.length };
      this.#heap.push(entry);
      this.#entries.set(job, entry);
      this.#rise(entry);
    } else if (known.rank !== rank) {
      known.rank = rank;
      this.#rise(known);
      this.#sink(known);
    }
  }

  remove(job: JobRecord): void {
    const entry = this.#entries.get(job);
    if (entry === undefined) return;
    this.#entries.delete(job);
    const last = this.#heap.pop();
    if (last === undefined || last === entry) return;
    this.#put(entry.place, last);
    this.#rise(last);
    this.#sink(last);
  }

  #rise(entry: Entry): void {
    let place = entry.place;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const parent = this.#at(above);
      if (!isBefore(entry, parent)) break;
      this.#put(place, parent);
      place = above;
    }
    this.#put(place, entry);
  }

  #sink(entry: Entry): void {
    let place = entry.place;
    for (;;) {
      const left = 2 * place + 1;
      if (left >= this.#heap.length) break;
      const right = left + 1;
      const isRightFirst = right < this.#heap.length && isBefore(this.#at(right), this.#at(left));
      const below = isRightFirst ? right : left;
      const child = this.#at(below);
      if (!isBefore(child, entry)) break;
      this.#put(place, child);
      place = below;
    }
    this.#put(place, entry);
  }

  #put(place: number, entry: Entry): void {
    this.#heap[place] = entry;
    entry.place = place;
  }

  #at(place: number): Entry {
    const entry = this.#heap[place];
    assert(entry !== undefined, "an index has no gaps");
    return entry;
  }
}

function isBefore(one: Entry, other: Entry): boolean {
  return one.rank < other.rank || (one.rank === other.rank && one.job.number < other.job.number);
}
