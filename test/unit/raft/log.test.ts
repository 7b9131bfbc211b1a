// The in-memory log: lookup, append, truncation and its offset.

import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { entryBytes, Log } from "../../../raft/log.ts";
import { entryOf, logOf } from "../../support/raft-bench.ts";

/** Terms that never fall, as in any log. */
const someTerms = fc
  .array(fc.nat({ max: 3 }), { maxLength: 20 })
  .map((rises) =>
    rises.map((_, place) => 1 + rises.slice(0, place + 1).reduce((a, b) => a + b, 0)),
  );

describe("Log", () => {
  test("an empty log ends at its offset", () => {
    expect(new Log([])).toMatchObject({ firstIndex: 1, lastIndex: 0, lastTerm: 0 });
    expect(new Log([], { index: 7, term: 3 })).toMatchObject({
      firstIndex: 8,
      lastIndex: 7,
      lastTerm: 3,
    });
  });

  test("indexes count from behind a compacted prefix", () => {
    const log = new Log(logOf([3, 4], 8), { index: 7, term: 2 });
    expect([6, 7, 8, 9, 10].map((index) => log.termAt(index))).toEqual([null, 2, 3, 4, null]);
    expect(log.firstIndexOfTermAt(9)).toBe(9);
    expect(() => log.range(7, 9)).toThrow(/^I3\./);
    expect(() => log.truncateFrom(7)).toThrow(/^I13\./);
  });

  test("a gap or a term that falls is refused", () => {
    const log = new Log(logOf([1, 2]));
    expect(() => log.append([entryOf(2, 4)])).toThrow(/^I3\./);
    expect(() => log.append([entryOf(1, 3)])).toThrow(/^I3\./);
    expect(() => log.range(2, 4)).toThrow(/^I3\./);
  });

  test("a batch keeps to both limits but always holds an entry", () => {
    const log = new Log(logOf([1, 1, 1, 1]));
    const bytes = entryBytes(entryOf(1, 1));
    const sizes = (entriesMax: number, bytesMax: number): number =>
      log.batch(2, { entriesMax, bytesMax }).length;
    expect(sizes(9, 9999)).toBe(3);
    expect(sizes(2, 9999)).toBe(2);
    expect(sizes(9, 2 * bytes)).toBe(2);
    expect(sizes(9, 2 * bytes - 1)).toBe(1);
    expect(sizes(9, 1)).toBe(1);
    expect(log.batch(5, { entriesMax: 9, bytesMax: 9999 })).toEqual([]);
  });

  test("a tail is the newest entries that fit, by number and by bytes", () => {
    const log = new Log(logOf([1, 1, 1, 1], 4), { index: 3, term: 1 });
    const bytes = log.range(4, 5).reduce((sum, entry) => sum + entryBytes(entry), 0);
    const lengths = (entriesMax: number, bytesMax: number): number[] =>
      [3, 4, 6, 7].map((upTo) => log.tailLength(upTo, { entriesMax, bytesMax }));
    expect(lengths(2, 1e9)).toEqual([0, 1, 2, 2]);
    expect(lengths(9, 1e9)).toEqual([0, 1, 3, 4]);
    expect(lengths(9, 2 * bytes)).toEqual([0, 1, 2, 2]);
    expect(lengths(0, 1e9)).toEqual([0, 0, 0, 0]);
    expect(lengths(9, bytes - 1)).toEqual([0, 0, 0, 0]);
  });

  test("the searches by term agree with looking at every entry", () => {
    fc.assert(
      fc.property(someTerms, fc.nat({ max: 9 }), (terms, offset) => {
        const log = new Log(logOf(terms, offset + 1), { index: offset, term: 0 });
        const lastTerm = terms.at(-1) ?? 0;
        for (let upTo = offset; upTo <= log.lastIndex; upTo += 1) {
          for (let term = 0; term <= lastTerm + 1; term += 1) {
            const below = terms.slice(0, upTo - offset).filter((other) => other <= term).length;
            expect(log.lastIndexOfTermAtMost(term, upTo)).toBe(offset + below);
          }
          if (upTo > offset) {
            const first = terms.indexOf(log.termAt(upTo) ?? 0) + offset + 1;
            expect(log.firstIndexOfTermAt(upTo)).toBe(first);
          }
        }
      }),
    );
  });

  type Act = readonly ["append" | "truncate" | "compact" | "reset", number];
  const acts: fc.Arbitrary<Act[]> = fc.array(
    fc.tuple(
      fc.constantFrom("append" as const, "truncate" as const, "compact" as const, "reset" as const),
      fc.nat({ max: 25 }),
    ),
    { maxLength: 40 },
  );

  test("appended, cut off, compacted and replaced, it holds what a list of all would", () => {
    fc.assert(
      fc.property(acts, (list) => {
        const log = new Log([]);
        // By index; what is before `offset` is compacted.
        let all: number[] = [0];
        let offset = 0;
        for (const [kind, value] of list) {
          const last = all.length - 1;
          if (kind === "append") {
            const term = (all[last] ?? 0) + (value % 3);
            log.append([entryOf(term, last + 1)]);
            all.push(term);
          } else if (kind === "truncate") {
            const from = Math.max(offset + 1, Math.min(value, last + 1));
            log.truncateFrom(from);
            all.length = from;
          } else if (kind === "compact") {
            const upTo = Math.min(value, last);
            log.compactTo(upTo);
            offset = Math.max(offset, upTo);
          } else {
            offset = last + value;
            const term = (all[last] ?? 0) + 1;
            log.resetTo({ index: offset, term });
            all = Array.from({ length: offset + 1 }, (_, at) => (at === offset ? term : -1));
          }
          expect(log.offset).toEqual({ index: offset, term: all[offset] });
          expect(log).toMatchObject({ firstIndex: offset + 1, lastIndex: all.length - 1 });
          expect(log.lastTerm).toBe(all.at(-1));
          for (let index = 0; index <= all.length; index += 1) {
            expect(log.termAt(index)).toBe(index < offset ? null : (all[index] ?? null));
          }
          const held = log.range(log.firstIndex, log.lastIndex + 1);
          expect(held.map(({ index, term }) => [index, term])).toEqual(
            all.slice(offset + 1).map((term, at) => [offset + 1 + at, term]),
          );
        }
      }),
    );
  });

  test("is compacted no further than it goes", () => {
    const log = new Log(logOf([1, 1]));
    expect(() => log.compactTo(3)).toThrow(/^I10\./);
    log.compactTo(2);
    log.compactTo(1);
    expect(log.offset).toEqual({ index: 2, term: 1 });
  });

  test("a log is up to date by last term first and length second", () => {
    const log = new Log(logOf([1, 2, 2]));
    expect(log.isUpToDate(3, 1)).toBe(true);
    expect(log.isUpToDate(2, 3)).toBe(true);
    expect(log.isUpToDate(2, 2)).toBe(false);
    expect(log.isUpToDate(1, 9)).toBe(false);
  });
});
