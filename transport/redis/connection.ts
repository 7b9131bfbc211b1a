// How a process connects to Redis: the options of ioredis, none left to a default that matters.
//
// Guarantees: a "command" connection never makes its caller wait for a Redis that is away: each
// command fails at once when not connected or cut off, within COMMAND_TIMEOUT_MS when Redis is
// frozen, and is not sent a second time behind the caller's back. A "blocking" connection, which
// BullMQ's workers need, waits for ever instead. Neither stays with a peer that has gone without a
// word. Keys of one cluster share a hash tag, so that scripts over several keys and BullMQ itself
// stay in one slot of a Redis Cluster.
// Does not own: what is said over it.

import { Redis } from "ioredis";
import type { Logger } from "../telemetry/logger.ts";

const COMMAND_TIMEOUT_MS = 5_000;
/** Two commands that had no answer. */
const SILENT_MS = 2 * COMMAND_TIMEOUT_MS;
const CONNECT_TIMEOUT_MS = 5_000;
const RETRY_DELAY_MIN_MS = 50;
const RETRY_DELAY_MAX_MS = 2_000;
const KEEP_ALIVE_MS = 10_000;

export interface RedisTarget {
  readonly url: string;
  readonly cluster: string;
}

export interface RedisConnectionOptions {
  readonly url: string;
  /** Shown by CLIENT LIST. */
  readonly name: string;
  readonly mode: "command" | "blocking";
  /**
   * How long something may be on its way without any answer before the connection is made anew: a
   * peer that has gone without a word leaves it open for a quarter of an hour.
   */
  readonly silentMs?: number;
  readonly logger: Logger;
}

export function connectRedis(options: RedisConnectionOptions): Redis {
  const isCommand = options.mode === "command";
  const redis = new Redis(options.url, {
    connectionName: options.name,
    lazyConnect: false,
    connectTimeout: CONNECT_TIMEOUT_MS,
    noDelay: true,
    keepAlive: KEEP_ALIVE_MS,
    socketTimeout: options.silentMs ?? SILENT_MS,
    enableReadyCheck: true,
    enableOfflineQueue: !isCommand,
    autoResendUnfulfilledCommands: !isCommand,
    // 0: what was on its way when the connection broke fails then. From 1 on ioredis leaves it
    // open, and since nothing is sent again, only its timeout would end it. BullMQ refuses a
    // worker's connection unless this is null: a blocking pop waits for ever.
    maxRetriesPerRequest: isCommand ? 0 : null,
    ...(isCommand ? { commandTimeout: COMMAND_TIMEOUT_MS } : {}),
    retryStrategy: (times) =>
      Math.min(RETRY_DELAY_MAX_MS, RETRY_DELAY_MIN_MS * 2 ** Math.min(times, 10)),
  });
  logChanges(redis, options);
  return redis;
}

/** One line a change of state, not one a failed try to connect. */
function logChanges(redis: Redis, options: RedisConnectionOptions): void {
  let isAway = false;
  redis.on("ready", () => {
    if (isAway) options.logger.info({ connection: options.name }, "Redis is back");
    isAway = false;
  });
  redis.on("error", (error: NodeJS.ErrnoException) => {
    if (isAway) return;
    isAway = true;
    const cause = { connection: options.name, code: error.code, error: error.message };
    options.logger.warn(cause, "Redis is away");
  });
}

/** All keys of a cluster begin so; the braces are Redis Cluster's hash tag. */
function keyBase(cluster: string): string {
  return `{quorumq:${cluster}}`;
}

/** BullMQ's prefix. A part of its own, so that no queue's name can collide with a lock's key. */
export function queuePrefix(cluster: string): string {
  return `${keyBase(cluster)}:queue`;
}

export function lockPrefix(cluster: string): string {
  return `${keyBase(cluster)}:lock:`;
}

export function epochKey(cluster: string): string {
  return `${keyBase(cluster)}:epoch`;
}
