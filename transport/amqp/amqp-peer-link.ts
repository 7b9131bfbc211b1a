// The Raft peer link over RabbitMQ: two connections, two lanes, no buffers; a third lane apart.
//
//   publish session ──▶ exchange quorumq.<cluster>.raft ──<name>.control──▶ small and urgent
//                                                       ├─<name>.append───▶ entries
//   snapshot-lane.ts ─────────────▶                     └─<name>.snapshot─▶ chunks, and requests
//   consume session ◀── this incarnation's mailboxes of the first two lanes
//
// Guarantees: those of transport/peer-link.ts. Publishing and consuming are apart since an alarm
// blocks only publishers. Nothing is sent before this process holds the node's identity. A message
// that cannot leave now is dropped and counted: Raft sends again, and a message that waited is
// worth less than a new one. Mailboxes and the identity go by name, envelopes by member id: what
// was meant for the disk that a name had before is dropped by the one that it has now.
// Does not own: what a message means (raft), nor its bytes (raft-codec.ts).

import type { Message as AmqpMessage } from "amqplib";
import type { Message, NodeId } from "../../raft/message.ts";
import type { Hello } from "../hello.ts";
import { MEMBERS_MAX, STRANGERS_MAX } from "../limit.ts";
import { nameOf } from "../member-id.ts";
import type { PeerLink, PeerLinkListener } from "../peer-link.ts";
import {
  decodeEnvelope,
  type Encoded,
  type EnvelopeHead,
  encodeEnvelope,
  encodeHello,
  isResult,
} from "../raft-codec.ts";
import type { Logger } from "../telemetry/logger.ts";
import { DropCount } from "./drop-count.ts";
import { claimIdentity, IdentityTakenError } from "./identity.ts";
import { PeerIncarnations } from "./incarnation.ts";
import { openSession, type Session, type SetupConnection } from "./session.ts";
import { SnapshotLane } from "./snapshot-lane.ts";
import {
  declareRaftExchange,
  declareRaftMailbox,
  type Lane,
  nameOfRoutingKey,
  raftExchange,
  raftRoutingKey,
} from "./topology.ts";

export interface AmqpPeerLinkOptions {
  readonly url: string;
  readonly cluster: string;
  /** Name and disk of this node: see member-id.ts. */
  readonly memberId: NodeId;
  /** This life of the node, from the log store. */
  readonly incarnation: number;
  /** The other members, if some are known: see setPeers. */
  readonly peers: readonly NodeId[];
  readonly listener: PeerLinkListener;
  readonly logger: Logger;
  /** How long another holder of our name may take to vanish, at the first start. */
  readonly identityWaitMs?: number;
  /** The same after a reconnect, when the holder may be our own lost connection. */
  readonly identityRegainWaitMs?: number;
  /** After a reconnect another process holds our name: this one must stop. */
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
/** A name without a mailbox is reported once in this time, not once a message. */
const UNREACHABLE_EVERY_MS = 100;
const UNREACHABLE_NAMES_MAX = MEMBERS_MAX + STRANGERS_MAX;

/** Begins to connect and returns at once; nothing is sent or received before `claimed`. */
export function openAmqpPeerLink(options: AmqpPeerLinkOptions): AmqpPeerLink {
  return new RabbitmqPeerLink(options);
}

class RabbitmqPeerLink implements AmqpPeerLink {
  readonly claimed: Promise<void>;
  readonly #options: AmqpPeerLinkOptions;
  readonly #name: string;
  readonly #incarnations: PeerIncarnations;
  readonly #drops = new DropCount();
  readonly #exchange: string;
  /** By name; only so many names are known. */
  readonly #unreachableAtMs = new Map<string, number>();
  readonly #closing = new AbortController();
  readonly #publishing: Session;
  readonly #consuming: Session;
  readonly #snapshots: SnapshotLane;
  readonly #resolveClaimed: () => void;
  readonly #rejectClaimed: (error: IdentityTakenError) => void;
  #hellos = 0;
  #hasClaimedOnce = false;
  #isWritable = false;

  constructor(options: AmqpPeerLinkOptions) {
    this.#options = options;
    const { url, cluster, memberId, incarnation, logger } = options;
    this.#name = nameOf(memberId);
    this.#exchange = raftExchange(cluster);
    this.#incarnations = new PeerIncarnations(options.peers);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.claimed = promise;
    this.#resolveClaimed = resolve;
    this.#rejectClaimed = reject;
    this.#snapshots = new SnapshotLane({
      url,
      cluster,
      name: this.#name,
      incarnation,
      logger,
      onReceived: (body) => this.#received(body),
      // Says nothing of the peer: its other mailboxes live on other connections.
      onReturn: () => this.#drops.add("send-snapshot-returned"),
    });
    const shared = { url, logger, onState: () => this.#checkWritable() };
    this.#consuming = openSession({
      ...shared,
      connectionName: `quorumq ${this.#name} raft consume`,
      setupTimeoutMs: CONSUME_SETUP_TIMEOUT_MS,
      setup: (connection) => this.#setUpConsuming(connection),
    });
    this.#publishing = openSession({
      ...shared,
      connectionName: `quorumq ${this.#name} raft publish`,
      setup: ({ channel }) => declareRaftExchange(channel, cluster),
      onReturn: (message) => this.#returned(message),
    });
  }

  send(to: NodeId, message: Message): void {
    const lane = laneOf(message);
    const canSend = lane === "snapshot" ? this.#isIdentityHeld() : this.#isWritable;
    if (!canSend) {
      this.#drops.add("send-not-writable");
      return;
    }
    // A request is for whoever the member is by now: bound to a life that has ended unnoticed, it
    // would be dropped for ever, if the member never speaks first. An answer is for who asked.
    const toIncarnation = isResult(message) ? this.#incarnations.addressOf(to) : 0;
    if (toIncarnation === 0 && isResult(message)) {
      // Its mailbox is gone since it asked: nobody is left who could use the answer.
      this.#drops.add("send-result-without-address");
      return;
    }
    if (message.kind === "install-snapshot") this.#snapshots.prepare();
    const head = this.#head(to, toIncarnation, this.#incarnations.nextSequence(to));
    this.#publish(nameOf(to), lane, message.kind, encodeEnvelope(head, message));
  }

  sendHello(toName: string, hello: Hello): void {
    if (!this.#isWritable) {
      this.#drops.add("send-not-writable");
      return;
    }
    this.#hellos += 1;
    const head = this.#head(toName, 0, this.#hellos);
    this.#publish(toName, "control", "hello", encodeHello(head, hello));
  }

  setPeers(peers: readonly NodeId[]): void {
    this.#incarnations.setPeers(peers.filter((peer) => peer !== this.#options.memberId));
  }

  incarnationOf(node: NodeId): number {
    if (node === this.#options.memberId) return this.#options.incarnation;
    return this.#incarnations.newestOf(node);
  }

  dropped(): Readonly<Record<string, number>> {
    return this.#drops.snapshot();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#isWritable = false;
    await Promise.all([this.#publishing.close(), this.#consuming.close(), this.#snapshots.close()]);
  }

  #head(to: NodeId, toIncarnation: number, sequence: number): EnvelopeHead {
    const { cluster, memberId: from, incarnation: fromIncarnation } = this.#options;
    return { cluster, from, fromIncarnation, to, toIncarnation, sequence };
  }

  #publish(name: string, lane: Lane, type: string, encoded: Encoded): void {
    if (encoded.kind === "dropped") {
      this.#options.logger.error({ to: name, message: type }, "a Raft message is too large");
      this.#drops.add(`send-${encoded.cause}`);
      return;
    }
    const { buffer, byteOffset, byteLength } = encoded.bytes;
    const body = Buffer.from(buffer, byteOffset, byteLength);
    const routingKey = raftRoutingKey(name, lane);
    const options = { mandatory: true, type };
    if (lane === "snapshot") {
      const isTaken = this.#snapshots.publish(routingKey, body, options);
      if (!isTaken) this.#drops.add("send-snapshot-unwritable");
    } else if (!this.#publishing.publish(this.#exchange, routingKey, body, options)) {
      this.#drops.add("send-full");
    }
  }

  async #setUpConsuming(connection: SetupConnection): Promise<void> {
    const { cluster, incarnation } = this.#options;
    await this.#claim(connection);
    const { channel } = connection;
    await declareRaftExchange(channel, cluster);
    for (const lane of ["control", "append"] as const) {
      const queue = await declareRaftMailbox(channel, cluster, this.#name, incarnation, lane);
      await connection.consume(queue, (message) => this.#received(message.content));
    }
  }

  async #claim(connection: SetupConnection): Promise<void> {
    const { cluster, onIdentityLost } = this.#options;
    const waitMs = this.#hasClaimedOnce
      ? (this.#options.identityRegainWaitMs ?? IDENTITY_REGAIN_WAIT_MS)
      : (this.#options.identityWaitMs ?? IDENTITY_WAIT_MS);
    const { signal } = this.#closing;
    try {
      await claimIdentity(connection, { cluster, nodeId: this.#name, waitMs, signal });
    } catch (error) {
      if (error instanceof IdentityTakenError) {
        if (this.#hasClaimedOnce) onIdentityLost(error);
        else this.#rejectClaimed(error);
      }
      throw error;
    }
    this.#hasClaimedOnce = true;
    this.#snapshots.start();
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
    if (!this.#incarnations.heard(from, fromIncarnation)) {
      this.#drops.add("received-earlier-incarnation");
      return;
    }
    if (decoded.kind === "hello") {
      this.#options.listener.hello(from, decoded.hello);
      return;
    }
    // The first request for a chunk would be lost while the connection for it is being opened.
    if (decoded.message.kind === "install-snapshot") this.#snapshots.prepare();
    this.#options.listener.received(from, decoded.message);
  }

  #returned(message: AmqpMessage): void {
    this.#drops.add("send-returned");
    const name = nameOfRoutingKey(message.fields.routingKey);
    const peers = this.#incarnations.forgetAddresses(name);
    const nowMs = performance.now();
    const beforeMs = this.#unreachableAtMs.get(name) ?? Number.NEGATIVE_INFINITY;
    if (peers.length === 0 || nowMs - beforeMs < UNREACHABLE_EVERY_MS) return;
    // Names of strangers come and go: at worst one is reported once more.
    if (this.#unreachableAtMs.size >= UNREACHABLE_NAMES_MAX) this.#unreachableAtMs.clear();
    this.#unreachableAtMs.set(name, nowMs);
    for (const peer of peers) this.#options.listener.unreachable(peer);
  }

  /** Without the consuming session our identity may be another's. */
  #isIdentityHeld(): boolean {
    return this.#consuming.state === "connected" || this.#consuming.state === "blocked";
  }

  #checkWritable(): void {
    const isWritable = this.#publishing.state === "connected" && this.#isIdentityHeld();
    if (isWritable === this.#isWritable || this.#closing.signal.aborted) return;
    this.#isWritable = isWritable;
    this.#options.listener.writable(isWritable);
  }
}

/** What can be large goes its own way, so that heartbeats, votes and acks never queue behind it. */
function laneOf(message: Message): Lane {
  if (message.kind === "snapshot-request" || message.kind === "snapshot-chunk") return "snapshot";
  return message.kind === "append-entries" && message.entries.length > 0 ? "append" : "control";
}
