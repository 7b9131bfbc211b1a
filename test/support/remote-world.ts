// The pipeline with a gateway that serves remote workers, and short ways to such workers.

import { WorkerKind } from "../../protos/gen/quorumq/v1/worker_service.ts";
import { connectJobs, type JobsConnection } from "../../transport/grpc/client.ts";
import { silentLogger } from "../../transport/telemetry/logger.ts";
import { createGateway, type Gateway } from "../../workers/gateway.ts";
import { type Pipeline, startPipeline } from "./pipeline.ts";
import { type HelloParts, RemoteWorker } from "./remote-worker.ts";
import { atEnd } from "./teardown.ts";

export const LONG = { seconds: 60, nanos: 0 };
export const SHORT = { seconds: 0, nanos: 5e8 };
const BACKOFF = { initial: { seconds: 0, nanos: 1e7 }, multiplier: 1, max: undefined };

export interface OpenGateway {
  readonly gateway: Gateway;
  readonly connection: JobsConnection;
}

export interface RemoteWorld extends OpenGateway {
  readonly pipeline: Pipeline;
  /** Another one beside it. */
  openGateway(): Promise<OpenGateway>;
  /** A worker of one kind, in a queue of that name; `kind` is what else holds for it. */
  worker(kind: string, hello?: HelloParts & { readonly kind?: Partial<WorkerKind> }): RemoteWorker;
  /** As worker, once it takes jobs. */
  begun(...parts: Parameters<RemoteWorld["worker"]>): Promise<RemoteWorker>;
}

/** Closed after the file's last test. */
export async function startRemoteWorld(): Promise<RemoteWorld> {
  const pipeline = await startPipeline();
  const { quorum } = pipeline;
  const redis = { url: pipeline.redis.url, cluster: "pipeline" };

  async function openGateway(): Promise<OpenGateway> {
    const logger = silentLogger();
    const gateway = await createGateway({ quorum, host: "127.0.0.1", port: 0, logger, redis });
    const connection = connectJobs({ address: `127.0.0.1:${gateway.port}` });
    atEnd(async () => {
      connection.close();
      await gateway.close(1_000);
    });
    return { gateway, connection };
  }

  const { gateway, connection } = await openGateway();

  const worker: RemoteWorld["worker"] = (kind, { kind: more, ...parts } = {}) => {
    const kinds = [WorkerKind.fromPartial({ kind, queue: kind, backoff: BACKOFF, ...more })];
    return new RemoteWorker(connection, { workerId: `w-${kind}`, lease: LONG, kinds, ...parts });
  };

  const begun: RemoteWorld["begun"] = async (...parts) => {
    const remote = worker(...parts);
    await remote.next("welcome");
    return remote;
  };

  return { pipeline, gateway, connection, openGateway, worker, begun };
}
