// The lane of snapshots: chunks, and what asks for them, on two connections of their own.
//
// Guarantees: a chunk shares no socket with a heartbeat: 4 MiB before a heartbeat on one connection
// made it 57 ms late, where another channel of the same connection is no way around (raft-lessons
// P12, P13). What cannot leave now is dropped: a follower asks again.
// Does not own: who may send (amqp-peer-link.ts) nor what a chunk means (raft).

import type { Message as AmqpMessage } from "amqplib";
import type { Logger } from "../telemetry/logger.ts";
import { openSession, type PublishOptions, type Session } from "./session.ts";
import { declareRaftExchange, declareRaftMailbox, raftExchange } from "./topology.ts";

export interface SnapshotLaneOptions {
  readonly url: string;
  readonly cluster: string;
  /** This node's, and this life of it. */
  readonly name: string;
  readonly incarnation: number;
  readonly logger: Logger;
  readonly onReceived: (body: Buffer) => void;
  readonly onReturn: (message: AmqpMessage) => void;
}

export class SnapshotLane {
  readonly #options: SnapshotLaneOptions;
  #publishing: Session | null = null;
  #consuming: Session | null = null;
  #isClosed = false;

  constructor(options: SnapshotLaneOptions) {
    this.#options = options;
  }

  /** Begins to take messages. For the holder of the node's identity; does nothing a second time. */
  start(): void {
    if (this.#isClosed || this.#consuming !== null) return;
    const { url, cluster, name, incarnation, logger, onReceived } = this.#options;
    this.#consuming = openSession({
      url,
      logger,
      connectionName: `quorumq ${name} snapshot consume`,
      setup: async ({ channel, consume }) => {
        await declareRaftExchange(channel, cluster);
        const queue = await declareRaftMailbox(channel, cluster, name, incarnation, "snapshot");
        await consume(queue, (message) => onReceived(message.content));
      },
    });
  }

  /** Opens the publishing connection, if it is not: a transfer is about to begin. */
  prepare(): Session | null {
    if (this.#isClosed) return null;
    const { url, cluster, name, logger, onReturn } = this.#options;
    this.#publishing ??= openSession({
      url,
      logger,
      connectionName: `quorumq ${name} snapshot publish`,
      setup: ({ channel }) => declareRaftExchange(channel, cluster),
      onReturn,
    });
    return this.#publishing;
  }

  /** False: dropped, as it is while the connection is being opened. */
  publish(routingKey: string, body: Buffer, options: PublishOptions): boolean {
    const exchange = raftExchange(this.#options.cluster);
    return this.prepare()?.publish(exchange, routingKey, body, options) ?? false;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([this.#publishing?.close(), this.#consuming?.close()]);
  }
}
