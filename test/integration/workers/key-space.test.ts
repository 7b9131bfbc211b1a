// What is left in Redis when all work has ended: jobs of all sorts, ended in all ways, through a
// loss of Redis and a change of leader, and then nothing but a few keys a queue.

import { expect, test } from "@jest/globals";
import { Redis } from "ioredis";
import { z } from "zod";
import type { CommandBody } from "../../../ledger/command.ts";
import { createBullJobQueue } from "../../../transport/redis/job-queue.ts";
import { silentLogger } from "../../../transport/telemetry/logger.ts";
import { defineJob } from "../../../workers/define-job.ts";
import { startPipeline } from "../../support/pipeline.ts";
import { atEnd } from "../../support/teardown.ts";

const pipeline = await startPipeline({ reconcileMs: 300, sweepMs: 300 });
const { quorum, submit, until, job, raw, redis } = pipeline;
const CALL = { timeoutMs: 5_000, traceparent: "" };
/** Short, so that what workers keep of themselves is gone soon after them. */
const LEASE_MS = 600;
const EVENTS_MAX = 200;
const QUEUES = ["mixed", "slow", "idle"];
const OLD_QUEUE = "a-queue-of-old";

const OF_A_CLUSTER = /^\{quorumq:pipeline\}:epoch$/;
/** What stays of a queue, however many jobs it has had. */
const OF_A_QUEUE = /^\{quorumq:pipeline\}:queue:([^:]+):(id|meta|events|marker|pc)$/;

async function propose(body: CommandBody): Promise<void> {
  const outcome = await quorum.propose(body, CALL);
  if (outcome.kind !== "applied") throw new Error(outcome.kind);
}

/** Keys that are too many, and streams that are too long or may become so. */
async function leftovers(): Promise<string[]> {
  const keys = await raw.keys("*");
  const left = keys.filter((key) => {
    const queue = OF_A_QUEUE.exec(key)?.[1];
    return !OF_A_CLUSTER.test(key) && (queue === undefined || queue === OLD_QUEUE);
  });
  for (const queue of QUEUES) {
    const base = `{quorumq:pipeline}:queue:${queue}:`;
    const isBounded = (await raw.hget(`${base}meta`, "opts.maxLenEvents")) === "100";
    const isShort = (await raw.xlen(`${base}events`)) <= EVENTS_MAX;
    if (!isBounded || !isShort) left.push(`${base}events`);
  }
  return left;
}

/** Looks again after each change of a key, those included that end by themselves. */
async function untilNothingIsLeft(): Promise<void> {
  await raw.config("SET", "notify-keyspace-events", "KEA");
  const changes = new Redis(redis.url);
  atEnd(() => changes.disconnect());
  const isClean = Promise.withResolvers<void>();
  const look = (): void => {
    leftovers().then(
      (left) => {
        if (left.length === 0) isClean.resolve();
      },
      (error: unknown) => isClean.reject(error),
    );
  };
  changes.on("pmessage", look);
  await changes.psubscribe("__keyevent@0__:*");
  look();
  await isClean.promise;
}

const numbered = z.object({ n: z.number() });
const RETRY = { maxAttempts: 2, backoff: { initialMs: 1, multiplier: 1, maxMs: 1 } };
const SORTS = {
  plain: defineJob({ kind: "plain", queue: "mixed", input: numbered, handler: ({ n }) => n }),
  failing: defineJob({
    ...{ kind: "failing", queue: "mixed", input: numbered, retry: RETRY },
    handler: () => {
      throw new Error("as always");
    },
  }),
  contended: defineJob({
    kind: "contended",
    queue: "mixed",
    input: numbered,
    lock: "one",
    handler: ({ n }) => n,
  }),
  narrow: defineJob({
    kind: "narrow",
    queue: "mixed",
    input: numbered,
    concurrency: { key: "narrow", limit: 1 },
    handler: ({ n }) => n,
  }),
  slow: defineJob({
    ...{ kind: "slow", queue: "slow", input: numbered, retry: { maxAttempts: 1 }, timeoutMs: 200 },
    handler: (_input, { signal }) =>
      new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      }),
  }),
};
/** Registered by a worker that leaves at once: nobody takes its jobs any more. */
const idle = defineJob({ kind: "idle", queue: "idle", input: numbered, handler: ({ n }) => n });

test("is a few keys a queue and one a cluster", async () => {
  const options = { leaseMs: LEASE_MS, concurrency: 4 };
  await (await pipeline.startWorker([idle], options)).close();
  const worker = await pipeline.startWorker(Object.values(SORTS), options);
  const running: string[] = [];
  const submitAll = async (kinds: readonly string[], count: number): Promise<void> => {
    for (let n = 0; n < count; n += 1) {
      for (const kind of kinds) running.push(await submit(kind, { n }));
    }
  };
  await submitAll(["plain", "failing", "contended", "narrow"], 20);
  await submitAll(["slow"], 4);

  // Taken back before anybody has them: cancelled, drained, too late, and in a queue of long ago.
  const waiting: string[] = [];
  for (let n = 0; n < 60; n += 1) waiting.push(await submit("idle", { n }));
  waiting.push(await submit("idle", { n: 60 }, { totalTimeoutMs: 100 }));
  const cancelled = await submit("slow", { n: 5 });
  await until(cancelled, "running");
  for (const jobId of [...waiting.slice(0, 20), cancelled]) {
    await propose({ kind: "cancel-job", jobId, reason: "" });
  }
  const stranger = createBullJobQueue({
    ...{ url: redis.url, cluster: "pipeline", id: "stranger", logger: silentLogger() },
  });
  await new Promise<void>((resolve) => {
    stranger.onReady(resolve);
  });
  const old = { dispatch: 3, kind: "old", queue: OLD_QUEUE, priority: 0, traceparent: "" };
  await stranger.addMany([{ ...old, jobId: "j-1-1" }]);

  await Promise.all(running.slice(0, 40).map((one) => until(one, "succeeded", "failed")));
  await raw.flushall();
  await submitAll(["plain", "failing", "contended", "narrow"], 20);
  await stranger.addMany([{ ...old, jobId: "j-1-2" }]);
  await stranger.close();
  await until(waiting.at(-1) ?? "", "failed");
  const drain = { withScheduled: true, jobsMax: 100, untilArrival: 0, reason: "" };
  await propose({ kind: "drain-queue", queue: "idle", ...drain });
  pipeline.dispatcher.stop();
  pipeline.dispatcher.start();

  // Handed back, and taken by who comes next.
  const second = await pipeline.startWorker(Object.values(SORTS), options);
  await worker.close({ graceMs: 0 });
  await submitAll(["slow", "plain"], 3);
  await Promise.all(running.map((one) => until(one, "succeeded", "failed", "cancelled")));
  for (const jobId of waiting) expect(["cancelled", "failed"]).toContain(job(jobId).state);
  await second.close();

  // Between the loss and the next look at Redis BullMQ keeps more: the next event takes it away.
  const third = await pipeline.startWorker([idle, ...Object.values(SORTS)], options);
  const last = await Promise.all(["plain", "slow", "idle"].map((kind) => submit(kind, { n: 0 })));
  await Promise.all(last.map((one) => until(one, "succeeded", "failed")));
  await third.close();

  await untilNothingIsLeft();
  expect(await leftovers()).toEqual([]);
}, 60_000);
