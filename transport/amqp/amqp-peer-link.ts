// The Raft peer link over RabbitMQ: two connections, two lanes, no buffers.
//
//   publish session ──▶ exchange quorumq.<cluster>.raft ──<node>.control──▶ small and urgent
//                                                       └─<node>.append───▶ entries
//   consume session ◀── this incarnation's two mailboxes
//
// Guarantees: those of transport/peer-link.ts. Publishing and consuming are apart since an alarm
// blocks only publishers. Nothing is sent before this process holds the node's identity. A message
// that cannot leave now is dropped and counted: Raft sends again, and a message that waited is
// worth less than a new one.
// Does not own: what a message means (raft), nor its bytes (raft-codec.ts).

import type { Message as AmqpMessage } from "amqplib";
import type { Message, NodeId } from "../../raft/message.ts";
import type { PeerLink, PeerLinkListener } from "../peer-link.ts";
import { decodeEnvelope, encodeEnvelope, isResult } from "../raft-codec.ts";
import type { Logger } from "../telemetry/logger.ts";
import { DropCount } from "./drop-count.ts";
import { claimIdentity, IdentityTakenError } from "./identity.ts";
import { PeerIncarnations } from "./incarnation.ts";
import { openSession, type Session, type SetupConnection } from "./session.ts";
import {
  declareRaftExchange,
  declareRaftMailbox,
  LANES,
  type Lane,
  raftExchange,
  raftRoutingKey,
} from "./topology.ts";

export interface AmqpPeerLinkOptions {
  readonly url: string;
  readonly cluster: string;
  readonly nodeId: NodeId;
  /** This life of the node, from the log store. */
  readonly incarnation: number;
  /** The other nodes. */
  readonly peers: readonly NodeId[];
  readonly listener: PeerLinkListener;
  readonly logger: Logger;
  /** How long another holder of our node id may take to vanish, at the first start. */
  readonly identityWaitMs?: number;
  /** The same after a reconnect, when the holder may be our own lost connection. */
  readonly identityRegainWaitMs?: number;
  /** After a reconnect another process holds our node id: this one must stop. */
  readonly onIdentityLost: (error: IdentityTakenError) => void;
}

export interface AmqpPeerLink extends PeerLink {
  /**
   * Resolves when this process holds the node's identity for the first time (waits for the broker);
   * rejects with IdentityTakenError when another has it. Stays pending if closed before.
   */
  readonly claimed: Promise<void>;
}

const IDENTITY_WAIT_MS = 5_000;
/** A lost connection of our own may live on in the broker for two to three heartbeats. */
const IDENTITY_REGAIN_WAIT_MS = 40_000;
/** Setting up includes waiting for the identity. */
const CONSUME_SETUP_TIMEOUT_MS = IDENTITY_REGAIN_WAIT_MS + 15_000;
/** A peer without a mailbox is reported once in this time, not once a message. */
const UNREACHABLE_EVERY_MS = 100;

/** Begins to connect and returns at once; nothing is sent or received before `claimed`. */
export function openAmqpPeerLink(options: AmqpPeerLinkOptions): AmqpPeerLink {
  return new RabbitmqPeerLink(options);
}

class RabbitmqPeerLink implements AmqpPeerLink {
  readonly claimed: Promise<void>;
  readonly #options: AmqpPeerLinkOptions;
  readonly #incarnations: PeerIncarnations;
  readonly #drops = new DropCount();
  readonly #exchange: string;
  readonly #peerByRoutingKey = new Map<string, NodeId>();
  readonly #unreachableAtMs = new Map<NodeId, number>();
  readonly #closing = new AbortController();
  readonly #publishing: Session;
  readonly #consuming: Session;
  readonly #resolveClaimed: () => void;
  readonly #rejectClaimed: (error: IdentityTakenError) => void;
  #hasClaimedOnce = false;
  #isWritable = false;

  constructor(options: AmqpPeerLinkOptions) {
    this.#options = options;
    this.#exchange = raftExchange(options.cluster);
    this.#incarnations = new PeerIncarnations(options.peers);
    for (const peer of options.peers) {
      for (const lane of LANES) this.#peerByRoutingKey.set(raftRoutingKey(peer, lane), peer);
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.claimed = promise;
    this.#resolveClaimed = resolve;
    this.#rejectClaimed = reject;
    const shared = {
      url: options.url,
      logger: options.logger,
      onState: () => this.#checkWritable(),
    };
    this.#consuming = openSession({
      ...shared,
      connectionName: `quorumq ${options.nodeId} raft consume`,
      setupTimeoutMs: CONSUME_SETUP_TIMEOUT_MS,
      setup: (connection) => this.#setUpConsuming(connection),
    });
    this.#publishing = openSession({
      ...shared,
      connectionName: `quorumq ${options.nodeId} raft publish`,
      setup: ({ channel }) => declareRaftExchange(channel, options.cluster),
      onReturn: (message) => this.#returned(message),
    });
  }

  send(to: NodeId, message: Message): void {
    if (!this.#isWritable) {
      this.#drops.add("send-not-writable");
      return;
    }
    const toIncarnation = this.#incarnations.addressOf(to);
    if (toIncarnation === 0 && isResult(message)) {
      // Its mailbox is gone since it asked: nobody is left who could use the answer.
      this.#drops.add("send-result-without-address");
      return;
    }
    const { cluster, nodeId: from, incarnation: fromIncarnation } = this.#options;
    const sequence = this.#incarnations.nextSequence(to);
    const head = { cluster, from, fromIncarnation, to, toIncarnation, sequence };
    const encoded = encodeEnvelope(head, message);
    if (encoded.kind === "dropped") {
      this.#options.logger.error({ to, message: message.kind }, "a Raft message is too large");
      this.#drops.add(`send-${encoded.cause}`);
      return;
    }
    const { buffer, byteOffset, byteLength } = encoded.bytes;
    const body = Buffer.from(buffer, byteOffset, byteLength);
    const isTaken = this.#publishing.publish(
      this.#exchange,
      raftRoutingKey(to, laneOf(message)),
      body,
      { mandatory: true, type: message.kind },
    );
    if (!isTaken) this.#drops.add("send-full");
  }

  incarnationOf(node: NodeId): number {
    if (node === this.#options.nodeId) return this.#options.incarnation;
    return this.#incarnations.newestOf(node);
  }

  dropped(): Readonly<Record<string, number>> {
    return this.#drops.snapshot();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#isWritable = false;
    await Promise.all([this.#publishing.close(), this.#consuming.close()]);
  }

  async #setUpConsuming(connection: SetupConnection): Promise<void> {
    const { cluster, nodeId, incarnation } = this.#options;
    await this.#claim(connection);
    const { channel } = connection;
    await declareRaftExchange(channel, cluster);
    for (const lane of LANES) {
      const queue = await declareRaftMailbox(channel, cluster, nodeId, incarnation, lane);
      await connection.consume(queue, (message) => this.#received(message.content));
    }
  }

  async #claim(connection: SetupConnection): Promise<void> {
    const { cluster, nodeId, onIdentityLost } = this.#options;
    const waitMs = this.#hasClaimedOnce
      ? (this.#options.identityRegainWaitMs ?? IDENTITY_REGAIN_WAIT_MS)
      : (this.#options.identityWaitMs ?? IDENTITY_WAIT_MS);
    try {
      await claimIdentity(connection, { cluster, nodeId, waitMs, signal: this.#closing.signal });
    } catch (error) {
      if (error instanceof IdentityTakenError) {
        if (this.#hasClaimedOnce) onIdentityLost(error);
        else this.#rejectClaimed(error);
      }
      throw error;
    }
    this.#hasClaimedOnce = true;
    this.#resolveClaimed();
  }

  #received(body: Buffer): void {
    if (this.#closing.signal.aborted) return;
    const decoded = decodeEnvelope(body, this.#options);
    if (decoded.kind === "dropped") {
      this.#drops.add(`received-${decoded.cause}`);
      return;
    }
    const { from, fromIncarnation } = decoded.head;
    if (!this.#incarnations.isPeer(from)) {
      this.#drops.add("received-not-a-peer");
      return;
    }
    if (!this.#incarnations.heard(from, fromIncarnation)) {
      this.#drops.add("received-earlier-incarnation");
      return;
    }
    this.#options.listener.received(from, decoded.message);
  }

  #returned(message: AmqpMessage): void {
    const peer = this.#peerByRoutingKey.get(message.fields.routingKey);
    if (peer === undefined) return;
    this.#drops.add("send-returned");
    this.#incarnations.forgetAddress(peer);
    const nowMs = performance.now();
    const beforeMs = this.#unreachableAtMs.get(peer) ?? Number.NEGATIVE_INFINITY;
    if (nowMs - beforeMs < UNREACHABLE_EVERY_MS) return;
    this.#unreachableAtMs.set(peer, nowMs);
    this.#options.listener.unreachable(peer);
  }

  /** Without the consuming session our identity may be another's: so it counts as well. */
  #checkWritable(): void {
    const isWritable =
      this.#publishing.state === "connected" &&
      (this.#consuming.state === "connected" || this.#consuming.state === "blocked");
    if (isWritable === this.#isWritable || this.#closing.signal.aborted) return;
    this.#isWritable = isWritable;
    this.#options.listener.writable(isWritable);
  }
}

/** What can be large goes its own way, so that heartbeats, votes and acks never queue behind it. */
function laneOf(message: Message): Lane {
  return message.kind === "append-entries" && message.entries.length > 0 ? "append" : "control";
}
