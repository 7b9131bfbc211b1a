// The queues against a real Redis: what adding again does, in which order jobs come out, how a
// Redis that is away or was wiped is noticed.

import { beforeEach, describe, expect, test } from "@jest/globals";
import { Redis } from "ioredis";
import { createBullJobQueue, type DueJob } from "../../../transport/redis/job-queue.ts";
import {
  createBullJobWorker,
  type Delivery,
  type DeliveryEnd,
} from "../../../transport/redis/job-worker.ts";
import { silentLogger } from "../../../transport/telemetry/logger.ts";
import { startRedis } from "../../support/redis.ts";
import { atEnd } from "../../support/teardown.ts";

const redis = await startRedis();
const raw = new Redis(redis.url);
atEnd(() => raw.disconnect());
const target = { url: redis.url, cluster: "test", logger: silentLogger() };
const jobQueue = createBullJobQueue({ ...target, id: "n1" });
atEnd(() => jobQueue.close());
await new Promise<void>((resolve) => {
  if (jobQueue.isReady()) resolve();
  else jobQueue.onReady(resolve);
});

beforeEach(async () => {
  await raw.flushall();
  await jobQueue.checkEpoch();
});

function due(jobId: string, more: Partial<DueJob> = {}): DueJob {
  const rest = { dispatch: 1, kind: "greet", queue: "q", priority: 0, traceparent: "" };
  return { jobId, ...rest, ...more };
}

/** Takes `count` jobs, one at a time, in the order that they come. */
async function takeInOrder(
  count: number,
  answer: (delivery: Delivery) => DeliveryEnd = () => ({ kind: "done" }),
): Promise<Delivery[]> {
  const taken: Delivery[] = [];
  const all = Promise.withResolvers<void>();
  const worker = createBullJobWorker({
    ...target,
    id: "w1",
    queue: "q",
    concurrency: 1,
    lockMs: 10_000,
    async process(delivery) {
      taken.push(delivery);
      if (taken.length === count) all.resolve();
      return answer(delivery);
    },
  });
  await all.promise;
  await worker.close();
  return taken;
}

const ids = (deliveries: readonly Delivery[]): string[] => deliveries.map(({ jobId }) => jobId);

async function recordCount(): Promise<number> {
  const keys = await raw.keys("{quorumq:test}:queue:q:j-*");
  return keys.length;
}

describe("adding", () => {
  test("the same job again adds nothing", async () => {
    await jobQueue.addMany([due("j-1"), due("j-2")]);
    expect(await jobQueue.addMany([due("j-1"), due("j-2")])).toEqual({ kind: "added" });
    expect(await recordCount()).toBe(2);
  });

  test("what is there is left alone, what is missing is added, of any dispatch", async () => {
    await jobQueue.addMany([due("j-1"), due("j-2", { dispatch: 2 })]);
    const all = [due("j-1"), due("j-2", { dispatch: 2 }), due("j-2", { dispatch: 3 }), due("j-3")];
    expect(await jobQueue.addMissing(all)).toEqual({ kind: "added" });
    const taken = await takeInOrder(4);
    expect(taken.map(({ jobId }) => jobId).sort()).toEqual(["j-1", "j-2", "j-2", "j-3"]);
  });

  test("a later dispatch of the same job is a job of its own", async () => {
    await jobQueue.addMany([due("j-1"), due("j-1", { dispatch: 2 })]);
    expect(await recordCount()).toBe(2);
  });

  test("puts no payload into Redis: only the id and the trace", async () => {
    const traceparent = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`;
    await jobQueue.addMany([due("j-1", { traceparent })]);
    const stored = await raw.hget("{quorumq:test}:queue:q:j-1", "data");
    expect(JSON.parse(stored ?? "")).toEqual({ jobId: "j-1", traceparent });
  });

  test("to a Redis that is away is answered at once, and nothing hangs", async () => {
    const away = createBullJobQueue({ ...target, url: "redis://127.0.0.1:1", id: "n2" });
    expect(await away.addMany([due("j-1")])).toMatchObject({ kind: "unreachable" });
    expect(await away.checkEpoch()).toBe("unreachable");
    await away.close();
  });
});

describe("taking", () => {
  test("is first come, first served among jobs of equal priority", async () => {
    const jobs = Array.from({ length: 30 }, (_, at) => due(`j-${at + 1}`));
    await jobQueue.addMany(jobs);
    expect(ids(await takeInOrder(30))).toEqual(jobs.map(({ jobId }) => jobId));
  });

  test("gives the higher priority first, and the normal one last", async () => {
    const priorities = [0, 5, 1_000, 0, 7];
    await jobQueue.addMany(priorities.map((priority, at) => due(`j-${at + 1}`, { priority })));
    expect(ids(await takeInOrder(5))).toEqual(["j-3", "j-5", "j-2", "j-1", "j-4"]);
  });

  test("leaves nothing of a delivery that is done", async () => {
    await jobQueue.addMany([due("j-1")]);
    await takeInOrder(1);
    expect(await recordCount()).toBe(0);
  });

  test("gives a delivery that was put back to the next who asks", async () => {
    await jobQueue.addMany([due("j-1")]);
    let count = 0;
    const taken = await takeInOrder(2, () => {
      count += 1;
      return count === 1 ? { kind: "put-back", delayMs: 0 } : { kind: "done" };
    });
    expect(ids(taken)).toEqual(["j-1", "j-1"]);
    expect(await recordCount()).toBe(0);
  });

  test("waits for a delivery that was put back with a delay", async () => {
    await jobQueue.addMany([due("j-1")]);
    const times: number[] = [];
    await takeInOrder(2, () => {
      times.push(performance.now());
      return times.length === 1 ? { kind: "put-back", delayMs: 200 } : { kind: "done" };
    });
    const [first = 0, second = 0] = times;
    expect(second - first).toBeGreaterThan(150);
  });
});

describe("the epoch", () => {
  test("is the same as long as Redis keeps its data", async () => {
    expect(await jobQueue.checkEpoch()).toBe("same");
    expect(await jobQueue.checkEpoch()).toBe("same");
  });

  test("is lost, once, when Redis was wiped", async () => {
    await raw.flushall();
    expect(await jobQueue.checkEpoch()).toBe("lost");
    expect(await jobQueue.checkEpoch()).toBe("same");
  });

  test("is lost also for who asks after another has set it anew", async () => {
    const other = createBullJobQueue({ ...target, id: "n3" });
    try {
      await new Promise<void>((resolve) => {
        other.onReady(resolve);
      });
      await raw.flushall();
      expect(await other.checkEpoch()).toBe("same");
      expect(await jobQueue.checkEpoch()).toBe("lost");
    } finally {
      await other.close();
    }
  });
});
