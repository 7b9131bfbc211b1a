// The console's process: the HTTP entry to the pipeline, without state of its own.
//
// Guarantees: the same handlers as the gRPC gateway's, over the same quorum; any number may run.
// It is ready only while a leader is known. `close` drains as a gateway does.
// Does not own: the quorum (closed by whoever opened it), nor the wire (transport/http).

import { ClusterServiceService } from "../protos/gen/quorumq/v1/cluster_service.ts";
import { JobServiceService } from "../protos/gen/quorumq/v1/job_service.ts";
import { LockServiceService } from "../protos/gen/quorumq/v1/lock_service.ts";
import { startHttpServer } from "../transport/http/server.ts";
import type { Quorum } from "../transport/quorum.ts";
import type { Logger } from "../transport/telemetry/logger.ts";
import { JobFollower } from "./gateway/follower.ts";
import { LockWaits } from "./gateway/lock-waits.ts";
import type { OpenCounts } from "./gateway/open-counts.ts";
import { serviceHandlers } from "./gateway/services.ts";

export interface ConsoleOptions {
  readonly quorum: Quorum;
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly logger: Logger;
}

export interface Console {
  readonly port: number;
  /** What is open now: nothing of it outlives its caller. */
  open(): OpenCounts;
  close(drainMs: number): Promise<void>;
}

export async function createConsole(options: ConsoleOptions): Promise<Console> {
  const { quorum, host, port, logger } = options;
  const follower = new JobFollower(quorum, logger);
  const lockWaits = new LockWaits(quorum, logger);
  const { jobs, cluster, locks } = serviceHandlers(quorum, follower, lockWaits);
  const server = await startHttpServer({
    host,
    port,
    logger,
    services: [
      { definition: JobServiceService, handlers: jobs },
      { definition: ClusterServiceService, handlers: cluster },
      { definition: LockServiceService, handlers: locks },
    ],
    checks: () => [
      { name: "leader", problem: quorum.leader().leader === null ? "none is known" : null },
    ],
  });
  return {
    port: server.port,
    open: () => ({
      calls: server.openCalls(),
      jobWaits: follower.followCount,
      lockWaits: lockWaits.count,
      workers: 0,
    }),
    close: async (drainMs) => {
      await server.drain(drainMs);
      follower.close();
      lockWaits.close();
    },
  };
}
