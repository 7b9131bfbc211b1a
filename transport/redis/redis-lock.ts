// Locks in Redis: several keys at once, the fencing token as value, a time to live.
//
// Guarantees: acquire and renew are one atomic step over all keys; a higher token takes a key over,
// a lower one never does; a key that Redis lost is set again by the next renewal; doing either
// twice changes nothing. "unreachable" is told apart from "blocked": Redis makes locks quick, the
// ledger makes them true, so who cannot reach Redis may go on.
// Does not own: who holds a key in truth (ledger), nor when to renew (workers/lease-keeper.ts).

import assert from "node:assert";
import type { Logger } from "../telemetry/logger.ts";
import { connectRedis, lockPrefix, type RedisTarget } from "./connection.ts";
import { warnOfEviction } from "./eviction.ts";
import { HOLD_LOCKS, RELEASE_LOCKS } from "./lock-script.ts";
import { runScript, script } from "./script.ts";

export type Hold =
  | { readonly kind: "held" }
  /** A higher token holds this key: ours is of the past. Nothing was changed. */
  | { readonly kind: "blocked"; readonly key: string; readonly token: number }
  | Unreachable;

export type Release = { readonly kind: "released"; readonly count: number } | Unreachable;

/** Redis is away or refuses: it may or may not have done what was asked. */
export interface Unreachable {
  readonly kind: "unreachable";
  readonly cause: unknown;
}

export interface RedisLock {
  acquire(keys: readonly string[], token: number, ttlMs: number): Promise<Hold>;
  /** As acquire: still ours, or lost by Redis and set again, or "blocked": lost for good. */
  renew(keys: readonly string[], token: number, ttlMs: number): Promise<Hold>;
  release(keys: readonly string[], token: number): Promise<Release>;
  close(): Promise<void>;
}

export interface RedisLockOptions extends RedisTarget {
  /** Node or worker id, for the connection's name. */
  readonly id: string;
  readonly logger: Logger;
}

const HOLD = script(HOLD_LOCKS);
const RELEASE = script(RELEASE_LOCKS);

export function createRedisLock(options: RedisLockOptions): RedisLock {
  const { url, logger } = options;
  const redis = connectRedis({ url, name: `quorumq:${options.id}:lock`, mode: "command", logger });
  warnOfEviction(redis, logger);
  const prefix = lockPrefix(options.cluster);

  async function hold(keys: readonly string[], token: number, ttlMs: number): Promise<Hold> {
    assert(Number.isSafeInteger(token) && token > 0, `a token is a log index, got ${token}`);
    if (keys.length === 0) return { kind: "held" };
    try {
      const arguments_ = [String(token), String(Math.ceil(ttlMs))];
      const reply = await runScript(redis, HOLD, prefixed(prefix, keys), arguments_);
      assert(Array.isArray(reply), "the hold script answers with a list");
      const [key, holder] = reply;
      if (key === undefined) return { kind: "held" };
      return { kind: "blocked", key: String(key).slice(prefix.length), token: Number(holder) };
    } catch (cause) {
      return unreachable(cause);
    }
  }

  return {
    acquire: hold,
    renew: hold,
    async release(keys, token) {
      if (keys.length === 0) return { kind: "released", count: 0 };
      try {
        const reply = await runScript(redis, RELEASE, prefixed(prefix, keys), [String(token)]);
        return { kind: "released", count: Number(reply) };
      } catch (cause) {
        return unreachable(cause);
      }
    },
    async close() {
      redis.disconnect();
    },
  };
}

/** Holds whatever the ledger says, and tells Redis nothing. */
export const NO_REDIS_LOCK: RedisLock = {
  acquire: () => Promise.resolve({ kind: "held" }),
  renew: () => Promise.resolve({ kind: "held" }),
  release: () => Promise.resolve({ kind: "released", count: 0 }),
  close: () => Promise.resolve(),
};

function prefixed(prefix: string, keys: readonly string[]): string[] {
  return keys.map((key) => prefix + key);
}

function unreachable(cause: unknown): Unreachable {
  // An assertion that fails is our own bug, whoever is watching.
  if (cause instanceof assert.AssertionError) throw cause;
  return { kind: "unreachable", cause };
}
