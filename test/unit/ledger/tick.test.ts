// Rules of ledger/tick.ts and due.ts: what time brings about.

import { describe, expect, test } from "@jest/globals";
import { clockMs, counts, nextDueMs } from "../../../ledger/ledger.ts";
import { TICK_JOBS_MAX } from "../../../ledger/tick.ts";
import { kindOf, LEASE_MS, START_MS, World } from "./world.ts";

const timed = () => new World([kindOf({ attemptTimeoutMs: 2_000, maxAttempts: 2 })]);

describe("the clock", () => {
  test("is the greatest time seen", () => {
    const world = new World();
    world.at(100).tick();
    world.at(50).tick();
    expect(clockMs(world.ledger)).toBe(START_MS + 100);
  });

  test("moves with every command, but only a tick acts on it", () => {
    const world = new World();
    const id = world.add({ runAtMs: START_MS + 10 });
    world.at(20).add();
    expect(world.job(id).state).toBe("scheduled");
    world.at(15).tick();
    expect(world.job(id).state).toBe("queued");
  });
});

describe("a tick", () => {
  test("queues what is due, in the order of due times, and nothing else", () => {
    const world = new World();
    const late = world.add({ runAtMs: START_MS + 20 });
    const early = world.add({ runAtMs: START_MS + 10 });
    const never = world.add({ runAtMs: START_MS + 21 });
    expect(nextDueMs(world.ledger)).toBe(START_MS + 10);
    world.at(20).tick();
    expect(world.changes).toEqual([`${early} queued`, `${late} queued`]);
    expect(world.job(early)).toMatchObject({ state: "queued", dispatch: 1 });
    expect(nextDueMs(world.ledger)).toBe(world.job(never).runAtMs);
  });

  test("takes so many at a time, those first that have been due for longest", () => {
    const world = new World();
    const specs = Array.from({ length: TICK_JOBS_MAX }, () => ({ runAtMs: START_MS + 20 }));
    world.submit(...specs);
    const early = world.add({ runAtMs: START_MS + 10 });
    world.at(30).tick();
    expect(world.changes).toHaveLength(TICK_JOBS_MAX);
    expect(world.changes[0]).toBe(`${early} queued`);
    // The rest is due still: whoever proposes ticks goes on at once.
    expect(nextDueMs(world.ledger)).toBe(START_MS + 20);
    world.tick();
    expect(world.changes).toHaveLength(1);
    expect(nextDueMs(world.ledger)).toBeNull();
  });

  test("ends an attempt whose lease is over as lost, which counts and is retried", () => {
    const world = new World();
    const id = world.add();
    world.begin(id);
    expect(nextDueMs(world.ledger)).toBe(START_MS + LEASE_MS);
    world.at(LEASE_MS - 1).tick();
    expect(world.changes).toEqual([]);
    world.at(LEASE_MS).tick();
    expect(world.changes).toEqual([`${id} scheduled`]);
    expect(world.job(id)).toMatchObject({ state: "scheduled", attemptsUsed: 1, error: null });
    expect(world.job(id).attempts).toMatchObject([
      { outcome: "lost", endMs: START_MS + LEASE_MS, error: { code: "LEASE_EXPIRED" } },
    ]);
    expect(counts(world.ledger)).toMatchObject({ attemptsLost: 1, recorded: 0 });
  });

  test("fails a job whose last attempt was lost", () => {
    const world = new World([kindOf({ maxAttempts: 1 })]);
    const id = world.add();
    world.begin(id);
    world.at(LEASE_MS).tick();
    expect(world.job(id)).toMatchObject({ state: "failed", error: { code: "LEASE_EXPIRED" } });
    expect(nextDueMs(world.ledger)).toBeNull();
  });

  test("leaves an attempt whose lease was renewed", () => {
    const world = new World();
    const jobId = world.add();
    const token = world.begin(jobId);
    world.at(9_000).renew({ jobId, token });
    world.at(LEASE_MS).tick();
    expect(world.job(jobId).state).toBe("running");
  });

  test("ends an attempt that runs too long a lease after its worker should have", () => {
    const world = timed();
    const jobId = world.add();
    const token = world.begin(jobId);
    world.at(9_000).renew({ jobId, token });
    expect(nextDueMs(world.ledger)).toBe(START_MS + 2_000 + LEASE_MS);
    world.at(2_000 + LEASE_MS).tick();
    expect(world.job(jobId).attempts).toMatchObject([
      { outcome: "timed-out", error: { code: "ATTEMPT_TIMED_OUT", retryable: true } },
    ]);
    expect(world.job(jobId)).toMatchObject({ state: "scheduled", attemptsUsed: 1 });
    expect(counts(world.ledger).attemptsLost).toBe(0);
  });

  test("an attempt that gave no sign of life is lost, even if it is overdue, too", () => {
    const world = timed();
    const id = world.add();
    world.begin(id);
    world.at(100_000).tick();
    expect(world.job(id).attempts).toMatchObject([{ outcome: "lost" }]);
  });

  test("jobs lost together do not come back together", () => {
    const world = new World();
    const ids = Array.from({ length: 20 }, () => world.add());
    for (const id of ids) world.begin(id);
    world.random = 123_456_789;
    world.at(LEASE_MS).tick();
    expect(new Set(ids.map((id) => world.job(id).runAtMs)).size).toBeGreaterThan(10);
  });
});

describe("a new leader's term", () => {
  test("gives each live attempt a whole lease and ends nothing", () => {
    const world = new World();
    const id = world.add();
    const due = world.add({ runAtMs: START_MS + 1 });
    world.begin(id);
    world.at(60_000).openTerm();
    expect(world.changes).toEqual([]);
    expect(world.job(id).state).toBe("running");
    expect(world.job(id).attempts[0]?.leaseExpiryMs).toBe(START_MS + 60_000 + LEASE_MS);
    world.tick();
    expect(world.changes).toEqual([`${due} queued`]);
    world.at(60_000 + LEASE_MS).tick();
    expect(world.job(id).attempts).toMatchObject([{ outcome: "lost" }]);
  });

  test("shortens no lease", () => {
    const world = new World();
    const id = world.add();
    world.at(1_000).begin(id);
    world.at(0).openTerm();
    expect(world.job(id).attempts[0]?.leaseExpiryMs).toBe(START_MS + 1_000 + LEASE_MS);
  });

  test("leaves a worker a lease to report an attempt that timed out meanwhile", () => {
    const world = timed();
    const jobId = world.add();
    const token = world.begin(jobId);
    world.at(60_000).openTerm();
    world.tick();
    expect(world.job(jobId).state).toBe("running");
    world.at(65_000).renew({ jobId, token });
    world.at(60_000 + LEASE_MS - 1).tick();
    expect(world.job(jobId).state).toBe("running");
    world.at(60_000 + LEASE_MS).tick();
    expect(world.job(jobId).attempts).toMatchObject([{ outcome: "timed-out" }]);
  });
});
