// What this node knows of the others' incarnations, learned from their own messages.
//
// Guarantees: a peer's incarnation only rises, so what an earlier life of it sent is recognised for
// as long as we live. When the broker says that a name's mailbox is gone, the addresses under it
// are forgotten (requests then go to whoever comes back under that name) while the floors stay.
// Strangers, which are no peers (yet, or any more), are remembered as well, but only so many.
// Does not own: who is a peer (the driver) nor whether a stranger is listened to (raft).

import type { NodeId } from "../../raft/message.ts";
import { STRANGERS_MAX } from "../limit.ts";
import { nameOf } from "../member-id.ts";

interface Known {
  /** The highest incarnation heard of. */
  floor: number;
  /** The incarnation to write to; 0: not known. */
  address: number;
  /** Messages sent to it. */
  sequence: number;
}

export class PeerIncarnations {
  #peers = new Map<NodeId, Known>();
  /** The one that was heard last is the last. */
  readonly #strangers = new Map<NodeId, Known>();

  constructor(peers: readonly NodeId[]) {
    this.setPeers(peers);
  }

  /** Who was a peer and is none now is a stranger from here on. */
  setPeers(ids: readonly NodeId[]): void {
    const before = this.#peers;
    this.#peers = new Map(ids.map((id) => [id, before.get(id) ?? this.#find(id) ?? unheard()]));
    for (const id of ids) this.#strangers.delete(id);
    for (const [id, known] of before) if (!this.#peers.has(id)) this.#remember(id, known);
  }

  /** False: the message comes from an earlier life of this member. */
  heard(id: NodeId, incarnation: number): boolean {
    const known = this.#find(id) ?? unheard();
    if (incarnation < known.floor) return false;
    known.floor = incarnation;
    known.address = incarnation;
    if (!this.#peers.has(id)) this.#remember(id, known);
    return true;
  }

  /** The incarnation to write to; 0: not known. */
  addressOf(id: NodeId): number {
    return this.#find(id)?.address ?? 0;
  }

  /** The highest incarnation heard of; 0: none. */
  newestOf(id: NodeId): number {
    return this.#find(id)?.floor ?? 0;
  }

  /** Forgets where to write to under this name; returns the members known by it. */
  forgetAddresses(name: string): readonly NodeId[] {
    const ids: NodeId[] = [];
    for (const [id, known] of [...this.#peers, ...this.#strangers]) {
      if (nameOf(id) !== name) continue;
      known.address = 0;
      ids.push(id);
    }
    return ids;
  }

  nextSequence(id: NodeId): number {
    const known = this.#find(id) ?? this.#remember(id, unheard());
    known.sequence += 1;
    return known.sequence;
  }

  #find(id: NodeId): Known | undefined {
    return this.#peers.get(id) ?? this.#strangers.get(id);
  }

  #remember(id: NodeId, known: Known): Known {
    this.#strangers.delete(id);
    this.#strangers.set(id, known);
    for (const oldest of this.#strangers.keys()) {
      if (this.#strangers.size <= STRANGERS_MAX) break;
      this.#strangers.delete(oldest);
    }
    return known;
  }
}

function unheard(): Known {
  return { floor: 0, address: 0, sequence: 0 };
}
