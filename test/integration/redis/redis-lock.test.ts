// The locks against a real Redis: what is atomic, who may take over, what a flush does.

import { beforeEach, describe, expect, test } from "@jest/globals";
import { Redis } from "ioredis";
import { createRedisLock } from "../../../transport/redis/redis-lock.ts";
import { silentLogger } from "../../../transport/telemetry/logger.ts";
import { startRedis } from "../../support/redis.ts";
import { atEnd } from "../../support/teardown.ts";

const TTL_MS = 60_000;
const redis = await startRedis();
const raw = new Redis(redis.url);
atEnd(() => raw.disconnect());
const logger = silentLogger();
const lock = createRedisLock({ url: redis.url, cluster: "test", id: "t", logger });
atEnd(() => lock.close());
// Not connected yet is "unreachable", too.
while ((await lock.acquire(["probe"], 1, 1)).kind === "unreachable") await raw.ping();
const keyOf = (key: string): string => `{quorumq:test}:lock:${key}`;

beforeEach(async () => {
  await raw.flushall();
});

describe("acquire", () => {
  test("takes all keys at once, with the token as value and a time to live", async () => {
    expect(await lock.acquire(["a", "b"], 7, TTL_MS)).toEqual({ kind: "held" });
    expect(await raw.mget(keyOf("a"), keyOf("b"))).toEqual(["7", "7"]);
    expect(await raw.pttl(keyOf("a"))).toBeGreaterThan(TTL_MS - 5_000);
  });

  test("changes nothing at all when one of the keys is held by a higher token", async () => {
    await lock.acquire(["b"], 9, TTL_MS);
    const hold = await lock.acquire(["a", "b", "c"], 8, TTL_MS);
    expect(hold).toEqual({ kind: "blocked", key: "b", token: 9 });
    expect(await raw.mget(keyOf("a"), keyOf("b"), keyOf("c"))).toEqual([null, "9", null]);
  });

  test("takes a key over from a lower token, compared as numbers and not as text", async () => {
    await lock.acquire(["a"], 9, TTL_MS);
    expect(await lock.acquire(["a"], 10, TTL_MS)).toEqual({ kind: "held" });
    expect(await raw.get(keyOf("a"))).toBe("10");
  });

  test("tells the largest tokens apart exactly", async () => {
    await lock.acquire(["a"], Number.MAX_SAFE_INTEGER, TTL_MS);
    const lower = Number.MAX_SAFE_INTEGER - 1;
    const blocked = { kind: "blocked", key: "a", token: Number.MAX_SAFE_INTEGER };
    expect(await lock.acquire(["a"], lower, TTL_MS)).toEqual(blocked);
  });

  test("may be done twice by the same token", async () => {
    await lock.acquire(["a"], 7, TTL_MS);
    expect(await lock.acquire(["a"], 7, TTL_MS)).toEqual({ kind: "held" });
  });

  test("gives each contested set to one holder only, the highest token", async () => {
    const tokens = Array.from({ length: 50 }, (_, at) => at + 1);
    await Promise.all(tokens.map((token) => lock.acquire(["x", "y"], token, TTL_MS)));
    expect(await raw.mget(keyOf("x"), keyOf("y"))).toEqual(["50", "50"]);
  });
});

describe("renew", () => {
  test("sets again what Redis has lost", async () => {
    await lock.acquire(["a", "b"], 7, TTL_MS);
    await raw.flushall();
    expect(await lock.renew(["a", "b"], 7, TTL_MS)).toEqual({ kind: "held" });
    expect(await raw.mget(keyOf("a"), keyOf("b"))).toEqual(["7", "7"]);
  });

  test("names the newer token that has taken a key", async () => {
    await lock.acquire(["a"], 7, TTL_MS);
    await lock.acquire(["a"], 8, TTL_MS);
    const lost = { kind: "blocked", key: "a", token: 8 };
    expect(await lock.renew(["a"], 7, TTL_MS)).toEqual(lost);
    expect(await raw.get(keyOf("a"))).toBe("8");
  });

  test("gives the key a whole time to live again", async () => {
    await lock.acquire(["a"], 7, 5_000);
    await lock.renew(["a"], 7, TTL_MS);
    expect(await raw.pttl(keyOf("a"))).toBeGreaterThan(5_000);
  });
});

describe("release", () => {
  test("frees only what holds this very token", async () => {
    await lock.acquire(["a", "b"], 7, TTL_MS);
    await lock.acquire(["b"], 8, TTL_MS);
    expect(await lock.release(["a", "b"], 7)).toEqual({ kind: "released", count: 1 });
    expect(await raw.mget(keyOf("a"), keyOf("b"))).toEqual([null, "8"]);
  });

  test("by an older token does nothing", async () => {
    await lock.acquire(["a"], 8, TTL_MS);
    expect(await lock.release(["a"], 7)).toEqual({ kind: "released", count: 0 });
  });
});

describe("a Redis in trouble", () => {
  test("that has forgotten its scripts is sent them again", async () => {
    await lock.acquire(["a"], 7, TTL_MS);
    await raw.script("FLUSH");
    expect(await lock.renew(["a"], 7, TTL_MS)).toEqual({ kind: "held" });
  });

  test("that cuts the connection fails what is on its way then, not after its timeout", async () => {
    await raw.call("CLIENT", "PAUSE", String(TTL_MS), "WRITE");
    const hold = lock.acquire(["a"], 7, TTL_MS);
    // Until its command has arrived and waits, there is nothing on its way.
    while (!/name=quorumq:t:lock .*flags=b/.test(String(await raw.client("LIST")))) {
      await raw.ping();
    }
    await raw.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    const ended = await hold;
    await raw.call("CLIENT", "UNPAUSE");
    expect(ended.kind).toBe("unreachable");
    const cause = ended.kind === "unreachable" ? String(ended.cause) : "";
    expect(cause).not.toMatch(/timed out/i);
    while ((await lock.acquire(["a"], 7, TTL_MS)).kind === "unreachable") await raw.ping();
  });

  test("that is away is told apart from a lock that is lost, at once", async () => {
    const away = createRedisLock({ url: "redis://127.0.0.1:1", cluster: "test", id: "a", logger });
    try {
      expect(await away.acquire(["a"], 7, TTL_MS)).toMatchObject({ kind: "unreachable" });
      expect(await away.renew(["a"], 7, TTL_MS)).toMatchObject({ kind: "unreachable" });
      expect(await away.release(["a"], 7)).toMatchObject({ kind: "unreachable" });
    } finally {
      await away.close();
    }
  });
});
