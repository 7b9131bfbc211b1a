// Rules of ledger/deadline.ts: a job's time from its acceptance to its end.

import { describe, expect, test } from "@jest/globals";
import { counts, nextDueMs } from "../../../ledger/ledger.ts";
import { kindOf, LEASE_MS, START_MS, World } from "./world.ts";

const PASSED = { state: "failed", error: { code: "DEADLINE_PASSED", retryable: false } };

describe("a deadline", () => {
  test("is counted from acceptance; the job's own goes before its kind's", () => {
    const world = new World([kindOf({ totalTimeoutMs: 5_000 })]);
    const [usual, own] = [world.add(), world.at(100).add({ totalTimeoutMs: 700 })];
    expect(world.job(usual).deadlineMs).toBe(START_MS + 5_000);
    expect(world.job(own).deadlineMs).toBe(START_MS + 800);
    expect(nextDueMs(world.ledger)).toBe(START_MS + 800);
  });

  test("ends a job that is queued, scheduled or parked, at a tick and not before", () => {
    const world = new World();
    const limit = { totalTimeoutMs: 1_000 };
    const holder = world.add({ lockKeys: ["a"] });
    const queued = world.add(limit);
    const scheduled = world.add({ ...limit, runAtMs: START_MS + 60_000 });
    const parked = world.add({ ...limit, lockKeys: ["a"] });
    world.begin(holder);
    world.start(parked);
    world.at(999).tick();
    expect(world.changes).toEqual([]);
    world.at(1_000).tick();
    expect(world.changes.toSorted()).toEqual(
      [queued, scheduled, parked].map((id) => `${id} failed`).toSorted(),
    );
    for (const id of [queued, scheduled, parked]) expect(world.job(id)).toMatchObject(PASSED);
    expect(world.ledger.lines.size).toBe(0);
    expect(counts(world.ledger)).toMatchObject({ failed: 3, recorded: 3 });
  });

  test("ends a running attempt as timed out, for good, however many are left", () => {
    const world = new World();
    const id = world.add({ totalTimeoutMs: 1_000, maxAttempts: 5 });
    const token = world.begin(id);
    world.at(1_000).tick();
    expect(world.job(id)).toMatchObject(PASSED);
    expect(world.job(id).attempts).toMatchObject([{ outcome: "timed-out", error: PASSED.error }]);
    expect(world.renew({ jobId: id, token })).toMatchObject({ stale: [{ state: "failed" }] });
    expect(world.job(id).receipts).toEqual([]);
    expect(world.succeed(id, token)).toMatchObject({ kind: "fenced" });
    expect(world.job(id).receipts).toMatchObject([{ tried: "succeeded" }]);
    expect(world.job(id)).toMatchObject(PASSED);
  });

  test("does not end what was reported before the tick", () => {
    const world = new World();
    const id = world.add({ totalTimeoutMs: 1_000 });
    const token = world.begin(id);
    expect(world.at(1_500).succeed(id, token)).toMatchObject({ state: "succeeded" });
    world.tick();
    expect(world.job(id).state).toBe("succeeded");
  });

  test("is not put off by retries", () => {
    const world = new World([kindOf({ maxAttempts: 9 })]);
    const id = world.add({ totalTimeoutMs: 100 });
    world.fail(id, world.begin(id));
    expect(world.job(id).state).toBe("scheduled");
    world.at(100).tick();
    expect(world.job(id)).toMatchObject(PASSED);
  });

  test("leaves the locks with the handler until it has stopped, or its lease is over", () => {
    const world = new World();
    const [first, second] = [1, 2].map(() => world.add({ lockKeys: ["a"], totalTimeoutMs: 1_000 }));
    const next = world.add({ lockKeys: ["a"] });
    const token = world.begin(first ?? "");
    world.at(1_000).tick();
    expect(world.start(next)).toMatchObject({ kind: "start-refused", reason: "locked" });
    world.fail(first ?? "", token, "timed-out", false);
    expect(world.job(first ?? "").receipts).toEqual([]);
    expect(world.changes).toEqual([`${next} unparked`]);
    expect(world.job(second ?? "")).toMatchObject(PASSED);

    const other = world.add({ lockKeys: ["b"], totalTimeoutMs: 1_000 });
    world.begin(other);
    world.at(2_000).tick();
    expect(nextDueMs(world.ledger)).toBe(START_MS + 1_000 + LEASE_MS);
    world.at(1_000 + LEASE_MS).tick();
    expect(world.ledger.holders.has("b")).toBe(false);
  });
});
