// createWorker: a worker with connections of its own, for users and for `quorumq worker`.
//
// Guarantees: connects to nothing before run(); close() ends all that run() opened, also when it is
// called while run() still waits for a broker or a leader.
// Does not own: the worker itself (worker.ts).

import assert from "node:assert";
import { randomUUID } from "node:crypto";
import { openQuorum } from "../transport/amqp/amqp-quorum.ts";
import type { Quorum } from "../transport/quorum.ts";
import { silentLogger } from "../transport/telemetry/logger.ts";
import { byKind } from "./kind-registration.ts";
import { LEASE_EVENTS } from "./lease-keeper.ts";
import { createWorkerOn, type Worker, type WorkerOptions } from "./worker.ts";

export interface WorkerConnection {
  /** Where the nodes' RabbitMQ is: amqp:// or amqps://, with user, password and vhost. */
  readonly amqpUrl: string;
  /** The Redis that the nodes dispatch to: redis:// or rediss://. */
  readonly redisUrl: string;
  /** The cluster's name, as the nodes have it: names queues, keys and exchanges. */
  readonly cluster: string;
}

export interface CreateWorkerOptions extends WorkerOptions {
  readonly connection: WorkerConnection;
}

/**
 * A worker process's worker: `run()` connects, makes its kinds known and takes jobs; `close()`
 * drains. Options: `jobs` (what it can run), `connection`, `id` (default: a random one),
 * `concurrency` (jobs at a time from each queue, default 10), `leaseMs` (default 10 s: how long an
 * attempt counts as alive without a sign of life), `blockedMsMax` (default 60 s: how long a loop
 * that is blocked keeps its leases), `logger` (default: says nothing).
 */
export function createWorker(options: CreateWorkerOptions): Worker {
  const { connection, ...workerOptions } = options;
  byKind(options.jobs);
  const id = options.id ?? `worker-${randomUUID().slice(0, 8)}`;
  const logger = options.logger ?? silentLogger();
  let opening: Promise<{ quorum: Quorum; worker: Worker }> | null = null;
  let worker: Worker | null = null;
  let closing: Promise<void> | null = null;

  async function open(): Promise<{ quorum: Quorum; worker: Worker }> {
    const quorum = await openQuorum({
      url: connection.amqpUrl,
      cluster: connection.cluster,
      clientId: id,
      role: "worker",
      logger,
      follow: LEASE_EVENTS,
    });
    const redis = { url: connection.redisUrl, cluster: connection.cluster };
    const leaseThread = { amqpUrl: connection.amqpUrl, logLevel: null };
    worker = createWorkerOn(quorum, { ...workerOptions, id, logger, redis, leaseThread });
    return { quorum, worker };
  }

  async function closeAll(graceMs: number | undefined): Promise<void> {
    if (opening === null) return;
    const opened = await opening;
    await opened.worker.close(graceMs === undefined ? {} : { graceMs });
    await opened.quorum.close();
  }

  return {
    id,
    async run() {
      assert(opening === null, "run() is called once");
      assert(closing === null, "a worker that was closed does not run again");
      opening = open();
      const opened = await opening;
      await opened.worker.run();
    },
    isReady: () => worker?.isReady() ?? false,
    problem: () => (worker === null ? "it is not connected" : worker.problem()),
    liveAttempts: () => worker?.liveAttempts() ?? 0,
    close({ graceMs } = {}) {
      closing ??= closeAll(graceMs);
      // Again, with less grace: the same end comes earlier.
      if (graceMs !== undefined) void worker?.close({ graceMs });
      return closing;
    },
  };
}
