// A seeded generator: xoshiro128** by Blackman and Vigna, its state filled by splitmix32.
//
// Guarantees: equal seeds give equal sequences on every machine; 32-bit integer arithmetic only.
// Does not own: where seeds come from (the driver; two nodes must not share one).

export interface Prng {
  s0: number;
  s1: number;
  s2: number;
  s3: number;
}

const UINT32_SPAN = 2 ** 32;

export function createPrng(seed: number): Prng {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  };
  return { s0: next(), s1: next(), s2: next(), s3: next() };
}

function rotateLeft(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

export function nextUint32(prng: Prng): number {
  const result = Math.imul(rotateLeft(Math.imul(prng.s1, 5), 7), 9) >>> 0;
  const shifted = prng.s1 << 9;
  prng.s2 ^= prng.s0;
  prng.s3 ^= prng.s1;
  prng.s1 ^= prng.s2;
  prng.s0 ^= prng.s3;
  prng.s2 ^= shifted;
  prng.s3 = rotateLeft(prng.s3, 11);
  return result;
}

/** A whole number in [min, maxExclusive); min if the range is empty. */
export function uniform(prng: Prng, min: number, maxExclusive: number): number {
  const span = Math.max(0, maxExclusive - min);
  return min + Math.floor((nextUint32(prng) / UINT32_SPAN) * span);
}
