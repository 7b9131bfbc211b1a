// The port through which nodes reach each other in a run; broker.ts and hostile.ts are behind it.
//
// Guarantees asked of both: what arrives was sent by a member to this member's present life, as the
// peer link checks it; what is sent may be lost without a word.

import type { Message, NodeId } from "../../../raft/message.ts";
import type { Life } from "../life.ts";
import type { Link } from "./link.ts";

export interface Network {
  /** The life's link; it may take a while until anything passes. */
  connect(life: Life): Link;
  /** The life is over. */
  disconnect(life: Life): void;
  send(link: Link, to: NodeId, message: Message): void;
  /** Whether clients reach this node now. */
  reaches(link: Link): boolean;
  /** No fault goes on: what is cut is joined, what is stopped goes on. */
  heal(): void;
}
