// Items of which only the least is asked for and taken away: a binary heap and nothing beside it.
//
// Guarantees: adding and taking cost O(log n), asking O(1); an item takes one place in a list. Of
// two that come in another order the same one is least, as long as `isBefore` tells all apart.
// Does not own: what is least. What has to be found or removed elsewhere is ordered-index.ts's.

export class LeastFirst<T> {
  readonly #heap: T[] = [];
  readonly #isBefore: (one: T, other: T) => boolean;

  constructor(isBefore: (one: T, other: T) => boolean) {
    this.#isBefore = isBefore;
  }

  least(): T | undefined {
    return this.#heap[0];
  }

  add(item: T): void {
    const heap = this.#heap;
    let place = heap.length;
    heap.push(item);
    while (place > 0) {
      const above = (place - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || !this.#isBefore(item, parent)) break;
      heap[place] = parent;
      place = above;
    }
    heap[place] = item;
  }

  /** The least is gone. */
  take(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let place = 0;
    for (;;) {
      const below = this.#lesserBelow(place);
      const child = heap[below];
      if (child === undefined || !this.#isBefore(child, last)) break;
      heap[place] = child;
      place = below;
    }
    heap[place] = last;
  }

  #lesserBelow(place: number): number {
    const left = 2 * place + 1;
    const [one, other] = [this.#heap[left], this.#heap[left + 1]];
    const isRight = one !== undefined && other !== undefined && this.#isBefore(other, one);
    return isRight ? left + 1 : left;
  }
}
