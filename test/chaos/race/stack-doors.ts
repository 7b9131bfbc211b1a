// The doors of a local stack: its own gateway and console, and more gateways in this process, each
// with connections of its own to the stack's RabbitMQ.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Redis } from "ioredis";
import type { Job } from "../../../protos/gen/quorumq/v1/job.ts";
import { openQuorum } from "../../../transport/amqp/amqp-quorum.ts";
import { connectJobs, type JobsConnection } from "../../../transport/grpc/client.ts";
import type { Quorum } from "../../../transport/quorum.ts";
import { queuePrefix } from "../../../transport/redis/connection.ts";
import { silentLogger } from "../../../transport/telemetry/logger.ts";
import { createGateway } from "../../../workers/gateway.ts";
import type { LocalStack } from "../../support/stack.ts";
import { type Door, grpcDoor, httpDoor } from "./door.ts";

export interface StackDoors {
  readonly doors: readonly Door[];
  /** To the stack's own gateway. */
  readonly connection: JobsConnection;
  /** Every job's events. */
  readonly events: Quorum;
  /** Resolves when BullMQ does not hold the job any more. */
  untilGone(job: Job): Promise<void>;
  close(): Promise<void>;
}

/** Between two looks into Redis, which tells nobody that a key is gone. */
const LOOK_MS = 20;

export async function openStackDoors(stack: LocalStack, gateways: number): Promise<StackDoors> {
  const cluster = readFileSync(join(stack.dir, "cluster"), "utf8").trim();
  const connection = connectJobs({ address: stack.address });
  const redis = new Redis(stack.endpoint("redis"));
  const doors = [grpcDoor("gateway", connection), httpDoor("console", stack.endpoint("console"))];
  const closers: (() => Promise<void>)[] = [];
  const events = await openQuorum({
    url: stack.endpoint("amqp"),
    cluster,
    clientId: "race-events",
    role: "gateway",
    logger: silentLogger(),
    follow: {},
  });
  closers.push(() => events.close());
  for (let at = 1; at <= gateways; at += 1) {
    const id = `race-${at}`;
    const logger = silentLogger();
    const quorum = await openQuorum({
      url: stack.endpoint("amqp"),
      cluster,
      clientId: id,
      role: "gateway",
      logger,
      follow: {},
    });
    const gateway = await createGateway({ quorum, host: "127.0.0.1", port: 0, logger });
    const own = connectJobs({ address: `127.0.0.1:${gateway.port}` });
    doors.push(grpcDoor(`gateway ${id}`, own));
    closers.push(async () => {
      own.close();
      await gateway.close(1_000);
      await quorum.close();
    });
  }
  return {
    doors,
    connection,
    events,
    untilGone: async ({ id, queue }) => {
      const key = `${queuePrefix(cluster)}:${queue}:${id}`;
      while ((await redis.exists(key)) !== 0) {
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      }
    },
    close: async () => {
      connection.close();
      redis.disconnect();
      for (const close of closers) await close();
    },
  };
}
