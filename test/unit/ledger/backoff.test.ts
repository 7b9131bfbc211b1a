// ledger/backoff.ts: delays within their bounds, the same for the same draw.

import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { backoffMs, drawFor, normalBackoff } from "../../../ledger/backoff.ts";

const HIGHEST = 2 ** 32 - 1;

describe("backoff", () => {
  test("doubles from the initial delay up to the greatest; the upper half is drawn", () => {
    const backoff = { initialMs: 1_000, multiplier: 2, maxMs: 5_000, jitter: 0.5 };
    const range = (attemptsUsed: number) =>
      [0, HIGHEST].map((draw) => backoffMs(backoff, attemptsUsed, draw));
    expect([1, 2, 3, 4, 50].map(range)).toEqual([
      [500, 1_000],
      [1_000, 2_000],
      [2_000, 4_000],
      [2_500, 5_000],
      [2_500, 5_000],
    ]);
  });

  test("agrees with multiplying one step after the other", () => {
    fc.assert(
      fc.property(
        fc.record({
          initialMs: fc.nat(5_000),
          multiplier: fc.nat(4),
          maxMs: fc.nat(100_000),
          jitter: fc.double({ min: 0, max: 1, noNaN: true }),
        }),
        fc.integer({ min: 1, max: 100 }),
        fc.nat(HIGHEST),
        (backoff, attemptsUsed, draw) => {
          let delayMs = backoff.initialMs;
          for (let n = 1; n < attemptsUsed; n++) {
            delayMs = Math.min(delayMs * Math.max(1, backoff.multiplier), 2 ** 52);
          }
          delayMs = Math.min(delayMs, backoff.maxMs);
          const drawn = backoffMs(normalBackoff(backoff), attemptsUsed, draw);
          expect(Number.isInteger(drawn)).toBe(true);
          expect(drawn).toBeGreaterThanOrEqual(delayMs * (1 - backoff.jitter));
          expect(drawn).toBeLessThanOrEqual(delayMs);
        },
      ),
    );
  });

  test("is the delay itself without jitter, and anything up to it with all of it", () => {
    const backoff = { initialMs: 1_000, multiplier: 1, maxMs: 5_000 };
    const range = (jitter: number, attemptsUsed: number) =>
      [0, HIGHEST].map((draw) => backoffMs({ ...backoff, jitter }, attemptsUsed, draw));
    expect([range(0, 1), range(0, 9)]).toEqual([
      [1_000, 1_000],
      [1_000, 1_000],
    ]);
    expect([range(1, 1), range(0.25, 2)]).toEqual([
      [0, 1_000],
      [750, 1_000],
    ]);
  });

  test("a tiny delay is not rounded away", () => {
    const backoff = { initialMs: 1, multiplier: 1, maxMs: 1, jitter: 0.5 };
    expect(backoffMs(backoff, 1, 0)).toBe(1);
  });

  test("what cannot be counted with is made usable", () => {
    expect(
      normalBackoff({ initialMs: -1, multiplier: Number.NaN, maxMs: Infinity, jitter: 0.5 }),
    ).toEqual({
      initialMs: 0,
      multiplier: 1,
      maxMs: 0,
      jitter: 0.5,
    });
    expect(normalBackoff({ initialMs: 1.9, multiplier: 0.5, maxMs: 2, jitter: 0.5 })).toEqual({
      initialMs: 1,
      multiplier: 1,
      maxMs: 2,
      jitter: 0.5,
    });
    const huge = { initialMs: 1, multiplier: 1e308, maxMs: 1_000, jitter: 0.5 };
    expect(backoffMs(huge, 100, HIGHEST)).toBe(1_000);
    expect(backoffMs({ ...huge, initialMs: 0 }, 100, HIGHEST)).toBe(0);
  });

  test("the draws of neighbouring jobs are spread over the whole range", () => {
    const buckets = new Set<number>();
    for (let job = 0; job < 64; job++) buckets.add(drawFor(42, job) >>> 28);
    expect(buckets.size).toBeGreaterThan(12);
    expect(drawFor(42, 1)).toBe(drawFor(42, 1));
    expect(drawFor(42, 1)).not.toBe(drawFor(43, 1));
  });
});
