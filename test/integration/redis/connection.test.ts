// A connection whose other end has gone without a word: what is on its way, and what comes after.

import { expect, test } from "@jest/globals";
import type { Redis } from "ioredis";
import { connectRedis } from "../../../transport/redis/connection.ts";
import { silentLogger } from "../../../transport/telemetry/logger.ts";
import { startRedis } from "../../support/redis.ts";
import { openRelay } from "../../support/relay.ts";
import { atEnd } from "../../support/teardown.ts";

const { url } = await startRedis();

/** Whatever errors come before. */
function ready(redis: Redis): Promise<void> {
  return new Promise((resolve) => redis.once("ready", () => resolve()));
}

test("a connection for commands fails what had no answer, and works again by itself", async () => {
  const relay = await openRelay(url);
  const options = { url: relay.url, name: "t", mode: "command", silentMs: 200 } as const;
  const redis = connectRedis({ ...options, logger: silentLogger() });
  atEnd(() => redis.disconnect());
  await ready(redis);
  expect(await redis.ping()).toBe("PONG");
  relay.swallow();
  const again = ready(redis);
  await expect(redis.ping()).rejects.not.toThrow(/timed out/i);
  await again;
  expect(await redis.ping()).toBe("PONG");
});

test("a connection that says nothing because it is asked nothing stays as it is", async () => {
  const redis = connectRedis({
    ...{ url, name: "quiet", mode: "blocking", silentMs: 100 },
    logger: silentLogger(),
  });
  atEnd(() => redis.disconnect());
  await ready(redis);
  const id = await redis.client("ID");
  // Another one is cut off meanwhile, twice as patient.
  const relay = await openRelay(url);
  const options = { url: relay.url, name: "cut", mode: "command", silentMs: 200 } as const;
  const other = connectRedis({ ...options, logger: silentLogger() });
  atEnd(() => other.disconnect());
  await ready(other);
  relay.swallow();
  await expect(other.ping()).rejects.toThrow();
  expect(await redis.client("ID")).toBe(id);
});
