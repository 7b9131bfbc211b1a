// A Redis that may throw away what it was given is told of, by nodes and by workers.

import { expect, test } from "@jest/globals";
import { Redis } from "ioredis";
import { evictionPolicyIn } from "../../../transport/redis/eviction.ts";
import { createBullJobQueue } from "../../../transport/redis/job-queue.ts";
import { createRedisLock } from "../../../transport/redis/redis-lock.ts";
import { type Logger, silentLogger } from "../../../transport/telemetry/logger.ts";
import { startRedis } from "../../support/redis.ts";
import { atEnd } from "../../support/teardown.ts";

const redis = await startRedis();
const raw = new Redis(redis.url);
atEnd(() => raw.disconnect());

interface Warning {
  readonly maxmemory_policy?: string;
}

/** The first warning of a process that connects as this one. */
async function firstWarning(open: (logger: Logger) => { close(): Promise<void> }) {
  const { promise, resolve } = Promise.withResolvers<Warning>();
  const logger = Object.assign(Object.create(silentLogger()) as Logger, {
    warn: (details: Warning) => resolve(details),
  });
  const opened = open(logger);
  atEnd(() => opened.close());
  return promise;
}

test.each<[string, (logger: Logger) => { close(): Promise<void> }]>([
  ["node", (logger) => createBullJobQueue({ url: redis.url, cluster: "c", id: "n1", logger })],
  ["worker", (logger) => createRedisLock({ url: redis.url, cluster: "c", id: "w1", logger })],
])("a %s warns of every policy but noeviction", async (_who, open) => {
  await raw.config("SET", "maxmemory-policy", "volatile-lru");
  expect(await firstWarning(open)).toMatchObject({ maxmemory_policy: "volatile-lru" });
});

test("the policy is read from what Redis tells of its memory", async () => {
  await raw.config("SET", "maxmemory-policy", "noeviction");
  expect(evictionPolicyIn(await raw.info("memory"))).toBe("noeviction");
  expect(evictionPolicyIn("# Memory\r\nused_memory:1\r\n")).toBeNull();
});
