// The gRPC server of a gateway: helloworld.Greeter, quorumq.v1, health and reflection on one port.
//
// Guarantees: every option that matters is written out. `drain` says NOT_SERVING first, lets calls
// end, tells those that are left SHUTTING_DOWN, and closes what is open after its time.
// Does not own: what the methods do (the handlers given), nor when the server is ready.

import assert from "node:assert/strict";
import type { ServerOptions } from "node:http2";
import { setTimeout as delay } from "node:timers/promises";
import { type ChannelOptions, Server, ServerCredentials } from "@grpc/grpc-js";
import { GreeterService } from "../../protos/gen/helloworld.ts";
import { ClusterServiceService } from "../../protos/gen/quorumq/v1/cluster_service.ts";
import { JobServiceService } from "../../protos/gen/quorumq/v1/job_service.ts";
import { LockServiceService } from "../../protos/gen/quorumq/v1/lock_service.ts";
import { WorkerServiceService } from "../../protos/gen/quorumq/v1/worker_service.ts";
import { GRPC_MESSAGE_BYTES_MAX, GRPC_STREAMS_MAX } from "../limit.ts";
import { refusal } from "../reason.ts";
import { allEnded, type ServedCall, type ServerLife } from "../served-call.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { Handlers } from "./call.ts";
import { addHealth } from "./health.ts";
import { addReflection } from "./reflection.ts";
import { serve } from "./serve.ts";

export type GreeterHandlers = Handlers<typeof GreeterService>;
export type JobHandlers = Handlers<typeof JobServiceService>;
export type ClusterHandlers = Handlers<typeof ClusterServiceService>;
export type LockHandlers = Handlers<typeof LockServiceService>;
export type WorkerHandlers = Handlers<typeof WorkerServiceService>;

export interface GrpcServerOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly greeter: GreeterHandlers;
  readonly jobs: JobHandlers;
  readonly cluster: ClusterHandlers;
  readonly locks: LockHandlers;
  readonly workers: WorkerHandlers;
  readonly logger: Logger;
}

export interface GrpcServer {
  readonly port: number;
  /** Calls without an answer yet. */
  openCalls(): number;
  /** What the health service tells. */
  setServing(isServing: boolean): void;
  /** Ends the server, at the latest after this time and a moment. */
  drain(timeoutMs: number): Promise<void>;
}

/** For the last statuses to leave after the calls have been ended. */
const LAST_WORDS_MS = 200;

const SERVER_OPTIONS: ChannelOptions = {
  "grpc.max_receive_message_length": GRPC_MESSAGE_BYTES_MAX,
  "grpc.max_send_message_length": -1,
  "grpc.max_concurrent_streams": GRPC_STREAMS_MAX,
  // A dead peer is found within keepalive time and timeout, also behind a silent middlebox.
  "grpc.keepalive_time_ms": 60_000,
  "grpc.keepalive_timeout_ms": 20_000,
  "grpc.keepalive_permit_without_calls": 1,
  // Clients come back to another gateway now and then, so that load spreads after a scale-out.
  "grpc.max_connection_age_ms": 30 * 60_000,
  "grpc.max_connection_age_grace_ms": 5 * 60_000,
};

/**
 * While nobody leads, callers wait until their time is over, then reset their streams and come
 * back: more than GRPC_STREAMS_MAX calls of one connection for a moment, and hundreds of resets a
 * second. Node's HTTP/2 takes that for an attack: it ends a connection after 100 streams too many,
 * or after 1,000 resets at once and 33 a second (CVE-2023-44487), and every call on it fails with
 * INTERNAL. Here what is too many is refused alone, as RESOURCE_EXHAUSTED. grpc-js has no options
 * for these.
 */
const PATIENCE: ServerOptions = {
  maxSessionRejectedStreams: 2 ** 31 - 1,
  streamResetBurst: 16 * GRPC_STREAMS_MAX,
  streamResetRate: GRPC_STREAMS_MAX,
};

export async function startGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
  const drained = new AbortController();
  const open = new Set<ServedCall>();
  const life: ServerLife = { logger: options.logger, open, draining: drained.signal };
  const server = new Server(SERVER_OPTIONS);
  Object.assign(http2OptionsOf(server), PATIENCE);
  serve(server, GreeterService, options.greeter, life);
  serve(server, JobServiceService, options.jobs, life);
  serve(server, ClusterServiceService, options.cluster, life);
  serve(server, LockServiceService, options.locks, life);
  serve(server, WorkerServiceService, options.workers, life);
  const health = addHealth(server, [
    "helloworld.Greeter",
    "quorumq.v1.JobService",
    "quorumq.v1.ClusterService",
    "quorumq.v1.LockService",
    "quorumq.v1.WorkerService",
  ]);
  addReflection(server);
  const port = await listen(server, options);
  return {
    port,
    openCalls: () => open.size,
    setServing: (isServing) => health.set(isServing && !drained.signal.aborted),
    drain: async (timeoutMs) => {
      health.set(false);
      drained.abort(refusal("SHUTTING_DOWN", "the gateway shuts down; another one answers"));
      const closed = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
      await Promise.race([closed, allEnded(open, timeoutMs)]);
      for (const call of open) {
        call.abort(refusal("SHUTTING_DOWN", `the gateway shut down during ${call.method}`));
      }
      // Also for streams that never end by themselves, such as Health/Watch.
      await Promise.race([closed, delay(LAST_WORDS_MS)]);
      server.forceShutdown();
    },
  };
}

/** What grpc-js gives to node:http2 when it binds; its typings hide it. */
function http2OptionsOf(server: Server): ServerOptions {
  const { commonServerOptions } = server as unknown as { commonServerOptions?: ServerOptions };
  assert(commonServerOptions !== undefined, "this grpc-js keeps its HTTP/2 options elsewhere");
  return commonServerOptions;
}

function listen(server: Server, { host, port }: GrpcServerOptions): Promise<number> {
  const address = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound);
      else reject(error);
    });
  });
}
