// `quorumq worker FILE…`: runs the job definitions that the user's files export.
//
// Guarantees: an export counts as a definition by its shape, whichever copy of quorumq made it;
// lists of definitions count too. A file that cannot be loaded, or that exports none, is told
// before anything is connected.
// Does not own: taking and running jobs (../workers/worker.ts).

import { hostname } from "node:os";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { openQuorum } from "../transport/amqp/amqp-quorum.ts";
import { createLogger } from "../transport/telemetry/logger.ts";
import type { JobDefinition } from "../workers/define-job.ts";
import { LEASE_EVENTS } from "../workers/lease-keeper.ts";
import { createWorkerOn } from "../workers/worker.ts";
import { type ExitCode, UsageError } from "./exit-code.ts";
import { serve } from "./process-life.ts";
import type { Config } from "./settings.ts";

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
        redisLocks: config.redisLocks,
        logger,
        redis: { url: redisUrl, cluster },
      });
      // Registering the kinds waits for a leader, which may be long in coming: not for `start`.
      const failure = Promise.withResolvers<Error>();
      worker.run().catch(failure.resolve);
      return {
        ports: {},
        failed: failure.promise,
        drain: async (graceMs) => {
          await worker.close({ graceMs });
          await quorum.close();
        },
      };
    },
  });
}

/** All definitions that the files export, in their order. */
export async function definitionsOf(files: readonly string[]): Promise<JobDefinition[]> {
  const definitions: JobDefinition[] = [];
  for (const file of files) {
    const found = Object.values(await load(file))
      .flat()
      .filter(isDefinition);
    if (found.length === 0) {
      throw new UsageError(`${file} exports no job; export the value of defineJob({ … })`);
    }
    definitions.push(...found);
  }
  // One definition under two names, such as a default and a named export, is one.
  const unique = [...new Set(definitions)];
  const kinds = unique.map((job) => job.kind);
  const twice = kinds.find((kind, at) => kinds.indexOf(kind) !== at);
  if (twice !== undefined) throw new UsageError(`the job ${twice} is defined more than once`);
  return unique;
}

async function load(file: string): Promise<Record<string, unknown>> {
  try {
    return (await import(pathToFileURL(resolve(file)).href)) as Record<string, unknown>;
  } catch (error) {
    throw new UsageError(`${file} cannot be loaded: ${String(error)}`, { cause: error });
  }
}

function isDefinition(value: unknown): value is JobDefinition {
  if (typeof value !== "object" || value === null) return false;
  const { kind, queue, run, lockTemplates } = value as Partial<Record<string, unknown>>;
  return (
    typeof kind === "string" &&
    typeof queue === "string" &&
    typeof run === "function" &&
    Array.isArray(lockTemplates)
  );
}
