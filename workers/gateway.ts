// The gateway: the gRPC entry to the pipeline, without state of its own.
//
// Guarantees: it is SERVING only while a leader is known; any number of gateways may run, and a
// caller may change between them at any time. `close` drains: no new calls, waiting callers sent to
// another gateway, the rest answered within the time.
// Does not own: the quorum (closed by whoever opened it), nor the wire (transport/grpc).

import { type GrpcServer, startGrpcServer } from "../transport/grpc/server.ts";
import type { Quorum } from "../transport/quorum.ts";
import type { Logger } from "../transport/telemetry/logger.ts";
import { JobFollower } from "./gateway/follower.ts";
import { LockWaits } from "./gateway/lock-waits.ts";
import type { OpenCounts } from "./gateway/open-counts.ts";
import { serviceHandlers } from "./gateway/services.ts";
import { workHandlers } from "./gateway/work.ts";
import { RemoteWorkers } from "./remote/sessions.ts";

export interface GatewayOptions {
  readonly quorum: Quorum;
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly logger: Logger;
  /** For workers in other languages; nothing connects to it before the first of them. */
  readonly redis?: { readonly url: string; readonly cluster: string };
}

export interface Gateway {
  readonly port: number;
  /** What is open now: nothing of it outlives its caller. */
  open(): OpenCounts;
  close(drainMs: number): Promise<void>;
}

export async function createGateway(options: GatewayOptions): Promise<Gateway> {
  const { quorum, host, port, logger, redis } = options;
  const follower = new JobFollower(quorum, logger);
  const lockWaits = new LockWaits(quorum, logger);
  const workers = redis === undefined ? null : new RemoteWorkers({ quorum, redis, logger });
  const server = await startGrpcServer({
    host,
    port,
    logger,
    ...serviceHandlers(quorum, follower, lockWaits),
    workers: workers === null ? {} : workHandlers(workers),
  });
  const forgetLeader = serveWhileLed(quorum, server, logger);
  return {
    port: server.port,
    open: () => ({
      calls: server.openCalls(),
      jobWaits: follower.followCount,
      lockWaits: lockWaits.count,
      workers: workers?.count ?? 0,
    }),
    close: async (drainMs) => {
      forgetLeader();
      await server.drain(drainMs);
      await workers?.close();
      follower.close();
      lockWaits.close();
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
