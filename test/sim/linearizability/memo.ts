// Where the search has been: sets of operations that were placed, and the state that they led to.
//
// Guarantees: exact. The hash only finds the bucket; sets and states are compared in full, so two
// places are never taken for one (a false match would hide a linearization, and cry violation).

const BITS = 32;

interface Place {
  readonly words: Uint32Array;
  readonly state: number;
}

export class Memo {
  /** The operations that are placed now. */
  readonly #words: Uint32Array;
  readonly #hashOf: (number: number) => number;
  #hash = 0;
  readonly #places = new Map<number, Place[]>();
  readonly #states = new Map<string, number>();

  /** `hashOf`: another only to test that places of one hash are told apart. */
  constructor(size: number, hashOf: (number: number) => number = mix) {
    this.#hashOf = hashOf;
    this.#words = new Uint32Array(Math.max(1, Math.ceil(size / BITS)));
  }

  /** Places an operation that was not, or takes it back. */
  flip(operation: number): void {
    const word = Math.floor(operation / BITS);
    this.#words[word] = ((this.#words[word] ?? 0) ^ (1 << (operation % BITS))) >>> 0;
    this.#hash ^= this.#hashOf(operation + 1);
  }

  /** Whether the operations placed now led to this state for the first time. */
  add(stateKey: string): boolean {
    const state = this.#states.get(stateKey) ?? this.#states.size;
    this.#states.set(stateKey, state);
    const hash = this.#hash ^ this.#hashOf(~state);
    const bucket = this.#places.get(hash);
    const place = { words: this.#words.slice(), state };
    if (bucket === undefined) {
      this.#places.set(hash, [place]);
      return true;
    }
    if (bucket.some((one) => one.state === state && isSame(one.words, this.#words))) return false;
    bucket.push(place);
    return true;
  }
}

function isSame(one: Uint32Array, other: Uint32Array): boolean {
  for (let word = 0; word < one.length; word++) if (one[word] !== other[word]) return false;
  return true;
}

/** Spreads small numbers over all 32 bits; murmur3's finalizer. */
function mix(number: number): number {
  let bits = Math.imul(number, 0x9e3779b1);
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return bits ^ (bits >>> 16);
}
