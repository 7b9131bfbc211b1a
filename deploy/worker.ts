// `quorumq worker FILE…`: runs the job definitions that the user's files export.
//
// Guarantees: a file that cannot be loaded, or that exports none, is told before anything is
// connected. While it takes no jobs it says why, and of which cluster: a worker under another
// cluster's name finds RabbitMQ and Redis all the same, and would wait without a word.
// Does not own: the files (worker-files.ts), taking and running jobs (../workers/worker.ts).

import { hostname } from "node:os";
import { openQuorum } from "../transport/amqp/amqp-quorum.ts";
import { createLogger } from "../transport/telemetry/logger.ts";
import { LEASE_EVENTS } from "../workers/lease-keeper.ts";
import { createWorkerOn } from "../workers/worker.ts";
import type { ExitCode } from "./exit-code.ts";
import { IdleReport } from "./idle-report.ts";
import { serve } from "./process-life.ts";
import type { Config } from "./settings.ts";
import { definitionsOf } from "./worker-files.ts";

const LOOK_INTERVAL_MS = 1_000;

export async function runWorker(config: Config, files: readonly string[]): Promise<ExitCode> {
  const jobs = await definitionsOf(files);
  const id = config.workerId ?? `${hostname().replace(/[^A-Za-z0-9_-]/g, "-")}-${process.pid}`;
  const { amqpUrl, redisUrl, cluster } = config;
  const logger = createLogger({ component: "worker", id, level: config.logLevel });
  return serve({
    role: "worker",
    id,
    logger,
    graceMs: config.shutdownGraceMs,
    healthFile: config.healthFile,
    start: async () => {
      const quorum = await openQuorum({
        url: amqpUrl,
        cluster,
        clientId: id,
        role: "worker",
        logger,
        follow: LEASE_EVENTS,
      });
      const worker = createWorkerOn(quorum, {
        jobs,
        id,
        concurrency: config.concurrency,
        leaseMs: config.leaseMs,
        blockedMsMax: config.blockedMsMax,
        leaseThread: { amqpUrl, logLevel: config.logLevel },
        redisLocks: config.redisLocks,
        logger,
        redis: { url: redisUrl, cluster },
      });
      // Registering the kinds waits for a leader, which may be long in coming: not for `start`.
      const failure = Promise.withResolvers<Error>();
      const report = new IdleReport({ problem: () => worker.problem(), cluster, logger });
      const reporting = setInterval(() => report.look(), LOOK_INTERVAL_MS);
      worker.run().catch(failure.resolve);
      return {
        ports: {},
        failed: failure.promise,
        problem: () => worker.problem(),
        drain: async (graceMs) => {
          clearInterval(reporting);
          await worker.close({ graceMs });
          await quorum.close();
        },
      };
    },
  });
}
