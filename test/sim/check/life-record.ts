// What the checker remembers of one life of a node, beside what the node itself knows.
//
// Guarantees: made of effects and inputs that were seen, never of the node's own bookkeeping.

import type { RequestId } from "../../../raft/input.ts";
import type { LogIndex, NodeId, Term } from "../../../raft/message.ts";

export class LifeRecord {
  term: Term = 0;
  commitIndex: LogIndex = 0;
  appliedIndex: LogIndex = 0;
  snapshotIndex: LogIndex = 0;
  isPoisoned = false;
  /** The term that it was elected for last; 0: none. */
  electedTerm: Term = 0;
  /** Grants that were delivered to it, for `grantsTerm`. */
  grantsTerm: Term = 0;
  readonly grants = new Set<NodeId>();
  /** What was committed when each of its open reads began. */
  readonly readFloors = new Map<RequestId, LogIndex>();
}
