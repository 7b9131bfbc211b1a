// What nodes tell each other outside of Raft: who they are, and whether they belong to a cluster.
//
// Guarantees: a plain value that says nothing about time: it may be late, doubled or reordered.
// Does not own: what follows from it (formation.ts) nor its bytes (raft-wire.ts).

import type { LogIndex, NodeId } from "../raft/message.ts";

export interface Checkpoint {
  readonly index: LogIndex;
  /** 16 hexadecimal digits (ledger/hash.ts); "": it could not be built. */
  readonly hash: string;
}

export interface Hello {
  /** The sender's disk belongs to a cluster: it founded it or was taken in. */
  readonly isFormed: boolean;
  /** The sender's disk may help to found one. */
  readonly mayFound: boolean;
  /** Of the newest configuration that the sender knows; empty while it is not formed. */
  readonly members: readonly NodeId[];
  /**
   * Not formed: the members, sorted, that the sender agrees to found with; empty while some are
   * missing. Formed: those its cluster was founded with; empty when it does not know any more.
   */
  readonly founding: readonly NodeId[];
  /** To the leader: what this node's ledger was at a checkpoint, built anew from its disk. */
  readonly checkpoint?: Checkpoint;
  /** Names, sorted, of the nodes that are to found the cluster. */
  readonly founders: readonly string[];
}
