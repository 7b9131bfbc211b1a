// The port to the other nodes: messages that may be lost, late, doubled or reordered.
//
// Guarantees asked of an adapter: what is handed up was meant for this incarnation of this member
// of this cluster, and passed the size and format checks; whether its sender is a member is for
// Raft to decide. Nothing is buffered for a peer that cannot be reached; a dropped message is
// counted by cause. Chunks of snapshots never keep another message waiting.

import type { Message, NodeId } from "../raft/message.ts";
import type { Hello } from "./hello.ts";

export interface PeerLink {
  /** Never blocks and never throws for a fault of the broker. */
  send(to: NodeId, message: Message): void;
  /** To the node of this name, whatever its disk. As `send`. */
  sendHello(toName: string, hello: Hello): void;
  /**
   * The members but this one, whose newest lives must not be forgotten. To be called at each
   * change; messages to and from others pass as well.
   */
  setPeers(peers: readonly NodeId[]): void;
  /** The peer's newest life that was heard of; 0 for none. Our own for our own id. */
  incarnationOf(node: NodeId): number;
  /** Dropped messages by cause, both directions, since the start. */
  dropped(): Readonly<Record<string, number>>;
  close(): Promise<void>;
}

export interface PeerLinkListener {
  /** From a member or not: one that joins, one that was removed. */
  received(from: NodeId, message: Message): void;
  hello(from: NodeId, hello: Hello): void;
  /**
   * The broker returned a message: the mailbox of the peer's name is gone. A hint only. Told of
   * each member id that was heard of under the name.
   */
  unreachable(peer: NodeId): void;
  /** False while the broker is away or blocks publishers: a leader cannot lead. */
  writable(isWritable: boolean): void;
}
