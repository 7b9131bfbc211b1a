// One quorum member: log on disk, Raft over RabbitMQ, the ledger, and while it leads, the
// dispatcher that keeps BullMQ filled.
//
// Guarantees: speaks only after its identity is claimed and its log is recovered; a failed disk or
// a lost identity ends the process, never just the request; closing it says goodbye in order:
// hands leadership over, so that a rolling restart costs no election timeout, stops, leaves the
// broker, closes the log.
// Does not own: signals and exit codes (process-life.ts), telemetry's start (telemetry/sdk.ts).

import { randomInt } from "node:crypto";
import { isDispatchOver, isKnownQueue, queuedJobs } from "../ledger/ledger.ts";
import { openAmqpClientMailbox } from "../transport/amqp/amqp-client-mailbox.ts";
import { openAmqpPeerLink } from "../transport/amqp/amqp-peer-link.ts";
import { Driver, type DriverTiming } from "../transport/driver.ts";
import { memberId as memberIdOf } from "../transport/member-id.ts";
import { createBullJobQueue } from "../transport/redis/job-queue.ts";
import type { Retention } from "../transport/retention-keeper.ts";
import type { Logger } from "../transport/telemetry/logger.ts";
import { createDispatcher } from "../workers/dispatcher.ts";
import { keepDropLog } from "./drop-log.ts";
import { openNodeDisk } from "./node-disk.ts";

export interface NodeProcessOptions {
  readonly amqpUrl: string;
  readonly redisUrl: string;
  readonly cluster: string;
  readonly nodeId: string;
  readonly members: readonly string[];
  readonly dataDir: string;
  readonly snapshotLogBytes: number;
  /** Absent: nothing is ever forgotten. */
  readonly retention?: Retention;
  readonly timing: DriverTiming;
  readonly logger: Logger;
  /** The node has stopped for good and says why. */
  readonly onFatal: (cause: unknown) => void;
}

export interface NodeProcess {
  readonly driver: Driver;
  /** Why it serves nobody now; null: it leads, or hears a leader. */
  problem(): string | null;
  close(): Promise<void>;
}

/** Rejects when the log cannot be opened or another process holds the node's identity. */
export async function startNode(options: NodeProcessOptions): Promise<NodeProcess> {
  const { amqpUrl, redisUrl, cluster, nodeId, members, logger } = options;
  const { store, ledger } = await openNodeDisk({
    dataDir: options.dataDir,
    cluster,
    nodeId,
    logger,
  });
  const { incarnation, storeId } = store.recovered;
  const memberId = memberIdOf(nodeId, storeId);
  const jobQueue = createBullJobQueue({ url: redisUrl, cluster, id: nodeId, logger });
  const dispatcher = createDispatcher({
    jobQueue,
    queued: () => queuedJobs(driver.ledger),
    isOver: (jobId, dispatch) => isDispatchOver(driver.ledger, jobId, dispatch),
    isKnownQueue: (queue) => isKnownQueue(driver.ledger, queue),
    logger,
  });
  const driver: Driver = new Driver({
    cluster,
    memberId,
    founders: members,
    timing: options.timing,
    seed: randomInt(2 ** 32),
    store,
    ledger,
    snapshotLogBytes: options.snapshotLogBytes,
    ...(options.retention ? { retention: options.retention } : {}),
    logger,
    onChanges: (changes) => dispatcher.changed(changes),
    onLeading: (isLeading) => (isLeading ? dispatcher.start() : dispatcher.stop()),
    onFatal: options.onFatal,
  });
  const link = openAmqpPeerLink({
    url: amqpUrl,
    cluster,
    memberId,
    incarnation,
    peers: [],
    listener: driver,
    logger,
    onIdentityLost: (error) => {
      driver.stop();
      options.onFatal(error);
    },
  });
  try {
    await link.claimed;
  } catch (error) {
    await Promise.all([link.close(), jobQueue.close()]);
    await store.close();
    throw error;
  }
  const mailbox = openAmqpClientMailbox({
    url: amqpUrl,
    cluster,
    nodeId,
    incarnation,
    listener: driver,
    logger,
  });
  driver.start(link, mailbox);
  const endDropLog = keepDropLog(logger, {
    raft: () => link.dropped(),
    clients: () => mailbox.dropped(),
  });
  logger.info({ members, incarnation }, "the node runs");
  return {
    driver,
    problem() {
      if (driver.status().leader !== null) return null;
      return "no leader is known: no majority, no RabbitMQ, or it is not added to the cluster yet";
    },
    async close() {
      await driver.handOver();
      driver.stop();
      endDropLog();
      dispatcher.stop();
      await Promise.all([mailbox.close(), link.close()]);
      await jobQueue.close();
      await store.close();
    },
  };
}
