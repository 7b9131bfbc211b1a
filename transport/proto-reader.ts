// Protobuf's wire format, read field by field.
//
// The generated code throws at bytes that are no protobuf, and cannot tell what it passed over.
// Guarantees: total: whatever the bytes, nothing throws and nothing beyond them is read. What is
// not well-formed, or not of the sort that was asked for, gives an empty value and a fault that
// stays, and a reader with a fault has no more fields: so a loop over the fields ends, and one look
// at the end tells whether what was read is worth anything.
// Does not own: which field means what (whoever reads).

const VARINT = 0;
const FIXED_64 = 1;
const DELIMITED = 2;
const FIXED_32 = 5;
/** The longest that the format has. */
const VARINT_BYTES_MAX = 10;

export type ProtoFault =
  /** No protobuf, or not what the sort of the field says. */
  | "malformed"
  /** An enum's number that this version has no name for. */
  | "unknown-name";

export class ProtoReader {
  readonly #bytes: Buffer;
  #at: number;
  #end: number;
  #fault: ProtoFault | null = null;
  #wireType = 0;

  constructor(bytes: Uint8Array, start: number, end: number) {
    const isBuffer = bytes instanceof Buffer;
    this.#bytes = isBuffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = start;
    this.#end = end;
  }

  get fault(): ProtoFault | null {
    return this.#fault;
  }

  /** The first fault stays. */
  fail(fault: ProtoFault): void {
    this.#fault ??= fault;
    this.#at = this.#end;
  }

  /** The number of the next field, which has to be read or skipped; 0: the message is over. */
  next(): number {
    if (this.#at >= this.#end || this.#fault !== null) return 0;
    const tag = this.#varint();
    const field = Math.floor(tag / 8);
    if (field === 0) this.fail("malformed");
    this.#wireType = tag % 8;
    return this.#fault !== null ? 0 : field;
  }

  skip(): void {
    switch (this.#wireType) {
      case VARINT:
        this.#passVarint();
        return;
      case FIXED_64:
        this.#advance(8);
        return;
      case FIXED_32:
        this.#advance(4);
        return;
      case DELIMITED:
        this.#advance(this.#varint());
        return;
      default:
        // Groups, which proto3 does not have.
        this.fail("malformed");
    }
  }

  /** Up to 2^53 - 1. */
  uint(): number {
    return this.#is(VARINT) ? this.#varint() : 0;
  }

  sint(): number {
    const value = this.uint();
    return value % 2 === 1 ? -(value + 1) / 2 : value / 2;
  }

  bool(): boolean {
    return this.uint() !== 0;
  }

  /** An enum as a name; `names` has each at its number. */
  name<T>(names: readonly T[]): T | null {
    const name = names[this.uint()];
    if (name === undefined) this.fail("unknown-name");
    return name ?? null;
  }

  double(): number {
    if (!this.#is(FIXED_64)) return 0;
    const at = this.#at;
    return this.#advance(8) ? this.#bytes.readDoubleLE(at) : 0;
  }

  text(): string {
    const [start, end] = this.#span();
    return start === end ? "" : this.#bytes.toString("utf8", start, end);
  }

  /** Not a copy: to be read or copied before what holds it is changed or let go. */
  bytes(): Uint8Array {
    const [start, end] = this.#span();
    return this.#bytes.subarray(start, end);
  }

  /** A packed list, or one element of one that is not. */
  uintsInto(values: number[]): void {
    if (this.#wireType === VARINT) {
      values.push(this.#varint());
      return;
    }
    const outer = this.enter();
    while (this.#at < this.#end && this.#fault === null) values.push(this.#varint());
    this.leave(outer);
  }

  /** Into a message: its fields are next. What it gives goes to `leave`. */
  enter(): number {
    const outer = this.#end;
    const [start, end] = this.#span();
    this.#at = start;
    this.#end = end;
    return outer;
  }

  leave(outer: number): void {
    this.#at = this.#end;
    this.#end = outer;
  }

  #span(): readonly [start: number, end: number] {
    if (!this.#is(DELIMITED)) return [this.#at, this.#at];
    const length = this.#varint();
    const start = this.#at;
    return this.#advance(length) ? [start, this.#at] : [start, start];
  }

  #is(wireType: number): boolean {
    if (this.#wireType !== wireType) this.fail("malformed");
    return this.#fault === null;
  }

  #advance(length: number): boolean {
    if (length > this.#end - this.#at) this.fail("malformed");
    if (this.#fault !== null) return false;
    this.#at += length;
    return true;
  }

  /** What this version does not know may be larger than a number of ours. */
  #passVarint(): void {
    const last = Math.min(this.#end, this.#at + VARINT_BYTES_MAX);
    while (this.#at < last) {
      const byte = this.#bytes[this.#at] ?? 0;
      this.#at += 1;
      if (byte < 0x80) return;
    }
    this.fail("malformed");
  }

  #varint(): number {
    let [value, factor] = [0, 1];
    const last = Math.min(this.#end, this.#at + VARINT_BYTES_MAX);
    for (let at = this.#at; at < last; at++) {
      const byte = this.#bytes[at] ?? 0;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) {
        this.#at = at + 1;
        if (value > Number.MAX_SAFE_INTEGER) this.fail("malformed");
        return this.#fault !== null ? 0 : value;
      }
      factor *= 0x80;
    }
    this.fail("malformed");
    return 0;
  }
}
