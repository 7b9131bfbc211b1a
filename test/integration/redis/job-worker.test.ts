// Whether jobs are being taken: not that a connection is open counts, but that Redis answers.

import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import { createBullJobQueue } from "../../../transport/redis/job-queue.ts";
import { createBullJobWorker, type JobWorker } from "../../../transport/redis/job-worker.ts";
import { silentLogger } from "../../../transport/telemetry/logger.ts";
import { startRedis } from "../../support/redis.ts";
import { openRelay } from "../../support/relay.ts";
import { atEnd } from "../../support/teardown.ts";

const LOOK_MS = 20;
const redis = await startRedis();
const target = { url: redis.url, cluster: "test", logger: silentLogger() };

async function problemOf(worker: JobWorker, isAsked: (problem: string | null) => boolean) {
  for (;;) {
    const problem = worker.problem();
    if (isAsked(problem)) return problem;
    await delay(LOOK_MS);
  }
}

const isWell = (problem: string | null): boolean => problem === null;

test("a Redis that is connected and silent is told of; who is busy does not ask, and is well", async () => {
  const jobQueue = createBullJobQueue({ ...target, id: "n1" });
  atEnd(() => jobQueue.close());
  const gate = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const workerOf = (queue: string): JobWorker => {
    const worker = createBullJobWorker({
      ...target,
      id: "w1",
      queue,
      concurrency: 1,
      lockMs: 60_000,
      // Longer than one pop of two seconds, so that a Redis that answers is not taken for silent.
      silentMs: 2_900,
      async process() {
        begun.resolve();
        await gate.promise;
        return { kind: "done" };
      },
    });
    atEnd(() => worker.close());
    return worker;
  };
  const idle = workerOf("idle");
  const busy = workerOf("busy");
  await new Promise<void>((resolve) => {
    if (jobQueue.isReady()) resolve();
    else jobQueue.onReady(resolve);
  });
  const due = { dispatch: 1, kind: "greet", priority: 0, traceparent: "" };
  await jobQueue.addMany([{ ...due, jobId: "j-1", queue: "busy" }]);
  await begun.promise;
  await problemOf(idle, isWell);
  await redis.kill("SIGSTOP");
  try {
    // On a busy machine its connection may be remade, in vain, before anybody looks here.
    const problem = await problemOf(idle, (told) => told !== null);
    expect(problem).toMatch(/has not answered about queue idle|is away from queue idle/);
    expect(busy.problem()).toBeNull();
  } finally {
    await redis.kill("SIGCONT");
  }
  await problemOf(idle, isWell);
  await redis.kill();
  expect(await problemOf(busy, (problem) => problem !== null)).toMatch(/away from queue busy/);
  await redis.start();
  await problemOf(busy, isWell);
  gate.resolve();
}, 30_000);

test("connections that are open and dead are made anew, and jobs are taken again", async () => {
  const relay = await openRelay(redis.url);
  const jobQueue = createBullJobQueue({ ...target, id: "n2" });
  atEnd(() => jobQueue.close());
  const taken: string[] = [];
  const first = Promise.withResolvers<void>();
  const second = Promise.withResolvers<void>();
  const worker = createBullJobWorker({
    ...target,
    url: relay.url,
    id: "w2",
    queue: "dead",
    concurrency: 1,
    lockMs: 60_000,
    // Two thirds of it are longer than one pop of two seconds.
    silentMs: 4_500,
    async process({ jobId }) {
      taken.push(jobId);
      (taken.length === 1 ? first : second).resolve();
      return { kind: "done" };
    },
  });
  atEnd(() => worker.close());
  await new Promise<void>((resolve) => {
    if (jobQueue.isReady()) resolve();
    else jobQueue.onReady(resolve);
  });
  const due = { dispatch: 1, kind: "greet", queue: "dead", priority: 0, traceparent: "" };
  await jobQueue.addMany([{ ...due, jobId: "j-1" }]);
  await first.promise;
  relay.swallow();
  await jobQueue.addMany([{ ...due, jobId: "j-2" }]);
  await second.promise;
  expect(taken).toEqual(["j-1", "j-2"]);
  await problemOf(worker, isWell);
}, 60_000);
