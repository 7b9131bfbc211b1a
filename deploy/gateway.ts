// `quorumq gateway`: the gRPC entry as a process. It keeps nothing, so any number may run.
//
// Guarantees: listens before it is ready for calls, and says through the health service when it
// is; a drain ends calls first and leaves the quorum last.

import { openQuorum } from "../transport/amqp/amqp-quorum.ts";
import { createLogger } from "../transport/telemetry/logger.ts";
import { createGateway } from "../workers/gateway.ts";
import type { ExitCode } from "./exit-code.ts";
import { type ListenPlace, listening, requireListenable } from "./listen-check.ts";
import { serve } from "./process-life.ts";
import type { Config } from "./settings.ts";

export function runGateway(config: Config): Promise<ExitCode> {
  const { gatewayId: id, amqpUrl, redisUrl, cluster } = config;
  const logger = createLogger({ component: "gateway", id, level: config.logLevel });
  return serve({
    role: "gateway",
    id,
    logger,
    graceMs: config.shutdownGraceMs,
    healthFile: config.healthFile,
    start: async () => {
      const { grpcHost: host, grpcPort: port } = config;
      const place: ListenPlace = { host, port, settings: ["grpcPort", "grpcHost"] };
      await requireListenable(place);
      const quorum = await openQuorum({
        url: amqpUrl,
        cluster,
        clientId: id,
        role: "gateway",
        logger,
        follow: { hasLocks: true },
      });
      const gateway = await listening(place, () =>
        createGateway({ quorum, host, port, logger, redis: { url: redisUrl, cluster } }),
      );
      return {
        ports: { grpc: gateway.port },
        failed: new Promise(() => undefined),
        drain: async (graceMs) => {
          await gateway.close(graceMs);
          await quorum.close();
        },
      };
    },
  });
}
