// The port to the queues that workers take jobs from, and its adapter over BullMQ.
//
// Guarantees: adding is idempotent as long as BullMQ has the job: its id is the ledger's id and
// dispatch number; nothing waits for a Redis that is away: it answers "unreachable" at once. Each
// cluster has an epoch in Redis, a random word: if it is another one, or gone, Redis lost its data.
// Payloads never go into Redis: a worker gets them with its attempt.
// Does not own: which jobs ought to be there (the ledger; workers/dispatcher.ts).

import assert from "node:assert";
import { randomUUID } from "node:crypto";
import { Queue } from "bullmq";
import { JOB_PRIORITY_MAX } from "../limit.ts";
import type { Logger } from "../telemetry/logger.ts";
import { connectRedis, epochKey, queuePrefix, type RedisTarget } from "./connection.ts";
import { bullJobId, type DeliveryRef, deliveryKey, queueKeyBase } from "./delivery.ts";
import {
  clearAway,
  lookThrough,
  type Removed,
  type ShelfPiece,
  takeOut,
} from "./delivery-shelf.ts";
import { warnOfEviction } from "./eviction.ts";

/** A job that is due, as far as a queue needs to know it. */
export interface DueJob extends DeliveryRef {
  readonly kind: string;
  readonly priority: number;
  readonly traceparent: string;
}

/** What BullMQ keeps of a job. */
export interface DeliveryData {
  readonly jobId: string;
  readonly traceparent: string;
}

export type AddOutcome =
  | { readonly kind: "added" }
  /** Some may have been added; adding all again is safe. */
  | Unreachable;

export type RemoveOutcome = ({ readonly kind: "removed" } & Removed) | Unreachable;

export type ClearOutcome = { readonly kind: "cleared" } | Unreachable;

export type LookOutcome = ({ readonly kind: "found" } & ShelfPiece) | Unreachable;

export interface Unreachable {
  readonly kind: "unreachable";
  readonly cause: unknown;
}

export interface JobQueue {
  addMany(jobs: readonly DueJob[]): Promise<AddOutcome>;
  /** The same for jobs that are mostly there: asking is a tenth of adding. */
  addMissing(jobs: readonly DueJob[]): Promise<AddOutcome>;
  /**
   * Takes out those that are over, unless a worker has them, and of the others those that nothing
   * in BullMQ leads to.
   */
  remove(over: readonly DeliveryRef[], others?: readonly DeliveryRef[]): Promise<RemoveOutcome>;
  /** Takes away these queues, those of them that are empty. One that is used again is made anew. */
  clearAway(queues: readonly string[]): Promise<ClearOutcome>;
  /** The next of all that is there, of all queues; "0" begins, and has ended. */
  lookThrough(cursor: string): Promise<LookOutcome>;
  /** "lost": Redis is not the one that was seen before, so all that was added is gone. */
  checkEpoch(): Promise<"same" | "lost" | "unreachable">;
  isReady(): boolean;
  /** Called each time that Redis can be used again. Returns the function that ends it. */
  onReady(listener: () => void): () => void;
  close(): Promise<void>;
}

export interface JobQueueOptions extends RedisTarget {
  /** Node id, for the connection's name. */
  readonly id: string;
  readonly logger: Logger;
}

/**
 * Ours: 0 to 1000, higher is earlier. BullMQ's: 1 is earliest, and jobs without one come before
 * all that have one. So every job gets one, the normal job the last, and first come is first
 * served among equals. Measured: adding is up to a third slower than without, at 20,000 jobs/s;
 * taking is as fast.
 */
export function bullPriority(priority: number): number {
  return JOB_PRIORITY_MAX + 1 - priority;
}

/** BullMQ trims each queue's stream of events to this; nobody of ours reads it. */
const EVENTS_MAX = 100;
/** Where BullMQ's scripts look for it. */
const MAX_EVENTS_FIELD = "opts.maxLenEvents";

export function createBullJobQueue(options: JobQueueOptions): JobQueue {
  const { url, cluster, logger } = options;
  const name = `quorumq:${options.id}:dispatch`;
  const redis = connectRedis({ url, name, mode: "command", logger });
  warnOfEviction(redis, logger);
  const queues = new Map<string, Queue<DeliveryData>>();
  let epoch: string | null = null;

  function queueNamed(queueName: string): Queue<DeliveryData> {
    const known = queues.get(queueName);
    if (known !== undefined) return known;
    const queue = new Queue<DeliveryData>(queueName, {
      connection: redis,
      prefix: queuePrefix(cluster),
      streams: { events: { maxLen: EVENTS_MAX } },
      defaultJobOptions: { attempts: 1, removeOnComplete: true, removeOnFail: true },
    });
    queue.on("error", (error) => logger.debug({ queue: queueName, error: error.message }, "queue"));
    queues.set(queueName, queue);
    return queue;
  }

  /**
   * A queue says so once, when it is made; without it, BullMQ keeps a hundred times as many, and
   * may have done so since the loss.
   */
  async function boundEvents(): Promise<void> {
    const bases = [...queues.keys()].map((queue) => queueKeyBase(cluster, queue));
    await Promise.all(
      bases.flatMap((base) => [
        redis.hset(`${base}meta`, MAX_EVENTS_FIELD, EVENTS_MAX),
        redis.xtrim(`${base}events`, "MAXLEN", "~", EVENTS_MAX),
      ]),
    );
  }

  async function forgetQueues(): Promise<void> {
    const closing = [...queues.values()].map((queue) => queue.close());
    queues.clear();
    for (const end of await Promise.allSettled(closing)) {
      if (end.status === "rejected") logger.debug({ error: String(end.reason) }, "queue close");
    }
  }

  async function addMany(jobs: readonly DueJob[]): Promise<AddOutcome> {
    // BullMQ would wait for the connection; whoever dispatches must not.
    if (redis.status !== "ready") return { kind: "unreachable", cause: redis.status };
    try {
      const byQueue = Map.groupBy(jobs, (job) => job.queue);
      await Promise.all(
        [...byQueue].map(([queue, group]) => queueNamed(queue).addBulk(group.map(toBullJob))),
      );
      return { kind: "added" };
    } catch (cause) {
      // A Queue whose set-up failed stays so: begin with new ones.
      await forgetQueues();
      return { kind: "unreachable", cause };
    }
  }

  return {
    addMany,
    async addMissing(jobs) {
      if (redis.status !== "ready") return { kind: "unreachable", cause: redis.status };
      try {
        // BullMQ adds nothing where this key is, whatever else is gone.
        const keys = jobs.map((job) => deliveryKey(cluster, job));
        const found = await Promise.all(keys.map((key) => redis.exists(key)));
        const missing = jobs.filter((_, at) => found[at] === 0);
        return missing.length === 0 ? { kind: "added" } : await addMany(missing);
      } catch (cause) {
        return { kind: "unreachable", cause };
      }
    },
    async remove(over, others) {
      if (redis.status !== "ready") return { kind: "unreachable", cause: redis.status };
      try {
        return { kind: "removed", ...(await takeOut(redis, cluster, over, others)) };
      } catch (cause) {
        return unreachable(cause);
      }
    },
    async clearAway(unknown) {
      if (redis.status !== "ready") return { kind: "unreachable", cause: redis.status };
      try {
        await clearAway(redis, cluster, unknown);
        return { kind: "cleared" };
      } catch (cause) {
        return unreachable(cause);
      }
    },
    async lookThrough(cursor) {
      if (redis.status !== "ready") return { kind: "unreachable", cause: redis.status };
      try {
        return { kind: "found", ...(await lookThrough(redis, cluster, cursor)) };
      } catch (cause) {
        return unreachable(cause);
      }
    },
    async checkEpoch() {
      try {
        const fresh = randomUUID();
        const wasAbsent = (await redis.set(epochKey(cluster), fresh, "NX")) === "OK";
        const current = wasAbsent ? fresh : await redis.get(epochKey(cluster));
        const isLost = epoch !== null && current !== epoch;
        // First: a loss that is seen and not told of would not be seen again.
        if (isLost) await boundEvents();
        epoch = current;
        return isLost ? "lost" : "same";
      } catch (error) {
        logger.debug({ error: String(error) }, "the epoch cannot be read");
        return "unreachable";
      }
    },
    isReady: () => redis.status === "ready",
    onReady(listener) {
      redis.on("ready", listener);
      return () => redis.off("ready", listener);
    },
    async close() {
      await forgetQueues();
      redis.disconnect();
    },
  };
}

function toBullJob(job: DueJob): {
  name: string;
  data: DeliveryData;
  opts: { jobId: string; priority: number };
} {
  return {
    name: job.kind,
    data: { jobId: job.jobId, traceparent: job.traceparent },
    opts: { jobId: bullJobId(job.jobId, job.dispatch), priority: bullPriority(job.priority) },
  };
}

function unreachable(cause: unknown): Unreachable {
  // An assertion that fails is our own bug, whoever is watching.
  if (cause instanceof assert.AssertionError) throw cause;
  return { kind: "unreachable", cause };
}
