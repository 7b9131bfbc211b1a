// Our protobuf against the library's: the same bytes out, the same values in, and no throw ever.

import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { ProtoReader } from "../../../transport/proto-reader.ts";
import { ProtoWriter } from "../../../transport/proto-writer.ts";

const count = fc.oneof(
  fc.maxSafeNat(),
  fc.nat(300),
  fc.nat(53).map((bits) => 2 ** bits - 1),
  fc.nat(52).map((bits) => 2 ** bits),
);
const text = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 200 }),
  fc.string({ unit: "binary", maxLength: 80 }).map((one) => one.toWellFormed()),
  fc.constantFrom("\ufeffa", "\ufeff\ufeff", "é".repeat(63), "é".repeat(64), "a".repeat(128)),
);
const field = fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 100_000 }));

function readerOf(bytes: Uint8Array): ProtoReader {
  return new ProtoReader(bytes, 0, bytes.length);
}

function take(fill: (writer: ProtoWriter) => void): Uint8Array {
  const writer = new ProtoWriter(4);
  fill(writer);
  return writer.take();
}

describe("what is written", () => {
  test("is what the library writes, and reads", () => {
    const values = fc.record({
      count: count.filter((one) => one > 0),
      signed: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }).filter((one) => one !== 0),
      real: fc.double().filter((one) => !Object.is(one, 0)),
      text: text.filter((one) => one !== ""),
      bytes: fc.uint8Array({ maxLength: 300 }),
    });
    fc.assert(
      fc.property(field, values, (number, one) => {
        const ours = take((writer) => {
          writer.uint(number, one.count);
          writer.sint(number, one.signed);
          writer.double(number, one.real);
          writer.text(number, one.text);
          writer.bytes(number, one.bytes);
          const start = writer.open(number);
          writer.text(1, one.text);
          writer.bytes(2, one.bytes);
          writer.close(start);
          writer.uints(number, [0, one.count]);
        });
        const theirs = new BinaryWriter();
        theirs.tag(number, 0).uint64(one.count);
        theirs.tag(number, 0).sint32(one.signed);
        theirs.tag(number, 1).double(one.real);
        theirs.tag(number, 2).string(one.text);
        theirs.tag(number, 2).bytes(one.bytes);
        theirs.tag(number, 2).fork().tag(1, 2).string(one.text).tag(2, 2).bytes(one.bytes).join();
        theirs.tag(number, 2).fork().uint64(0).uint64(one.count).join();
        expect(Buffer.from(ours).toString("hex")).toBe(
          Buffer.from(theirs.finish()).toString("hex"),
        );
        const reader = readerOf(ours);
        const numbers: number[] = [];
        const read = [
          [reader.next(), reader.uint()],
          [reader.next(), reader.sint()],
          [reader.next(), reader.double()],
          [reader.next(), reader.text()],
          [reader.next(), reader.bytes()],
        ];
        expect(read.map(([at]) => at)).toEqual([number, number, number, number, number]);
        const { count, signed, real, bytes } = one;
        expect(read.map(([, value]) => value)).toEqual([count, signed, real, one.text, bytes]);
        reader.next();
        const outer = reader.enter();
        expect([reader.next(), reader.text(), reader.next()]).toEqual([1, one.text, 2]);
        reader.skip();
        expect(reader.next()).toBe(0);
        reader.leave(outer);
        reader.next();
        reader.uintsInto(numbers);
        expect([numbers, reader.next(), reader.fault]).toEqual([[0, count], 0, null]);
      }),
    );
  });

  test("leaves defaults out, and an empty value that is there in", () => {
    const bytes = take((writer) => {
      writer.uint(1, 0);
      writer.sint(2, 0);
      writer.bool(3, false);
      writer.double(4, 0);
      writer.text(5, "");
      writer.bytes(6, null);
      writer.uints(7, []);
      writer.texts(8, [""]);
      writer.bytes(9, new Uint8Array());
    });
    expect([...bytes]).toEqual([8 * 8 + 2, 0, 9 * 8 + 2, 0]);
  });

  test.each([-1, 0.5, 2 ** 53, Number.NaN])("is never a count of %d", (value) => {
    expect(() => take((writer) => writer.uint(1, value))).toThrow("a count can be written");
  });

  test("is the caller's: what is written next is elsewhere", () => {
    const writer = new ProtoWriter(4);
    writer.text(1, "one");
    const bytes = writer.take();
    writer.text(1, "two");
    writer.take();
    expect(readerOf(bytes).next()).toBe(1);
    expect(Buffer.from(bytes.subarray(2)).toString()).toBe("one");
  });

  test("as a record stands behind its length, however long it is", () => {
    for (const length of [0, 1, 120, 125, 126, 127, 128, 16_370, 16_380, 16_384, 3_000_000]) {
      const body = Buffer.alloc(length, 7);
      const bytes = take((writer) => {
        const start = writer.openRecord();
        writer.raw(body);
        writer.closeRecord(start, 3);
      });
      const theirs = new BinaryWriter().fork().tag(3, 2).bytes(body).join().finish();
      expect(Buffer.from(bytes).equals(theirs)).toBe(true);
    }
  });
});

describe("reading", () => {
  test("is total: it ends, without a throw, at a fault or at the end", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 60 }),
        fc.array(fc.nat(8), { minLength: 1 }),
        (bytes, picks) => {
          const reader = readerOf(bytes);
          let fields = 0;
          while (reader.next() !== 0) {
            const numbers: number[] = [];
            const outer: number[] = [];
            const reads = [
              () => reader.skip(),
              () => reader.uint(),
              () => reader.sint(),
              () => reader.double(),
              () => reader.text(),
              () => reader.bytes(),
              () => reader.uintsInto(numbers),
              () => reader.name(["a", "b"]),
              () => {
                outer.push(reader.enter());
                while (reader.next() !== 0) reader.skip();
                for (const end of outer) reader.leave(end);
              },
            ];
            reads[picks[fields % picks.length] ?? 0]?.();
            for (const number of numbers) expect(Number.isSafeInteger(number)).toBe(true);
            fields += 1;
            expect(fields).toBeLessThanOrEqual(bytes.length);
          }
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test("passes over what the library passes over", () => {
    const bytes = new BinaryWriter()
      .tag(90, 0)
      .uint64("18446744073709551615")
      .tag(91, 1)
      .fixed64(5)
      .tag(92, 5)
      .fixed32(5)
      .tag(93, 2)
      .string("more")
      .tag(1, 0)
      .uint64(4)
      .finish();
    const theirs = new BinaryReader(bytes);
    for (let i = 0; i < 4; i++) theirs.skip(theirs.tag()[1]);
    expect(theirs.tag()[0]).toBe(1);
    const reader = readerOf(bytes);
    let field = reader.next();
    while (field > 1) {
      reader.skip();
      field = reader.next();
    }
    expect([field, reader.uint(), reader.fault]).toEqual([1, 4, null]);
  });

  test.each([
    ["a field of number 0", [0x00, 0x01]],
    ["a number that does not end", [0x08, 0x80]],
    ["a number of more than ten bytes", [0x08, ...Array<number>(10).fill(0x80), 0x01]],
    ["a number above 2^53", [0x08, ...Array<number>(8).fill(0xff), 0x01]],
    ["a text that is longer than the rest", [0x0a, 0x05, 0x61]],
    ["a group", [0x0b]],
    ["a number where a text should be, or the other way", [0x09, 1, 2, 3, 4, 5, 6, 7, 8]],
  ])("stops at %s", (_what, bytes) => {
    const reader = readerOf(Uint8Array.from(bytes));
    const field = reader.next();
    if (field !== 0 && bytes[0] === 0x0a) reader.text();
    else if (bytes[0] === 0x0b) reader.skip();
    else if (field !== 0) reader.uint();
    expect([reader.next(), reader.fault]).toEqual([0, "malformed"]);
  });
});
