// Locks outside jobs: ledger/lock-command.ts and lock-life.ts, alone and beside jobs.

import { describe, expect, test } from "@jest/globals";
import { counts, listLocks, lockStanding, nextDueMs } from "../../../ledger/ledger.ts";
import { ENDED_LOCKS_MAX, LOCK_MEMORY_MS, WAIT_LEASE_MS } from "../../../ledger/lock.ts";
import { EXPIRIES_MAX } from "../../../ledger/lock-life.ts";
import { CLAIM_MS } from "../../../ledger/park.ts";
import { LEASE_MS, START_MS, TTL_MS, World } from "./world.ts";

const LONG_MS = 60_000;

/** Somebody holds these keys, under this token. */
function held(keys: readonly string[]) {
  const world = new World();
  const { lockId, token } = world.acquire(keys);
  return { world, lockId, token };
}

describe("a request", () => {
  test("for free keys gets them all, under its own entry's index", () => {
    const world = new World();
    const standing = world.acquire(["a", "b"]);
    expect(standing).toMatchObject({ state: "held", token: world.index, blocker: null });
    expect(standing.expiryMs).toBe(START_MS + TTL_MS);
    expect(world.lockChanges).toEqual([`${standing.lockId} granted`]);
    expect(counts(world.ledger)).toMatchObject({ locksGranted: 1, locksExpired: 0 });
  });

  test("for a key that is held gets none of the others, and the holder's name", () => {
    const { world, lockId, token } = held(["a"]);
    const standing = world.acquire(["b", "a"]);
    const blocker = { key: "a", id: lockId, owner: "o", token, expiryMs: START_MS + TTL_MS };
    expect(standing).toMatchObject({ state: "over", end: "not-granted", token: 0, blocker });
    expect(world.acquire(["b"]).state).toBe("held");
  });

  test("that waits is granted by the entry that frees the last of its keys", () => {
    const { world, lockId, token } = held(["a"]);
    const other = world.acquire(["b"]);
    const both = world.acquire(["a", "b"], { waitMs: LONG_MS });
    expect(both).toMatchObject({ state: "waiting", token: 0 });
    world.letGo(lockId, token);
    expect(world.lockChanges).toEqual([`${lockId} released`]);
    world.letGo(other.lockId, other.token);
    expect(world.lockChanges).toEqual([`${other.lockId} released`, `${both.lockId} granted`]);
    expect(lockStanding(world.ledger, both.lockId).token).toBe(world.index);
  });

  test("asked again is the same lock, whatever has become of it", () => {
    const { world, lockId, token } = held(["a"]);
    const ask = { requestId: "again", waitMs: LONG_MS };
    const first = world.acquire(["a"], ask);
    expect(world.acquire(["a"], ask).lockId).toBe(first.lockId);
    expect(world.ledger.lines.get("a")?.size).toBe(1);
    world.letGo(lockId, token);
    const granted = world.acquire(["a"], ask);
    expect(granted).toMatchObject({ lockId: first.lockId, state: "held" });
    world.letGo(granted.lockId, granted.token);
    expect(world.acquire(["a"], ask)).toMatchObject({ state: "over", end: "released" });
    expect(world.ledger.holders.size).toBe(0);
  });

  test("with another's request id is refused", () => {
    const world = new World();
    const { lockId } = world.acquire(["a"], { requestId: "r" });
    for (const other of [{ owner: "else" }, { ttlMs: 1 }, { lockKeys: ["a", "b"] }]) {
      const ask = { lockKeys: ["a"], owner: "o", requestId: "r", ttlMs: TTL_MS, waitMs: 0 };
      expect(world.commit({ kind: "acquire-lock", ...ask, ...other })).toEqual({
        kind: "lock-refused",
        reason: "request-id-reused",
        lockId,
      });
    }
  });

  test("does not overtake whoever waits for one of its keys", () => {
    const { world, lockId, token } = held(["a"]);
    const both = world.acquire(["a", "b"], { waitMs: LONG_MS });
    const late = world.acquire(["b"], { waitMs: LONG_MS });
    expect(late).toMatchObject({ state: "waiting", blocker: { id: both.lockId, token: 0 } });
    world.letGo(lockId, token);
    expect(world.lockChanges).toEqual([`${lockId} released`, `${both.lockId} granted`]);
  });
});

describe("time", () => {
  test("ends a lock that nobody keeps, and grants it to the next", () => {
    const { world, lockId, token } = held(["a"]);
    const next = world.acquire(["a"], { waitMs: LONG_MS });
    expect(nextDueMs(world.ledger)).toBe(START_MS + TTL_MS);
    world.at(TTL_MS).tick();
    expect(world.lockChanges).toEqual([`${lockId} expired`, `${next.lockId} granted`]);
    expect(world.keep(lockId, token)).toMatchObject({ state: "over", end: "expired" });
    expect(world.letGo(lockId, token)).toMatchObject({ state: "over", end: "expired" });
    expect(counts(world.ledger)).toMatchObject({ locksGranted: 2, locksExpired: 1 });
  });

  test("gives a lock that is kept a whole ttl from then", () => {
    const { world, lockId, token } = held(["a"]);
    world.at(TTL_MS - 1).keep(lockId, token);
    world.at(2 * TTL_MS - 2).tick();
    expect(lockStanding(world.ledger, lockId).state).toBe("held");
    world.at(2 * TTL_MS - 1).tick();
    expect(lockStanding(world.ledger, lockId).state).toBe("over");
  });

  test("ends a wait, and the wait of a caller that is not heard of", () => {
    const { world, lockId, token } = held(["a"]);
    const short = world.acquire(["a"], { waitMs: 1_000 });
    const silent = world.acquire(["a"], { waitMs: LONG_MS });
    const alive = world.acquire(["a"], { waitMs: LONG_MS });
    world.at(1_000).tick();
    expect(world.lockChanges).toEqual([`${short.lockId} not-granted`]);
    for (const ms of [4_000, 8_000]) {
      world.at(ms).keep(lockId, token);
      world.keep(alive.lockId, 0);
    }
    world.at(WAIT_LEASE_MS).tick();
    expect(world.lockChanges).toEqual([`${silent.lockId} expired`]);
    world.letGo(lockId, token);
    expect(world.lockChanges).toEqual([`${lockId} released`, `${alive.lockId} granted`]);
  });

  test("does not grant to a caller that has gone by then", () => {
    const { world } = held(["a"]);
    const [gone, alive] = [1, 2].map(() => world.acquire(["a"], { waitMs: LONG_MS }));
    world.keep(alive?.lockId ?? "", 0);
    world.at(WAIT_LEASE_MS - 1).keep(alive?.lockId ?? "", 0);
    world.at(WAIT_LEASE_MS).tick();
    expect(world.lockChanges.slice(1)).toEqual([
      `${gone?.lockId} expired`,
      `${alive?.lockId} granted`,
    ]);
  });

  test("ends so many at a time, those first that have been over for longest", () => {
    const world = new World();
    const locks = Array.from({ length: EXPIRIES_MAX + 1 }, (_, at) => world.acquire([`k${at}`]));
    world.at(TTL_MS).tick();
    expect(world.lockChanges).toHaveLength(EXPIRIES_MAX);
    // The rest is due still: whoever proposes ticks goes on at once.
    expect(nextDueMs(world.ledger)).toBe(world.nowMs);
    world.tick();
    expect(world.lockChanges).toEqual([`${locks.at(-1)?.lockId} expired`]);
  });

  test("takes a grant back that nobody takes up; who does has a whole ttl", () => {
    const { world, lockId, token } = held(["a"]);
    const ttlMs = 3 * WAIT_LEASE_MS;
    const [lost, next] = [1, 2].map(() => world.acquire(["a"], { waitMs: LONG_MS, ttlMs }));
    world.letGo(lockId, token);
    world.keep(next?.lockId ?? "", 0);
    world.at(WAIT_LEASE_MS - 1).keep(next?.lockId ?? "", 0);
    world.at(WAIT_LEASE_MS).tick();
    expect(world.lockChanges).toEqual([`${lost?.lockId} expired`, `${next?.lockId} granted`]);
    const grantedAt = world.index;
    expect(world.keep(next?.lockId ?? "", grantedAt).expiryMs).toBe(world.nowMs + ttlMs);
  });

  test("stands still while there is no leader", () => {
    const { world, lockId } = held(["a"]);
    const waits = world.acquire(["a"], { waitMs: LONG_MS });
    world.at(TTL_MS + WAIT_LEASE_MS).openTerm();
    world.tick();
    expect(world.lockChanges).toEqual([]);
    world.at(2 * TTL_MS + WAIT_LEASE_MS).tick();
    expect(world.lockChanges).toEqual([`${lockId} expired`, `${waits.lockId} granted`]);
  });

  test("lets what is over be forgotten, and no sooner than its copies are", () => {
    const { world, lockId, token } = held(["a"]);
    world.letGo(lockId, token);
    world.at(LOCK_MEMORY_MS - 1).tick();
    expect(world.letGo(lockId, token).end).toBe("released");
    world.at(LOCK_MEMORY_MS).acquire(["b"]);
    expect(world.letGo(lockId, token)).toMatchObject({ state: "over", end: null });
    expect(world.ledger.locksByRequest.size).toBe(1);
  });

  test("or number: the oldest go first", () => {
    const world = new World();
    for (let at = 0; at < ENDED_LOCKS_MAX + 5; at++) {
      const { lockId, token } = world.acquire(["a"]);
      world.letGo(lockId, token);
    }
    expect(world.ledger.locks.size).toBeLessThanOrEqual(ENDED_LOCKS_MAX + 1);
    expect(world.ledger.endedLocks.values().next().value?.number).toBeGreaterThan(4);
  });
});

describe("a token", () => {
  test("that is not the lock's keeps and ends nothing", () => {
    const { world, lockId, token } = held(["a"]);
    for (const wrong of [0, token - 1, token + 1, Number.NaN]) {
      world.at(100).keep(lockId, wrong);
      world.letGo(lockId, wrong);
      expect(lockStanding(world.ledger, lockId)).toMatchObject({ state: "held", token });
    }
    expect(lockStanding(world.ledger, lockId).expiryMs).toBe(START_MS + TTL_MS);
  });

  test("of 0 ends a wait, and a grant of which nobody has heard", () => {
    const { world, lockId, token } = held(["a"]);
    const [gone, unheard] = [1, 2].map(() => world.acquire(["a"], { waitMs: LONG_MS }));
    expect(world.letGo(gone?.lockId ?? "", 0)).toMatchObject({ state: "over", end: "released" });
    world.letGo(lockId, token);
    expect(world.lockChanges).toContain(`${unheard?.lockId} granted`);
    world.letGo(unheard?.lockId ?? "", 0);
    expect(world.ledger.holders.size).toBe(0);
  });

  test("is given to one holder of a key, also when many are let go together", () => {
    const { world, lockId, token } = held(["a"]);
    const [next, last] = [1, 2].map(() => world.acquire(["a"], { waitMs: LONG_MS }));
    world.letGo(lockId, token);
    const granted = world.index;
    const locks = [
      { lockId: next?.lockId ?? "", token: granted },
      { lockId: last?.lockId ?? "", token: granted + 1 },
    ];
    world.commit({ kind: "release-locks", locks });
    expect(world.lockChanges).toEqual([`${next?.lockId} released`, `${last?.lockId} granted`]);
    expect(lockStanding(world.ledger, last?.lockId ?? "").token).toBe(granted + 1);
  });
});

describe("jobs and locks", () => {
  test("stand in one line", () => {
    const { world, lockId, token } = held(["a"]);
    const job = world.add({ lockKeys: ["a"] });
    expect(world.start(job)).toMatchObject({ reason: "locked", lockKey: "a" });
    const after = world.acquire(["a"], { waitMs: LONG_MS });
    world.letGo(lockId, token);
    expect(world.changes).toEqual([`${job} unparked`]);
    expect(world.lockChanges).toEqual([`${lockId} released`]);
    const jobToken = world.begin(job);
    world.succeed(job, jobToken);
    expect(world.lockChanges).toEqual([`${after.lockId} granted`]);
    expect(lockStanding(world.ledger, after.lockId).token).toBeGreaterThan(jobToken);
  });

  test("a lock waits for a woken job as long as the key is put by for it", () => {
    const { world, lockId, token } = held(["a"]);
    const job = world.add({ lockKeys: ["a"] });
    world.start(job);
    world.letGo(lockId, token);
    const waits = world.acquire(["a"], { waitMs: LONG_MS });
    expect(waits).toMatchObject({ state: "waiting", blocker: { id: job, token: 0 } });
    world.at(CLAIM_MS - 1).keep(waits.lockId, 0);
    world.at(CLAIM_MS).tick();
    expect(world.lockChanges).toEqual([`${waits.lockId} granted`]);
    expect(world.start(job)).toMatchObject({ reason: "locked", lockKey: "a" });
  });

  test("name each other as holders", () => {
    const world = new World();
    const job = world.add({ lockKeys: ["a", "c"] });
    const token = world.begin(job);
    const lock = world.acquire(["b"], { owner: "ada" });
    expect(world.acquire(["b", "a"]).blocker).toMatchObject({ key: "b", id: lock.lockId });
    const jobHolds = { id: job, owner: "w1", token, expiryMs: START_MS + LEASE_MS };
    expect(world.acquire(["a"]).blocker).toEqual({ key: "a", ...jobHolds });
    world.acquire(["a"], { waitMs: LONG_MS });
    expect(listLocks(world.ledger, "", 2)).toMatchObject({
      keys: [
        { key: "a", holder: jobHolds, waitingCount: 1 },
        { key: "b", holder: { id: lock.lockId, owner: "ada" }, waitingCount: 0 },
      ],
      hasMore: true,
    });
    expect(listLocks(world.ledger, "b", 2).keys.map(({ key }) => key)).toEqual(["c"]);
  });
});
