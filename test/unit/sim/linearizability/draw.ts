// Random draws that a seed repeats.
//
// Guarantees: the same seed gives the same draws on every machine (32-bit integer arithmetic,
// Marsaglia's xorshift); good enough to vary tests, for nothing else.

export class Draw {
  #bits: number;

  constructor(seed: number) {
    this.#bits = (Math.imul(seed + 1, 0x9e3779b1) ^ 0x5bd1e995) >>> 0 || 1;
    for (let round = 0; round < 4; round++) this.below(2);
  }

  /** A whole number in [0, limit). */
  below(limit: number): number {
    this.#bits ^= this.#bits << 13;
    this.#bits ^= this.#bits >>> 17;
    this.#bits ^= this.#bits << 5;
    this.#bits >>>= 0;
    return this.#bits % limit;
  }

  /** True once in `times`. */
  oneIn(times: number): boolean {
    return this.below(times) === 0;
  }

  from<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }
}
