// A connection to gateways: the services of quorumq.v1 and Greeter as typed promises.
//
// Guarantees: only UNAVAILABLE is retried by the channel (AIP-194), with back-off and a throttle,
// and within the call's deadline; it means that nothing happened. Keepalive finds a dead gateway.
// `close` ends what is open: nobody waits for a connection that is no more.
// Does not own: idempotency keys (workers/client.ts fills them).

import { type ChannelOptions, Client, credentials } from "@grpc/grpc-js";
import { GreeterService } from "../../protos/gen/helloworld.ts";
import { ClusterServiceService } from "../../protos/gen/quorumq/v1/cluster_service.ts";
import { JobServiceService } from "../../protos/gen/quorumq/v1/job_service.ts";
import { LockServiceService } from "../../protos/gen/quorumq/v1/lock_service.ts";
import { WorkerServiceService } from "../../protos/gen/quorumq/v1/worker_service.ts";
import { GRPC_MESSAGE_BYTES_MAX, PAGE_SIZE_MAX } from "../limit.ts";
import { ClientLife } from "./client-life.ts";
import { type MethodsOf, methodClients } from "./method-client.ts";

export type { ClientCallOptions } from "./method-client.ts";

export interface JobsConnectionOptions {
  /** host:port, or any target that gRPC resolves, such as dns:///gateways:50051. */
  readonly address: string;
}

export interface JobsConnection {
  readonly jobs: MethodsOf<typeof JobServiceService>;
  readonly cluster: MethodsOf<typeof ClusterServiceService>;
  readonly greeter: MethodsOf<typeof GreeterService>;
  readonly locks: MethodsOf<typeof LockServiceService>;
  readonly workers: MethodsOf<typeof WorkerServiceService>;
  /** Ends all open calls, as CALL_CANCELLED. */
  close(): void;
}

/** A page of the longest jobs without bodies still fits. */
const RECEIVE_BYTES_MAX = Math.max(4 * GRPC_MESSAGE_BYTES_MAX, PAGE_SIZE_MAX * 16 * 1024);

const SERVICE_CONFIG = {
  loadBalancingConfig: [{ round_robin: {} }],
  methodConfig: [
    {
      name: [
        { service: "quorumq.v1.JobService" },
        { service: "quorumq.v1.ClusterService" },
        { service: "quorumq.v1.LockService" },
        { service: "helloworld.Greeter" },
      ],
      retryPolicy: {
        maxAttempts: 4,
        initialBackoff: "0.1s",
        maxBackoff: "2s",
        backoffMultiplier: 2,
        retryableStatusCodes: ["UNAVAILABLE"],
      },
    },
  ],
  // A gateway that refuses most calls is not asked each one four times.
  retryThrottling: { maxTokens: 100, tokenRatio: 0.5 },
};

const CHANNEL_OPTIONS: ChannelOptions = {
  "grpc.service_config": JSON.stringify(SERVICE_CONFIG),
  "grpc.enable_retries": 1,
  "grpc.keepalive_time_ms": 60_000,
  "grpc.keepalive_timeout_ms": 20_000,
  "grpc.keepalive_permit_without_calls": 0,
  "grpc.initial_reconnect_backoff_ms": 200,
  "grpc.max_reconnect_backoff_ms": 5_000,
  "grpc.max_receive_message_length": RECEIVE_BYTES_MAX,
  "grpc.max_send_message_length": GRPC_MESSAGE_BYTES_MAX,
};

/** Connects at the first call. */
export function connectJobs({ address }: JobsConnectionOptions): JobsConnection {
  const client = new Client(address, credentials.createInsecure(), CHANNEL_OPTIONS);
  const life = new ClientLife();
  return {
    jobs: methodClients(client, JobServiceService, life),
    cluster: methodClients(client, ClusterServiceService, life),
    greeter: methodClients(client, GreeterService, life),
    locks: methodClients(client, LockServiceService, life),
    workers: methodClients(client, WorkerServiceService, life),
    close: () => {
      life.close();
      client.close();
    },
  };
}
