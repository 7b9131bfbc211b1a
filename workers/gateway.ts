// The gateway: the gRPC entry to the pipeline, without state of its own.
//
// Guarantees: it is SERVING only while a leader is known; any number of gateways may run, and a
// caller may change between them at any time. `close` drains: no new calls, waiting callers sent to
// another gateway, the rest answered within the time.
// Does not own: the quorum (closed by whoever opened it), nor the wire (transport/grpc).

import { type GrpcServer, startGrpcServer } from "../transport/grpc/server.ts";
import type { Quorum } from "../transport/quorum.ts";
import type { Logger } from "../transport/telemetry/logger.ts";
import { clusterHandlers } from "./gateway/cluster.ts";
import { JobFollower } from "./gateway/follower.ts";
import { greeterHandlers } from "./gateway/greeter.ts";
import { jobHandlers } from "./gateway/jobs.ts";
import { submitHandlers } from "./gateway/submit.ts";
import { waitHandlers } from "./gateway/wait.ts";

export interface GatewayOptions {
  readonly quorum: Quorum;
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly logger: Logger;
}

export interface Gateway {
  readonly port: number;
  close(drainMs: number): Promise<void>;
}

export async function createGateway(options: GatewayOptions): Promise<Gateway> {
  const { quorum, host, port, logger } = options;
  const follower = new JobFollower(quorum, logger);
  const server = await startGrpcServer({
    host,
    port,
    logger,
    greeter: greeterHandlers(quorum, follower),
    jobs: { ...submitHandlers(quorum), ...waitHandlers(quorum, follower), ...jobHandlers(quorum) },
    cluster: clusterHandlers(quorum),
  });
  const forgetLeader = serveWhileLed(quorum, server, logger);
  return {
    port: server.port,
    close: async (drainMs) => {
      forgetLeader();
      await server.drain(drainMs);
      follower.close();
    },
  };
}

/** Readiness follows the leader. Returns the function that ends it. */
function serveWhileLed(quorum: Quorum, server: GrpcServer, logger: Logger): () => void {
  let wasLed: boolean | null = null;
  const see = (leader: string | null): void => {
    const isLed = leader !== null;
    if (isLed === wasLed) return;
    wasLed = isLed;
    server.setServing(isLed);
    if (isLed) logger.info({ leader }, "serving");
    else logger.warn("not serving: no leader is known");
  };
  see(quorum.leader().leader);
  return quorum.onLeader((view) => see(view.leader));
}
