// Takes jobs from one queue: a thin wrapper of a BullMQ Worker.
//
// Guarantees: at most `concurrency` deliveries are open at a time; the processor's answer alone
// decides what becomes of one: "done" removes it, "put-back" gives it to someone else, at once or
// after a delay. It never fails a job: whether a job failed is the ledger's to say. What Redis has
// lost all but the name of is dropped. After pause() nothing new is taken. One that has silently
// stopped taking jobs says so: what counts is not that a connection is open but that Redis has
// answered when it was asked for jobs.
// Does not own: leases. BullMQ's lock and its stalled check only bring back the deliveries of a
// dead worker; the ledger refuses those that are not wanted.

import { setTimeout as sleep } from "node:timers/promises";
import { DelayedError, type Job, WaitingError, Worker } from "bullmq";
import type { Redis } from "ioredis";
import type { Logger } from "../telemetry/logger.ts";
import { connectRedis, queuePrefix, type RedisTarget } from "./connection.ts";
import type { DeliveryData } from "./job-queue.ts";

export interface Delivery {
  readonly jobId: string;
  readonly kind: string;
  readonly queue: string;
  readonly traceparent: string;
}

export type DeliveryEnd =
  | { readonly kind: "done" }
  | { readonly kind: "put-back"; readonly delayMs: number };

export interface JobWorker {
  /** Why it takes no jobs; null: it takes them, or runs as many as it may. */
  problem(): string | null;
  /** Takes nothing new from now on; open deliveries go on. */
  pause(): Promise<void>;
  /** To be called when no delivery is open. Takes a few seconds at most, also without Redis. */
  close(): Promise<void>;
}

export interface JobWorkerOptions extends RedisTarget {
  /** Worker id: names the connection, and shows as `processedBy` in BullMQ. */
  readonly id: string;
  readonly queue: string;
  readonly concurrency: number;
  /** How long BullMQ thinks a silent worker alive. */
  readonly lockMs: number;
  readonly logger: Logger;
  /** Without an answer of Redis for so long, no jobs are being taken. Default: SILENT_MS. */
  readonly silentMs?: number;
  process(delivery: Delivery): Promise<DeliveryEnd>;
}

/** Deliveries that stalled are given out again for ever: giving up is the ledger's decision. */
const STALLED_MAX = 1_000_000;
const RETRY_DELAY_MS = 500;
/** How long one blocking pop waits; also how late a frozen connection is noticed. */
const POP_SECONDS = 2;
/** BullMQ asks every two seconds, or every ten when it waits for a delay. Three times that. */
const SILENT_MS = 30_000;
/** Of that: then the connection is made anew, which may be all that it needs. */
const RECONNECT_PART = 2 / 3;
/** Closing takes milliseconds while Redis answers. */
const CLOSE_MS = 2_000;

export function createBullJobWorker(options: JobWorkerOptions): JobWorker {
  const { url, queue, logger, silentMs = SILENT_MS } = options;
  const name = `quorumq:${options.id}:take:${queue}`;
  const reconnectMs = silentMs * RECONNECT_PART;
  const redis = connectRedis({ url, name, mode: "blocking", silentMs: reconnectMs, logger });
  let openCount = 0;
  let answeredMs = performance.now();
  const answered = (): void => {
    answeredMs = performance.now();
  };
  const duplicates = trackDuplicates(redis, answered);
  const process = async (job: Job<DeliveryData>, token = ""): Promise<void> => {
    openCount += 1;
    answered();
    try {
      await take(job, token, options);
    } finally {
      openCount -= 1;
      answered();
    }
  };
  const worker = new Worker<DeliveryData>(queue, process, {
    connection: redis,
    prefix: queuePrefix(options.cluster),
    name: options.id,
    autorun: true,
    concurrency: options.concurrency,
    lockDuration: options.lockMs,
    lockRenewTime: options.lockMs / 3,
    stalledInterval: options.lockMs / 2,
    maxStalledCount: STALLED_MAX,
    drainDelay: POP_SECONDS,
    runRetryDelay: RETRY_DELAY_MS,
    removeOnComplete: { count: 0 },
    removeOnFail: { count: 0 },
  });
  worker.on("error", (error) => logger.debug({ queue, error: error.message }, "BullMQ worker"));
  worker.on("failed", (job, error) =>
    // BullMQ's own failures only, such as a job that a flushed Redis no longer has.
    logger.warn({ queue, job_id: job?.data.jobId, error: error.message }, "delivery failed"),
  );
  worker.on("stalled", (id) => logger.info({ queue, delivery: id }, "delivery of a silent worker"));

  return {
    problem() {
      if (redis.status !== "ready") return `Redis is away from queue ${queue}`;
      if (!worker.isRunning()) return `queue ${queue} is not being read`;
      // Whoever has no slot free does not ask.
      const pastMs = openCount >= options.concurrency ? 0 : performance.now() - answeredMs;
      if (pastMs < silentMs) return null;
      return `Redis has not answered about queue ${queue} for ${Math.round(pastMs / 1_000)} s`;
    },
    pause: () => worker.pause(true),
    close: () => closeWithin(worker, redis, duplicates, logger),
  };
}

/**
 * BullMQ pops over a copy of the connection that it keeps to itself; we must be able to cut it, and
 * to hear that Redis answers it.
 */
function trackDuplicates(redis: Redis, answered: () => void): readonly Redis[] {
  const duplicates: Redis[] = [];
  const duplicate = redis.duplicate.bind(redis);
  redis.duplicate = (override) => {
    const copy = duplicate(override);
    const send = copy.sendCommand.bind(copy);
    copy.sendCommand = (command, stream) => {
      // Whoever asked is told of a failure; here it is only not an answer.
      command.promise.then(answered, () => undefined);
      return send(command, stream);
    };
    duplicates.push(copy);
    return copy;
  };
  return duplicates;
}

/**
 * BullMQ's own close waits for Redis to come back, even if it goes away half-way: then what it
 * waits for is cut off, and its deliveries stall and are given out again.
 */
async function closeWithin(
  worker: Worker,
  redis: Redis,
  duplicates: readonly Redis[],
  logger: Logger,
): Promise<void> {
  const isForced = redis.status !== "ready";
  const closed = worker.close(isForced).then(() => true);
  const isClosed = await Promise.race([closed, sleep(CLOSE_MS, false, { ref: false })]);
  for (const connection of [redis, ...duplicates]) {
    // Disconnecting what has ended already would start a timer that nothing clears.
    if (connection.status !== "end") connection.disconnect();
  }
  if (isClosed) return;
  const isCut = await Promise.race([closed, sleep(CLOSE_MS, false, { ref: false })]);
  if (!isCut) await endRenewals(worker);
  logger.warn({ queue: worker.name, is_cut: isCut }, "closed without Redis");
}

/** A close that never gets past its jobs leaves BullMQ's renewal timer, which keeps a process. */
async function endRenewals(worker: Worker): Promise<void> {
  const { lockManager } = worker as unknown as { lockManager?: { close(): Promise<void> } };
  await lockManager?.close();
}

async function take(
  job: Job<DeliveryData>,
  token: string,
  options: JobWorkerOptions,
): Promise<void> {
  const { jobId, traceparent } = job.data;
  if (typeof jobId !== "string") {
    // Only its name was left in Redis. It goes, and the job, if it is still due, is added again.
    options.logger.warn({ queue: options.queue, delivery: job.id }, "a delivery without a job");
    return;
  }
  const end = await options.process({ jobId, kind: job.name, queue: options.queue, traceparent });
  if (end.kind === "done") return;
  // BullMQ wants control flow thrown, after the job has been moved.
  if (end.delayMs > 0) {
    await job.moveToDelayed(Date.now() + end.delayMs, token);
    throw new DelayedError();
  }
  await job.moveToWait(token);
  throw new WaitingError();
}
