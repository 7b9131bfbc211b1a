// createWorker's own connections: none before run, none left after close.

import { describe, expect, test } from "@jest/globals";
import { createWorker } from "../../../workers/create-worker.ts";
import { greet } from "../../../workers/handlers/greet.ts";
import { startRedis } from "../../support/redis.ts";

/** Nobody listens there. */
const AMQP_AWAY = "amqp://127.0.0.1:1";

describe("a worker with connections of its own", () => {
  test("closes at once when it never ran", async () => {
    const connection = { amqpUrl: AMQP_AWAY, redisUrl: "redis://127.0.0.1:1", cluster: "c" };
    const worker = createWorker({ jobs: [greet], connection });
    await worker.close();
    expect(worker.isReady()).toBe(false);
    await expect(worker.run()).rejects.toThrow("does not run again");
  });

  test("can be closed while it still looks for its broker", async () => {
    const redis = await startRedis();
    const connection = { amqpUrl: AMQP_AWAY, redisUrl: redis.url, cluster: "c" };
    const worker = createWorker({ jobs: [greet], connection, id: "w-early" });
    const running = worker.run();
    expect(worker.isReady()).toBe(false);
    await worker.close({ graceMs: 0 });
    await running;
    expect(worker.isReady()).toBe(false);
  });

  test("refuses two definitions of one kind before it connects to anything", async () => {
    const connection = { amqpUrl: AMQP_AWAY, redisUrl: "redis://127.0.0.1:1", cluster: "c" };
    expect(() => createWorker({ jobs: [greet, greet], connection })).toThrow("defined once");
    expect(() => createWorker({ jobs: [], connection })).toThrow("at least one");
  });
});
