// The port to the other nodes: Raft messages that may be lost, late, doubled or reordered.
//
// Guarantees asked of an adapter: what is handed up was meant for this incarnation of this node
// of this cluster, and passed the size and format checks. Nothing is buffered for a peer that
// cannot be reached; a dropped message is counted by cause.

import type { Message, NodeId } from "../raft/message.ts";

export interface PeerLink {
  /** Never blocks and never throws for a fault of the broker. */
  send(to: NodeId, message: Message): void;
  /** The peer's newest life that was heard of; 0 for none. Our own for our own id. */
  incarnationOf(node: NodeId): number;
  /** Dropped messages by cause, both directions, since the start. */
  dropped(): Readonly<Record<string, number>>;
  close(): Promise<void>;
}

export interface PeerLinkListener {
  received(from: NodeId, message: Message): void;
  /** The broker returned a message: the peer's mailbox is gone. A hint only. */
  unreachable(peer: NodeId): void;
  /** False while the broker is away or blocks publishers: a leader cannot lead. */
  writable(isWritable: boolean): void;
}
