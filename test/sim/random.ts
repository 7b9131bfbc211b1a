// Draws from one seeded stream, in the shapes that the simulator needs.
//
// Guarantees: equal seeds give equal draws. Each part of the simulator has a stream of its own, so
// that one more draw in the network does not change what the disks do.
// Does not own: the generator (raft/prng.ts).

import { createPrng, nextUint32, type Prng } from "../../raft/prng.ts";

const UINT32_SPAN = 2 ** 32;

export class Random {
  readonly #prng: Prng;

  constructor(seed: number, stream: string) {
    let mixed = seed >>> 0;
    for (let place = 0; place < stream.length; place += 1) {
      mixed = Math.imul(mixed ^ stream.charCodeAt(place), 0x9e3779b1) >>> 0;
      mixed = (mixed ^ (mixed >>> 15)) >>> 0;
    }
    // Seeds beyond 32 bits count as well.
    this.#prng = createPrng((mixed ^ Math.floor(seed / UINT32_SPAN)) >>> 0);
  }

  uint32(): number {
    return nextUint32(this.#prng);
  }

  /** In [0, 1). */
  fraction(): number {
    return nextUint32(this.#prng) / UINT32_SPAN;
  }

  chance(probability: number): boolean {
    return probability > 0 && this.fraction() < probability;
  }

  /** A whole number of [min, max], both included. */
  whole(min: number, max: number): number {
    return min + Math.floor(this.fraction() * (max - min + 1));
  }

  /** Any number of [min, max). */
  between(min: number, max: number): number {
    return min + this.fraction() * (max - min);
  }

  /** Small ones as often as large ones, decade by decade. */
  logarithmic(min: number, max: number): number {
    return min * (max / min) ** this.fraction();
  }

  exponential(mean: number): number {
    return -mean * Math.log(1 - this.fraction());
  }

  pick<T>(items: readonly T[]): T | undefined {
    return items[Math.floor(this.fraction() * items.length)];
  }

  /** For lists that are never empty. */
  one<T>(items: readonly T[]): T {
    const item = this.pick(items);
    if (item === undefined) throw new Error("nothing to pick from");
    return item;
  }

  shuffled<T>(items: readonly T[]): T[] {
    const left = [...items];
    const shuffled: T[] = [];
    while (left.length > 0) {
      shuffled.push(...left.splice(Math.floor(this.fraction() * left.length), 1));
    }
    return shuffled;
  }
}
