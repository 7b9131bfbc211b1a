// A fingerprint of values that are written one after the other.
//
// Guarantees: equal values give equal fingerprints on every machine and in every version. Whoever
// writes puts a kind or length before what could be read in two ways. 64 bits against accident,
// not against malice. Does not own: what is written.

type Fields = Readonly<Record<string, unknown>>;

const FLOAT = new DataView(new ArrayBuffer(8));

/** Two lanes of murmur3's mixing with different seeds and constants. */
export class Digest {
  #one = 0x2545f491;
  #two = 0x9e3779b9;
  #words = 0;

  number(value: number): void {
    // Every NaN is written alike.
    FLOAT.setFloat64(0, Number.isNaN(value) ? Number.NaN : value);
    this.#word(FLOAT.getInt32(0));
    this.#word(FLOAT.getInt32(4));
  }

  text(text: string): void {
    this.#word(text.length);
    for (let i = 0; i < text.length; i += 2) {
      const next = i + 1 < text.length ? text.charCodeAt(i + 1) : 0;
      this.#word((text.charCodeAt(i) << 16) | next);
    }
  }

  texts(texts: readonly string[]): void {
    this.#word(texts.length);
    for (const text of texts) this.text(text);
  }

  bytes(bytes: Uint8Array | null): void {
    this.#word(bytes === null ? -1 : bytes.length);
    if (bytes === null) return;
    let word = 0;
    for (let i = 0; i < bytes.length; i++) {
      word = (word << 8) | (bytes[i] ?? 0);
      if (i % 4 === 3) {
        this.#word(word);
        word = 0;
      }
    }
    if (bytes.length % 4 !== 0) this.#word(word);
  }

  /**
   * A record of plain values, by name. What is 0, empty or absent is left out: a field that a newer
   * version adds says nothing where nobody uses it.
   */
  fields(record: Readonly<Record<string, unknown>>): void {
    const names = Object.keys(record).filter((name) => !isNothing(record[name]));
    this.#word(names.length);
    for (const name of names.sort()) {
      this.text(name);
      this.#value(record[name]);
    }
  }

  #value(value: unknown): void {
    if (typeof value === "string") this.text(value);
    else if (typeof value === "number") this.number(value);
    else if (typeof value === "boolean") this.number(value ? 1 : 0);
    else if (value instanceof Uint8Array) this.bytes(value);
    else if (Array.isArray(value)) this.fields({ ...value, length: value.length });
    else if (typeof value === "object" && value !== null) this.fields(value as Fields);
  }

  hex(): string {
    const one = finish(this.#one ^ this.#words);
    const two = finish(this.#two ^ one);
    return one.toString(16).padStart(8, "0") + two.toString(16).padStart(8, "0");
  }

  #word(word: number): void {
    this.#words += 1;
    this.#one = mix(this.#one, Math.imul(word, 0xcc9e2d51), 0xe6546b64);
    this.#two = mix(this.#two, Math.imul(word, 0x239b961b), 0x561ccd1b);
  }
}

function mix(lane: number, product: number, salt: number): number {
  const mixed = lane ^ Math.imul((product << 15) | (product >>> 17), 0x1b873593);
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + salt) | 0;
}

function finish(lane: number): number {
  let bits = Math.imul(lane ^ (lane >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}

function isNothing(value: unknown): boolean {
  if (value === undefined || value === null || value === "" || value === false) return true;
  if (typeof value === "number") return value === 0;
  return (Array.isArray(value) || value instanceof Uint8Array) && value.length === 0;
}
