// What has happened, as one running digest and, on demand, as lines.
//
// Guarantees: two runs with equal digests have had the same events at the same times with the same
// numbers; text is made only when somebody reads it, so that tracing costs a run next to nothing.
// Does not own: where lines go.

const FLOAT = new DataView(new ArrayBuffer(8));

export class Trace {
  /** Takes each line; null: no text is made. */
  sink: ((line: string) => void) | null = null;
  #one = 0x2545f491;
  #two = 0x9e3779b9;

  /** `code` names the kind of event; the numbers are whatever tells two of them apart. */
  event(atMs: number, code: number, first: number, second: number, third: number): void {
    FLOAT.setFloat64(0, atMs);
    this.#mix(FLOAT.getInt32(0));
    this.#mix(FLOAT.getInt32(4));
    this.#mix(code);
    this.#mix(first | 0);
    this.#mix(second | 0);
    this.#mix(third | 0);
  }

  text(text: string): void {
    this.#mix(text.length);
    for (let place = 0; place < text.length; place += 1) this.#mix(text.charCodeAt(place));
  }

  get isText(): boolean {
    return this.sink !== null;
  }

  line(atMs: number, text: string): void {
    this.sink?.(`${atMs.toFixed(1).padStart(10)} ${text}`);
  }

  /** 16 hexadecimal digits. */
  hex(): string {
    const digits = (lane: number): string => (lane >>> 0).toString(16).padStart(8, "0");
    return digits(this.#one) + digits(this.#two);
  }

  #mix(word: number): void {
    let one = Math.imul(this.#one ^ word, 0x85ebca6b);
    one ^= one >>> 13;
    this.#one = Math.imul(one, 0xc2b2ae35);
    const two = Math.imul(this.#two + word, 0x9e3779b1);
    this.#two = ((two << 15) | (two >>> 17)) ^ this.#one;
  }
}
