// A set of items ordered by a rank, with the lowest first: a binary heap that knows where each is.
//
// Guarantees: the order is that of (rank, number), whatever order they came in; set and remove take
// O(log n), first O(1), upTo what it gives. Reading changes nothing.
// Owns no meaning: due.ts ranks by time, line.ts by place in the line.

import { assert } from "./assert.ts";

/** Its own number decides between equal ranks. */
interface Numbered {
  readonly number: number;
}

interface Entry<T> {
  readonly item: T;
  rank: number;
  place: number;
}

export class OrderedIndex<T extends Numbered> {
  readonly #heap: Entry<T>[] = [];
  readonly #entries = new Map<T, Entry<T>>();

  get size(): number {
    return this.#heap.length;
  }

  first(): { readonly item: T; readonly rank: number } | null {
    return this.#heap[0] ?? null;
  }

  /** Those of this rank and lower, at most so many of them; in no order. */
  upTo(rank: number, most: number): T[] {
    const found: T[] = [];
    const places = [0];
    for (let place = places.pop(); place !== undefined; place = places.pop()) {
      const entry = this.#heap[place];
      if (entry === undefined || entry.rank > rank) continue;
      if (found.length >= most) break;
      found.push(entry.item);
      places.push(2 * place + 2, 2 * place + 1);
    }
    return found;
  }

  set(item: T, rank: number): void {
    const known = this.#entries.get(item);
    if (known === undefined) {
      const entry = { item, rank, place: this.#heap.length };
      this.#heap.push(entry);
      this.#entries.set(item, entry);
      this.#rise(entry);
    } else if (known.rank !== rank) {
      known.rank = rank;
      this.#rise(known);
      this.#sink(known);
    }
  }

  remove(item: T): void {
    const entry = this.#entries.get(item);
    if (entry === undefined) return;
    this.#entries.delete(item);
    const last = this.#heap.pop();
    if (last === undefined || last === entry) return;
    this.#put(entry.place, last);
    this.#rise(last);
    this.#sink(last);
  }

  #rise(entry: Entry<T>): void {
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

  #sink(entry: Entry<T>): void {
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

  #put(place: number, entry: Entry<T>): void {
    this.#heap[place] = entry;
    entry.place = place;
  }

  #at(place: number): Entry<T> {
    const entry = this.#heap[place];
    assert(entry !== undefined, "an index has no gaps");
    return entry;
  }
}

function isBefore(one: Entry<Numbered>, other: Entry<Numbered>): boolean {
  return one.rank < other.rank || (one.rank === other.rank && one.item.number < other.item.number);
}
