// `quorumq node`: one quorum member as a process.
//
// Guarantees: the configuration is turned into the node's options in this one place.
// Does not own: the member itself (node.ts).

import { isNativeError } from "node:util/types";
import { FINISHED_SPARE_MS } from "../transport/limit.ts";
import { createLogger } from "../transport/telemetry/logger.ts";
import type { ExitCode } from "./exit-code.ts";
import { UsageError } from "./exit-code.ts";
import { startNode } from "./node.ts";
import { serve } from "./process-life.ts";
import type { Config } from "./settings.ts";

export function runMember(config: Config): Promise<ExitCode> {
  const { nodeId, dataDir, members, electionTimeoutMs, heartbeatIntervalMs } = config;
  if (nodeId === null || dataDir === null) throw new UsageError("a node needs an id and a folder");
  if (heartbeatIntervalMs * 3 > electionTimeoutMs) {
    throw new UsageError(
      "--election-timeout-ms must be at least three times --heartbeat-interval-ms",
    );
  }
  const logger = createLogger({ component: "node", id: nodeId, level: config.logLevel });
  return serve({
    role: "node",
    id: nodeId,
    logger,
    graceMs: config.shutdownGraceMs,
    healthFile: config.healthFile,
    start: async () => {
      const failure = Promise.withResolvers<Error>();
      const node = await startNode({
        amqpUrl: config.amqpUrl,
        redisUrl: config.redisUrl,
        cluster: config.cluster,
        nodeId,
        members,
        dataDir,
        snapshotLogBytes: config.snapshotLogBytes,
        retention: {
          ageMs: config.retentionMs,
          jobsMax: config.retentionJobsMax,
          spareMs: FINISHED_SPARE_MS,
          keyMs: config.keyRetentionMs,
        },
        timing: {
          electionTimeoutMinMs: electionTimeoutMs,
          electionTimeoutMaxMs: 2 * electionTimeoutMs,
          heartbeatIntervalMs,
        },
        logger,
        onFatal: (cause) =>
          failure.resolve(isNativeError(cause) ? cause : new Error(String(cause))),
      });
      return {
        ports: {},
        failed: failure.promise,
        problem: () => node.problem(),
        drain: () => node.close(),
      };
    },
  });
}
