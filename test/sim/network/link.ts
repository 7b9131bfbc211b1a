// One life's end of the network: what it knows of its peers' lives, and the checks of the envelope.
//
// Guarantees: as transport/amqp: only a request may be addressed to an unknown life; an answer goes
// to the life that asked; what an earlier life of a peer sent is dropped, unless the network is
// hostile. Does not own: how messages travel (broker.ts, hostile.ts).

import type { Message, NodeId } from "../../../raft/message.ts";
import { isResult } from "../../../transport/raft-codec.ts";
import type { Life } from "../life.ts";
import type { Sim } from "../sim.ts";
import { isKnownToOldFormat, throughCodec } from "./format.ts";

export type Lane = 0 | 1 | 2;

export interface Envelope {
  readonly from: NodeId;
  readonly fromIncarnation: number;
  readonly to: NodeId;
  /** 0: not known. */
  readonly toIncarnation: number;
  readonly message: Message;
  readonly lane: Lane;
  readonly link: Link;
  /** Rises when the publishing connection is lost: what was under way then may be gone. */
  readonly epoch: number;
  isDropped: boolean;
}

interface Known {
  floor: number;
  address: number;
}

/** What the broker returns is told once in this time. */
const UNREACHABLE_EVERY_MS = 100;

export class Link {
  readonly life: Life;
  readonly #sim: Sim;
  readonly #known = new Map<NodeId, Known>();
  readonly #toldAtMs = new Map<NodeId, number>();
  /** When the newest message to a peer arrives, by peer and lane: connections keep their order. */
  readonly lastArrivalMs = new Map<string, number>();
  epoch = 0;
  isPublishing = false;
  isConsuming = false;
  /** Publishes go nowhere, and nobody says so. */
  isSilent = false;
  /** What comes is not handed over, and waits in the mailbox. */
  isStalled = false;
  blockedSinceMs: number | null = null;
  isOver = false;

  constructor(sim: Sim, life: Life) {
    this.#sim = sim;
    this.life = life;
  }

  get id(): NodeId {
    return this.life.id;
  }

  /** Null: it does not leave. */
  envelope(to: NodeId, message: Message): Envelope | null {
    const { host } = this.life;
    const { tally } = this.#sim;
    if (host.isOldFormat && !isKnownToOldFormat(message)) {
      tally.add("network.unknown-to-old-format");
      return null;
    }
    const address = this.#known.get(to)?.address ?? 0;
    if (address === 0 && isResult(message)) {
      tally.add("network.result-without-address");
      return null;
    }
    // A request to a life that is over would never be answered, and its address never corrected.
    const toIncarnation = isResult(message) ? address : 0;
    if (this.#sim.options.isFrozen) freeze(message);
    const { id: from } = this;
    const addresses = { from, fromIncarnation: this.life.incarnation, to, toIncarnation };
    return {
      ...addresses,
      message: host.hasCodec ? throughCodec(addresses, message) : message,
      lane: laneOf(message),
      link: this,
      epoch: this.epoch,
      isDropped: false,
    };
  }

  /** False if it was dropped. */
  receive(envelope: Envelope, isHostile: boolean): boolean {
    const { from, fromIncarnation, to, toIncarnation, message } = envelope;
    const { life } = this;
    const { tally } = this.#sim;
    if (this.isOver) return false;
    if (to !== this.id) {
      tally.add("sometimes.message-to-a-lost-member");
      return false;
    }
    const isOpen = toIncarnation === 0 && !isResult(message);
    if (!isOpen && toIncarnation !== life.incarnation) {
      tally.add("sometimes.message-to-an-earlier-life");
      return false;
    }
    const known = this.#known.get(from);
    if (known === undefined) {
      this.#known.set(from, { floor: fromIncarnation, address: fromIncarnation });
    } else if (fromIncarnation >= known.floor) {
      known.floor = fromIncarnation;
      known.address = fromIncarnation;
    } else {
      tally.add("sometimes.message-from-an-earlier-life");
      if (!isHostile) return false;
    }
    if (life.host.isOldFormat && !isKnownToOldFormat(message)) {
      tally.add("network.unknown-to-old-format");
      return false;
    }
    life.host.give(life, { kind: "received", nowMs: 0, from, message });
    return true;
  }

  /** The broker gave a message to this peer back. */
  returned(peer: NodeId): void {
    if (this.isOver) return;
    const known = this.#known.get(peer);
    if (known !== undefined) known.address = 0;
    this.hint(peer);
  }

  hint(peer: NodeId): void {
    const { nowMs } = this.#sim.scheduler;
    const beforeMs = this.#toldAtMs.get(peer) ?? Number.NEGATIVE_INFINITY;
    if (this.isOver || nowMs - beforeMs < UNREACHABLE_EVERY_MS) return;
    this.#toldAtMs.set(peer, nowMs);
    this.#sim.tally.add("count.hints");
    this.life.host.give(this.life, { kind: "unreachable", nowMs: 0, peer });
  }
}

/** Whoever changes what it was sent, or has sent, is found out: the change throws. */
function freeze(message: Message): void {
  Object.freeze(message);
  if (message.kind !== "append-entries") return;
  Object.freeze(message.entries);
  for (const entry of message.entries) Object.freeze(entry);
}

/** As the peer link has them: what is small and urgent, what holds entries, what holds state. */
function laneOf(message: Message): Lane {
  switch (message.kind) {
    case "append-entries":
      return message.entries.length > 0 ? 1 : 0;
    case "snapshot-request":
    case "snapshot-chunk":
      return 2;
    default:
      return 0;
  }
}
