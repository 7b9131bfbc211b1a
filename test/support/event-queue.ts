// Virtual time: a binary heap of things to do, by time and then by the order in which they came.
//
// Guarantees: the same pushes give the same order of pops. Does not own: what an event means.

interface Scheduled<T> {
  readonly atMs: number;
  readonly sequence: number;
  readonly event: T;
}

function isBefore<T>(left: Scheduled<T>, right: Scheduled<T>): boolean {
  return left.atMs === right.atMs ? left.sequence < right.sequence : left.atMs < right.atMs;
}

export class EventQueue<T> {
  readonly #heap: Scheduled<T>[] = [];
  #sequence = 0;

  push(atMs: number, event: T): void {
    this.#sequence += 1;
    const added = { atMs, sequence: this.#sequence, event };
    let place = this.#heap.length;
    this.#heap.push(added);
    while (place > 0) {
      const above = (place - 1) >> 1;
      const parent = this.#heap[above];
      if (parent === undefined || isBefore(parent, added)) break;
      this.#heap[place] = parent;
      place = above;
    }
    this.#heap[place] = added;
  }

  /** The next event that is due by untilMs. */
  popDue(untilMs: number): { readonly atMs: number; readonly event: T } | undefined {
    const top = this.#heap[0];
    if (top === undefined || top.atMs > untilMs) return undefined;
    const last = this.#heap.pop();
    if (last !== undefined && this.#heap.length > 0) this.#sink(last);
    return top;
  }

  #sink(moved: Scheduled<T>): void {
    let place = 0;
    for (;;) {
      let below = 2 * place + 1;
      let child = this.#heap[below];
      const other = this.#heap[below + 1];
      if (child !== undefined && other !== undefined && isBefore(other, child)) {
        below += 1;
        child = other;
      }
      if (child === undefined || isBefore(moved, child)) break;
      this.#heap[place] = child;
      place = below;
    }
    this.#heap[place] = moved;
  }
}
