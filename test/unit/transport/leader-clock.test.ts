// The leader's clock, on sources that a test moves.

import { beforeEach, expect, test } from "@jest/globals";
import { LeaderClock } from "../../../transport/leader-clock.ts";

const START_MS = 1_700_000_000_000;
const HOUR_MS = 3_600_000;

let wallMs = START_MS;
let monotonicMs = 0;
let ledgerMs = 0;
let clock = new LeaderClock(() => ledgerMs);

function pass(ms: number): void {
  wallMs += ms;
  monotonicMs += ms;
}

beforeEach(() => {
  wallMs = START_MS;
  monotonicMs = 0;
  ledgerMs = 0;
  const sources = { wallMs: () => wallMs, monotonicMs: () => monotonicMs };
  clock = new LeaderClock(() => ledgerMs, sources);
});

test("is the wall clock as long as that is not behind the ledger", () => {
  expect(clock.nowMs()).toBe(START_MS);
  pass(1_234);
  expect(clock.nowMs()).toBe(START_MS + 1_234);
  expect(clock.takeLeap()).toBe(false);
});

test("goes on at half its pace when the wall clock is set back, until they meet", () => {
  clock.nowMs();
  wallMs -= HOUR_MS;
  expect(clock.nowMs()).toBe(START_MS);
  pass(10_000);
  expect(clock.nowMs()).toBe(START_MS + 5_000);
  // Read often, it is no slower.
  for (let n = 0; n < 1_000; n += 1) {
    pass(1);
    clock.nowMs();
  }
  expect(clock.nowMs()).toBe(START_MS + 5_500);
  pass(3 * HOUR_MS);
  expect(clock.nowMs()).toBe(wallMs);
  expect(clock.takeLeap()).toBe(false);
});

test("goes on from the ledger's clock when an earlier leader's was ahead", () => {
  ledgerMs = START_MS + HOUR_MS;
  expect(clock.nowMs()).toBe(ledgerMs);
  pass(4_000);
  expect(clock.nowMs()).toBe(ledgerMs + 2_000);
});

test("tells once that the wall clock has leapt forward", () => {
  clock.nowMs();
  pass(1_000);
  wallMs += HOUR_MS;
  expect(clock.nowMs()).toBe(START_MS + HOUR_MS + 1_000);
  expect(clock.takeLeap()).toBe(true);
  pass(1_000);
  clock.nowMs();
  expect(clock.takeLeap()).toBe(false);
});
