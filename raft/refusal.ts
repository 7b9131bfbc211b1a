// "Nothing happened": the answer to what a client asked and this node did not take.

import type { RefusalReason } from "./effect.ts";
import type { RequestId } from "./input.ts";
import type { RaftNode } from "./node.ts";

export function refuse(node: RaftNode, requestId: RequestId, reason: RefusalReason): void {
  node.outbox.emit({ kind: "refused", requestId, reason, leader: node.leader });
}
