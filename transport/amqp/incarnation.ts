// What this node knows of its peers' incarnations, learned from their own messages.
//
// Guarantees: a peer's incarnation only rises, so what an earlier life of it sent is recognised for
// as long as we live. When the broker says that a peer's mailbox is gone, the address is forgotten
// (requests then go to whoever comes back under that name) while the floor stays.

import assert from "node:assert/strict";
import type { NodeId } from "../../raft/message.ts";

interface Known {
  /** The highest incarnation heard of. */
  floor: number;
  /** The incarnation to write to; 0: not known. */
  address: number;
  /** Messages sent to it. */
  sequence: number;
}

export class PeerIncarnations {
  readonly #peers = new Map<NodeId, Known>();

  constructor(peers: readonly NodeId[]) {
    for (const peer of peers) this.#peers.set(peer, { floor: 0, address: 0, sequence: 0 });
  }

  isPeer(nodeId: NodeId): boolean {
    return this.#peers.has(nodeId);
  }

  /** False: the message comes from an earlier life of this peer. */
  heard(peer: NodeId, incarnation: number): boolean {
    const known = this.#known(peer);
    if (incarnation < known.floor) return false;
    known.floor = incarnation;
    known.address = incarnation;
    return true;
  }

  addressOf(peer: NodeId): number {
    return this.#known(peer).address;
  }

  /** The highest incarnation heard of; 0: none. */
  newestOf(peer: NodeId): number {
    return this.#known(peer).floor;
  }

  forgetAddress(peer: NodeId): void {
    this.#known(peer).address = 0;
  }

  nextSequence(peer: NodeId): number {
    const known = this.#known(peer);
    known.sequence += 1;
    return known.sequence;
  }

  #known(peer: NodeId): Known {
    const known = this.#peers.get(peer);
    assert(known !== undefined, `${peer} is not a peer`);
    return known;
  }
}
