// Protobuf's wire format, written straight into one growing buffer.
//
// For what is written by the hundred thousand: no object a message and no BigInt a number, which
// takes a third of the generated code's time. Guarantees: the bytes are those that the generated
// code writes: what is left out is its default (proto3). A number that cannot be a count is
// asserted, never cut.
// Does not own: which field means what (whoever writes).

import assert from "node:assert/strict";

const VARINT = 0;
const FIXED_64 = 1;
const DELIMITED = 2;
const VARINT_BYTES_MAX = 10;
const TAG_BYTES_MAX = 5;
/** A record's length, its field's tag and the field's length, when it has 128 bytes or more. */
const RECORD_HEAD_BYTES = 5;
/** Up to here a loop over an ASCII text is faster than a call out of JavaScript. */
const SHORT_TEXT_LENGTH = 64;

export class ProtoWriter {
  #bytes: Buffer;
  #end = 0;

  constructor(sizeBytes: number) {
    this.#bytes = Buffer.allocUnsafeSlow(sizeBytes);
  }

  get length(): number {
    return this.#end;
  }

  /** What was written, which is the caller's now. */
  take(): Uint8Array {
    const bytes = this.#bytes.subarray(0, this.#end);
    this.#bytes = Buffer.allocUnsafeSlow(this.#bytes.length);
    this.#end = 0;
    return bytes;
  }

  raw(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** uint64, uint32, enum. */
  uint(field: number, value: number): void {
    if (value === 0) return;
    this.#room(TAG_BYTES_MAX + VARINT_BYTES_MAX);
    this.#varint((field << 3) | VARINT);
    this.#varint(value);
  }

  /** A packed list. */
  uints(field: number, values: readonly number[]): void {
    if (values.length === 0) return;
    const start = this.open(field);
    for (const value of values) {
      this.#room(VARINT_BYTES_MAX);
      this.#varint(value);
    }
    this.close(start);
  }

  sint(field: number, value: number): void {
    this.uint(field, value < 0 ? -2 * value - 1 : 2 * value);
  }

  bool(field: number, value: boolean): void {
    this.uint(field, value ? 1 : 0);
  }

  double(field: number, value: number): void {
    if (Object.is(value, 0)) return;
    this.#room(TAG_BYTES_MAX + 8);
    this.#varint((field << 3) | FIXED_64);
    // Every NaN is written alike.
    this.#end = this.#bytes.writeDoubleLE(Number.isNaN(value) ? Number.NaN : value, this.#end);
  }

  /** Written also when it is 0: of a field that says whether it is there. */
  optionalDouble(field: number, value: number): void {
    if (Object.is(value, 0)) {
      this.#room(TAG_BYTES_MAX + 8);
      this.#varint((field << 3) | FIXED_64);
      this.#end = this.#bytes.writeDoubleLE(0, this.#end);
    } else this.double(field, value);
  }

  text(field: number, text: string): void {
    if (text !== "") this.#text(field, text);
  }

  texts(field: number, texts: readonly string[]): void {
    for (const text of texts) this.#text(field, text);
  }

  /** null is not there; an empty one is. */
  bytes(field: number, bytes: Uint8Array | null): void {
    if (bytes === null) return;
    this.#room(TAG_BYTES_MAX + VARINT_BYTES_MAX);
    this.#varint((field << 3) | DELIMITED);
    this.#varint(bytes.length);
    this.raw(bytes);
  }

  /** Begins a message; what it gives goes to `close`. */
  open(field: number): number {
    this.#room(TAG_BYTES_MAX + 1);
    this.#varint((field << 3) | DELIMITED);
    this.#end += 1;
    return this.#end;
  }

  close(start: number): void {
    const length = this.#end - start;
    this.#shift(start, varintBytes(length) - 1);
    this.#putVarint(start - 1, length);
  }

  /** Begins a record that is one field of a message behind its length. */
  openRecord(): number {
    this.#room(RECORD_HEAD_BYTES);
    this.#end += RECORD_HEAD_BYTES;
    return this.#end;
  }

  closeRecord(start: number, field: number): void {
    const length = this.#end - start;
    const tag = (field << 3) | DELIMITED;
    const outer = varintBytes(tag) + varintBytes(length) + length;
    const head = outer - length + varintBytes(outer);
    this.#shift(start, head - RECORD_HEAD_BYTES);
    const at = this.#putVarint(start - RECORD_HEAD_BYTES, outer);
    this.#putVarint(this.#putVarint(at, tag), length);
  }

  /** Moves what begins at `start` by some bytes. */
  #shift(start: number, by: number): void {
    if (by === 0) return;
    this.#room(Math.max(by, 0));
    this.#bytes.copyWithin(start + by, start, this.#end);
    this.#end += by;
  }

  #text(field: number, text: string): void {
    // A UTF-16 code unit takes at most three bytes of UTF-8.
    this.#room(TAG_BYTES_MAX + VARINT_BYTES_MAX + 3 * text.length);
    this.#varint((field << 3) | DELIMITED);
    if (text.length <= SHORT_TEXT_LENGTH && this.#shortText(text)) return;
    const start = this.#end + 1;
    this.#end = start + this.#bytes.write(text, start, "utf8");
    this.close(start);
  }

  /** False, and nothing written, if it is not ASCII. */
  #shortText(text: string): boolean {
    const bytes = this.#bytes;
    let at = this.#end;
    bytes[at++] = text.length;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0x7f) return false;
      bytes[at++] = code;
    }
    this.#end = at;
    return true;
  }

  #varint(value: number): void {
    this.#end = this.#putVarint(this.#end, value);
  }

  #putVarint(at: number, value: number): number {
    assert(Number.isSafeInteger(value) && value >= 0, "a count can be written");
    const bytes = this.#bytes;
    let [rest, next] = [value, at];
    while (rest > 0x7fff_ffff) {
      bytes[next++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    while (rest > 0x7f) {
      bytes[next++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    bytes[next++] = rest;
    return next;
  }

  #room(bytes: number): void {
    const needed = this.#end + bytes;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#bytes.length));
    larger.set(this.#bytes.subarray(0, this.#end));
    this.#bytes = larger;
  }
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 0x80)) bytes += 1;
  return bytes;
}
