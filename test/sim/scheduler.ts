// Virtual time: what is to happen, by time and then by the order in which it was asked.
//
// Guarantees: the same calls give the same order; time never goes back. What is scheduled cannot be
// taken out: whoever schedules checks on waking that it still matters.
// Does not own: what happens.

type Happening = () => void;

interface Scheduled {
  readonly atMs: number;
  readonly sequence: number;
  readonly happen: Happening;
}

function isBefore(one: Scheduled, other: Scheduled): boolean {
  return one.atMs === other.atMs ? one.sequence < other.sequence : one.atMs < other.atMs;
}

export class Scheduler {
  nowMs = 0;
  /** How many things have happened. */
  eventCount = 0;
  #sequence = 0;
  readonly #heap: Scheduled[] = [];

  after(delayMs: number, happen: Happening): void {
    this.at(this.nowMs + delayMs, happen);
  }

  at(atMs: number, happen: Happening): void {
    this.#sequence += 1;
    const added = { atMs: Math.max(atMs, this.nowMs), sequence: this.#sequence, happen };
    const heap = this.#heap;
    let place = heap.length;
    heap.push(added);
    while (place > 0) {
      const above = (place - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || isBefore(parent, added)) break;
      heap[place] = parent;
      place = above;
    }
    heap[place] = added;
  }

  /** Until the time comes, or the condition holds after an event; tells whether it held. */
  run(untilMs: number, isDone?: () => boolean): boolean {
    for (;;) {
      if (isDone?.() === true) return true;
      const next = this.#heap[0];
      if (next === undefined || next.atMs > untilMs) break;
      this.#removeFirst();
      this.nowMs = next.atMs;
      this.eventCount += 1;
      next.happen();
    }
    this.nowMs = Math.max(this.nowMs, untilMs);
    return false;
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const moved = heap.pop();
    if (moved === undefined || heap.length === 0) return;
    const length = heap.length;
    let place = 0;
    for (;;) {
      let below = 2 * place + 1;
      if (below >= length) break;
      let child = heap[below];
      const other = heap[below + 1];
      if (child !== undefined && other !== undefined && isBefore(other, child)) {
        below += 1;
        child = other;
      }
      if (child === undefined || isBefore(moved, child)) break;
      heap[place] = child;
      place = below;
    }
    heap[place] = moved;
  }
}
