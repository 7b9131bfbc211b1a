// What makes a waiting job small: ledger/packed-bytes.ts, same-value.ts and terms.ts.

import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { packBytes, unpackBytes } from "../../../ledger/packed-bytes.ts";
import { isSameValue } from "../../../ledger/same-value.ts";
import { bytes, World } from "./world.ts";

describe("packed bytes", () => {
  test("come out as they went in, whatever they are", () => {
    const drawn = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.string({ unit: "binary", maxLength: 40 }).map((text) => new TextEncoder().encode(text)),
      fc.constantFrom([0xef, 0xbb, 0xbf, 0x31], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xff]),
    );
    fc.assert(
      fc.property(drawn, (value) => {
        const given = Uint8Array.from(value);
        const packed = packBytes(given);
        given.fill(0);
        expect([...unpackBytes(packed)]).toEqual([...value]);
      }),
      { numRuns: 500 },
    );
  });

  test("are a text when that is smaller", () => {
    expect(typeof packBytes(bytes({ name: "Ada Łovelace" }))).toBe("string");
    expect(typeof packBytes(new Uint8Array(1_025).fill(0x31))).toBe("object");
    expect(typeof packBytes(Uint8Array.of(0xff))).toBe("object");
  });
});

describe("same values", () => {
  test("are those that are written alike", () => {
    const value = fc.anything({ maxDepth: 3, withNullPrototype: false });
    fc.assert(
      fc.property(value, (one) => {
        expect(isSameValue(one, structuredClone(one))).toBe(true);
      }),
    );
  });

  test.each([
    [0, -0],
    [1, "1"],
    [null, {}],
    [[], {}],
    [[1], [1, 2]],
    [{ a: 1 }, { a: 1, b: undefined }],
    [
      { a: 1, b: 2 },
      { a: 1, c: 2 },
    ],
    [{ a: [1, { b: 2 }] }, { a: [1, { b: 3 }] }],
    [Uint8Array.of(1), [1]],
    [Uint8Array.of(1), Uint8Array.of(2)],
  ])("%j and %j are not", (one, other) => {
    expect(isSameValue(one, other)).toBe(false);
    expect(isSameValue(other, one)).toBe(false);
  });
});

test("jobs on equal terms share them, and jobs that wait share one past", () => {
  const world = new World();
  const own = { backoff: { initialMs: 1, multiplier: 1, maxMs: 1, jitter: 0 } };
  const ids = [{}, own, {}, own, { priority: 1 }, {}].map((terms) => world.add(terms));
  const jobs = ids.map((id) => world.ledger.jobs.get(id));
  expect(new Set(jobs.map((job) => job?.terms)).size).toBe(3);
  expect(new Set(jobs.map((job) => job?.past)).size).toBe(1);
  world.begin(ids[0] ?? "");
  expect(jobs[2]?.attempts).toEqual([]);
  expect(new Set(jobs.map((job) => job?.past)).size).toBe(2);
});
