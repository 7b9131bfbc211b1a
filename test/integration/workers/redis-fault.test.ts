// A Redis that fails in one of its many ways, and then does not: work goes on by itself afterwards,
// without a restart of anything, and what was accepted meanwhile is run and recorded once.

import { describe, expect, test } from "@jest/globals";
import { Redis } from "ioredis";
import { z } from "zod";
import { defineJob } from "../../../workers/define-job.ts";
import { startPipeline } from "../../support/pipeline.ts";
import { startRedis, type TestRedis } from "../../support/redis.ts";

const pipeline = await startPipeline({ reconcileMs: 500, sweepMs: 500 });
const { submit, job, result, raw, redis } = pipeline;
/** Longer than a command may take, and than the pauses between tries to connect. */
const UNANSWERED_MS = 5_500;
const AWAY_MS = 3_000;
const JOBS = 5;

const LOOK_MS = 20;

/** INFO is answered also while it loads. */
async function redisSays(section: string, pattern: RegExp): Promise<void> {
  while (!pattern.test(await raw.info(section))) await pause(LOOK_MS);
}

interface Fault {
  readonly kind: string;
  strike(): Promise<void>;
  /** What it takes to end it, once jobs were accepted meanwhile. */
  heal(): Promise<void>;
}

/**
 * Before: a handler that runs, under a lock, and an idle worker that waits in Redis for its queue.
 * Meanwhile: more jobs for both. Afterwards: all of them, and the attempt that ran is the only one.
 */
async function survives({ kind, strike, heal }: Fault): Promise<void> {
  const gate = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const input = z.object({ n: z.number() });
  const busy = defineJob({
    kind: `${kind}-busy`,
    queue: `${kind}-busy`,
    input,
    lock: "{n}",
    async handler({ n }) {
      begun.resolve();
      if (n === 0) await gate.promise;
      return n;
    },
  });
  const idle = defineJob({
    kind: `${kind}-idle`,
    queue: `${kind}-idle`,
    input,
    handler: ({ n }) => n,
  });
  const worker = await pipeline.startWorker([busy, idle], { leaseMs: 3_000 });
  expect(await result(await submit(idle.kind, { n: 7 }))).toBe(7);
  const running = await submit(busy.kind, { n: 0 });
  await begun.promise;
  await strike();
  const accepted: string[] = [];
  for (let n = 0; n < JOBS; n += 1) {
    accepted.push(await submit(idle.kind, { n }), await submit(busy.kind, { n: n + 1 }));
  }
  await heal();
  gate.resolve();
  expect(await result(running)).toBe(0);
  expect(job(running).attempts.map(({ outcome }) => outcome)).toEqual(["succeeded"]);
  const results = await Promise.all(accepted.map((one) => result(one)));
  expect(results).toEqual(Array.from({ length: JOBS }, (_, n) => [n, n + 1]).flat());
  for (const one of accepted) expect(job(one)).toMatchObject({ refusedCount: 0 });
  expect(worker.isReady()).toBe(true);
  await worker.close();
}

const nothing = (): Promise<void> => Promise.resolve();
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe("work goes on by itself after a Redis", () => {
  test("that cut all its connections, several times", async () => {
    const cut = async (): Promise<void> => {
      await raw.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    };
    await survives({
      kind: "cut",
      strike: cut,
      async heal() {
        // Also whoever has just come back.
        await redisSays("clients", /connected_clients:([3-9]|\d\d)/);
        await cut();
        await cut();
      },
    });
  }, 30_000);

  test("that was away for seconds, and came back empty", async () => {
    await survives({
      kind: "away",
      strike: () => redis.kill(),
      async heal() {
        await pause(AWAY_MS);
        await redis.start();
      },
    });
  }, 30_000);

  test("that answered nobody for longer than a command may take", async () => {
    await survives({
      kind: "paused",
      async strike() {
        await raw.call("CLIENT", "PAUSE", String(UNANSWERED_MS), "ALL");
      },
      heal: nothing,
    });
  }, 30_000);

  test("that was full", async () => {
    await survives({
      kind: "full",
      async strike() {
        await raw.config("SET", "maxmemory", "1mb");
      },
      async heal() {
        await expect(raw.set("one", "more")).rejects.toThrow(/^OOM/);
        await pause(1_000);
        await raw.config("SET", "maxmemory", "0");
      },
    });
  }, 30_000);

  test("that took no writes, then loaded another's data, and then was the first again", async () => {
    const other = await startRedis();
    await fill(other);
    await survives({
      kind: "replica",
      async strike() {
        // Slow enough to be seen loading.
        await raw.config("SET", "key-load-delay", "500");
        await raw.config("SET", "loading-process-events-interval-bytes", "1024");
        await raw.config("SET", "repl-diskless-load", "disabled");
        await raw.call("REPLICAOF", "127.0.0.1", String(other.port));
        await expect(raw.set("one", "more")).rejects.toThrow(/^READONLY/);
      },
      async heal() {
        await redisSays("persistence", /loading:1/);
        await expect(raw.get("one")).rejects.toThrow(/^LOADING/);
        await redisSays("replication", /master_link_status:up/);
        await expect(raw.set("one", "more")).rejects.toThrow(/^READONLY/);
        await raw.call("REPLICAOF", "NO", "ONE");
      },
    });
    await other.stop();
  }, 60_000);
});

/** Of a Redis that knows nothing of ours. */
async function fill({ url }: TestRedis): Promise<void> {
  const client = new Redis(url);
  const many = Array.from({ length: 3_000 }, (_, at) => [`key-${at}`, "value"]);
  await client.config("SET", "repl-diskless-sync-delay", "0");
  await client.mset(Object.fromEntries(many));
  await client.quit();
}
