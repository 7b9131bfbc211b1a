// Taking deliveries out of a real Redis: of exactly one dispatch, never from a worker, and whatever
// else happens at the same time, never so that one gets lost.

import { beforeEach, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { Redis } from "ioredis";
import type { DeliveryRef } from "../../../transport/redis/delivery.ts";
import { createBullJobQueue, type DueJob } from "../../../transport/redis/job-queue.ts";
import {
  createBullJobWorker,
  type Delivery,
  type DeliveryEnd,
  type JobWorker,
} from "../../../transport/redis/job-worker.ts";
import { silentLogger } from "../../../transport/telemetry/logger.ts";
import { startRedis } from "../../support/redis.ts";
import { atEnd } from "../../support/teardown.ts";

const redis = await startRedis();
const raw = new Redis(redis.url);
atEnd(() => raw.disconnect());
const target = { url: redis.url, cluster: "shelf", logger: silentLogger() };
const BASE = "{quorumq:shelf}:queue:q:";
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

/** The dispatch travels as the trace, so that a delivery tells which one it is. */
function due(jobId: string, dispatch = 1, queue = "q"): DueJob {
  const rest = { kind: "greet", priority: 0, traceparent: String(dispatch) };
  return { jobId, dispatch, queue, ...rest };
}

function work(process: (delivery: Delivery) => Promise<DeliveryEnd>): JobWorker {
  const id = "w1";
  return createBullJobWorker({
    ...target,
    id,
    queue: "q",
    concurrency: 2,
    lockMs: 10_000,
    process,
  });
}

const nameOf = ({ jobId, dispatch }: Pick<DeliveryRef, "jobId" | "dispatch">): string =>
  `${jobId}.${dispatch}`;

/** Of all that a walk finds. */
async function held(): Promise<DeliveryRef[]> {
  const found = new Map<string, DeliveryRef>();
  let cursor = "0";
  do {
    const piece = await jobQueue.lookThrough(cursor);
    if (piece.kind === "unreachable") throw new Error("Redis is away", { cause: piece.cause });
    for (const one of piece.deliveries) found.set(`${one.queue} ${nameOf(one)}`, one);
    cursor = piece.cursor;
  } while (cursor !== "0");
  return [...found.values()];
}

const names = async (): Promise<string[]> => (await held()).map(nameOf).toSorted();

describe("a delivery that waits", () => {
  test("goes with all that is kept of it, and can be added again", async () => {
    await jobQueue.addMany([due("j-1"), due("j-2-1")]);
    expect(await jobQueue.remove([due("j-1")])).toEqual({ kind: "removed", over: 1, stranded: 0 });
    expect(await names()).toEqual(["j-2-1.1"]);
    expect(await raw.zrange(`${BASE}prioritized`, "0", "-1")).toEqual(["j-2-1"]);
    await jobQueue.addMany([due("j-1")]);
    expect(await names()).toEqual(["j-1.1", "j-2-1.1"]);
  });

  test("under another dispatch of the same job stays", async () => {
    await jobQueue.addMany([due("j-1"), due("j-1", 2), due("j-1", 12)]);
    await jobQueue.remove([due("j-1", 2)]);
    expect(await names()).toEqual(["j-1.1", "j-1.12"]);
  });

  test("is found in any queue, known or not, and nothing else is taken for one", async () => {
    await jobQueue.addMany([due("j-1"), due("j-2", 3, "a.queue-of-old")]);
    await raw.hset(`${BASE}j-1.1`, "no", "delivery");
    await raw.hset(`${BASE}07`, "not", "ours");
    await raw.hset("{quorumq:shelf}:lock:j-3", "a", "lock");
    await raw.hset("{quorumq:shelf-2}:queue:q:j-4", "of", "another cluster");
    expect((await held()).map(({ queue, ...one }) => [queue, nameOf(one)]).toSorted()).toEqual([
      ["a.queue-of-old", "j-2.3"],
      ["q", "j-1.1"],
    ]);
  });

  test("goes in bulk, of several queues, a thousand and more at once", async () => {
    const all = Array.from({ length: 1_200 }, (_, at) => due(`j-${at + 1}`, 1, `q-${at % 3}`));
    await jobQueue.addMany(all);
    expect(await jobQueue.remove(all)).toMatchObject({ over: 1_200 });
    expect(await held()).toEqual([]);
  });
});

describe("a queue that is not known", () => {
  test("is taken away when it holds nothing, and works as any when it is used again", async () => {
    await jobQueue.addMany([due("j-1", 1, "old"), due("j-2", 1, "older")]);
    await jobQueue.remove([due("j-1", 1, "old")]);
    expect(await jobQueue.clearAway(["old", "older"])).toEqual({ kind: "cleared" });
    const isOfOld = (key: string): boolean => key.startsWith("{quorumq:shelf}:queue:old:");
    expect((await raw.keys("*")).filter(isOfOld)).toEqual([]);
    await jobQueue.addMany([due("j-3", 1, "old")]);
    expect(await names()).toEqual(["j-2.1", "j-3.1"]);
  });
});

describe("a delivery that a worker has", () => {
  test("is left alone until BullMQ's lock on it is gone", async () => {
    const gate = Promise.withResolvers<DeliveryEnd>();
    const taken = Promise.withResolvers<Delivery>();
    const worker = work((delivery) => {
      taken.resolve(delivery);
      return gate.promise;
    });
    await jobQueue.addMany([due("j-1")]);
    await taken.promise;
    expect(await jobQueue.remove([due("j-1")], [])).toMatchObject({ over: 0 });
    expect(await jobQueue.remove([], [due("j-1")])).toMatchObject({ stranded: 0 });
    expect(await raw.lrange(`${BASE}active`, "0", "-1")).toEqual(["j-1"]);
    await raw.del(`${BASE}j-1:lock`);
    // Not known to be over: it may run.
    expect(await jobQueue.remove([], [due("j-1")])).toMatchObject({ stranded: 0 });
    expect(await jobQueue.remove([due("j-1")])).toMatchObject({ over: 1 });
    expect(await raw.lrange(`${BASE}active`, "0", "-1")).toEqual([]);
    gate.resolve({ kind: "done" });
    await worker.close();
    expect(await held()).toEqual([]);
  });
});

describe("a delivery that BullMQ has lost hold of", () => {
  test("would never be given to a worker: it goes, and the job can be added again", async () => {
    await jobQueue.addMany([due("j-1"), due("j-2")]);
    // As a Redis does that evicts: one key is gone, others stay.
    await raw.del(`${BASE}prioritized`);
    expect(await jobQueue.addMissing([due("j-1"), due("j-2")])).toEqual({ kind: "added" });
    expect(await raw.zcard(`${BASE}prioritized`)).toBe(0);
    const removed = await jobQueue.remove([], [due("j-1"), due("j-2")]);
    expect(removed).toEqual({ kind: "removed", over: 0, stranded: 2 });
    await jobQueue.addMissing([due("j-1"), due("j-2")]);
    expect(await raw.zcard(`${BASE}prioritized`)).toBe(2);
    expect(await jobQueue.remove([], [due("j-1"), due("j-2")])).toMatchObject({ stranded: 0 });
  });

  test("of which only the name is left is dropped by the worker that gets it", async () => {
    await jobQueue.addMany([due("j-1"), due("j-2")]);
    await raw.del(`${BASE}j-1`);
    const taken: string[] = [];
    const second = Promise.withResolvers<void>();
    const worker = work(async ({ jobId }) => {
      taken.push(jobId);
      second.resolve();
      return { kind: "done" };
    });
    await second.promise;
    await worker.close();
    expect(taken).toEqual(["j-2"]);
    expect(await held()).toEqual([]);
  });
});

/** What the ledger does to one of its jobs. */
type Step = "queue" | "take-back" | "sweep";

describe("adding, taking back, sweeping and working at the same time", () => {
  const STEP = fc.constantFrom<Step>("queue", "queue", "take-back", "sweep");
  const STEPS = fc.array(fc.tuple(fc.integer({ min: 1, max: 6 }), STEP), {
    minLength: 20,
    maxLength: 60,
  });

  test("never loses what is due, and leaves nothing that is over", async () => {
    await fc.assert(
      fc.asyncProperty(STEPS, fc.infiniteStream(fc.nat(2)), async (steps, ends) => {
        await raw.flushall();
        await jobQueue.checkEpoch();
        const taken = new Set<string>();
        const worker = work(async ({ jobId, traceparent }) => {
          const end = ends.next().value;
          if (end === 1) return { kind: "put-back", delayMs: 0 };
          if (end === 2) return { kind: "put-back", delayMs: 5 };
          taken.add(`${jobId}.${traceparent}`);
          return { kind: "done" };
        });
        const standing = new Map<string, { dispatch: number; isDue: boolean }>();
        const isOver = (one: DeliveryRef): boolean => {
          const { dispatch, isDue } = standing.get(one.jobId) ?? { dispatch: 0, isDue: false };
          return one.dispatch < dispatch || (one.dispatch === dispatch && !isDue);
        };
        async function sweep(): Promise<void> {
          const verdicts = Map.groupBy(await held(), isOver);
          await jobQueue.remove(verdicts.get(true) ?? [], verdicts.get(false) ?? []);
        }
        // None waits for another: what is sent on one connection arrives in its order.
        const sent: Promise<unknown>[] = [];
        for (const [number, step] of steps) {
          const jobId = `j-${number}`;
          const { dispatch = 0, isDue = false } = standing.get(jobId) ?? {};
          if (step === "sweep") sent.push(sweep());
          else if (step === "take-back") {
            standing.set(jobId, { dispatch, isDue: false });
            sent.push(jobQueue.remove([due(jobId, dispatch)]));
          } else {
            const next = isDue ? dispatch : dispatch + 1;
            standing.set(jobId, { dispatch: next, isDue: true });
            sent.push(jobQueue.addMany([due(jobId, next)]));
          }
          if (number === 1) await sent.at(-1);
        }
        await Promise.all(sent);
        await worker.close();
        await sweep();
        const left = await held();
        const waiting = await Promise.all([
          raw.zrange(`${BASE}prioritized`, "0", "-1"),
          raw.zrange(`${BASE}delayed`, "0", "-1"),
          raw.lrange(`${BASE}wait`, "0", "-1"),
        ]);
        expect(await raw.llen(`${BASE}active`)).toBe(0);
        expect(waiting.flat()).toHaveLength(left.length);
        expect(left.filter(isOver)).toEqual([]);
        const there = new Set(left.map(nameOf));
        for (const [jobId, { dispatch, isDue }] of standing) {
          const name = nameOf({ jobId, dispatch });
          if (isDue) expect([name, there.has(name) || taken.has(name)]).toEqual([name, true]);
        }
      }),
      { numRuns: 15, endOnFailure: true },
    );
  }, 60_000);
});
