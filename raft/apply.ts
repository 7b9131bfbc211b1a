// Handing committed entries to the state machine.
//
// Guarantees: in order, without a gap, each index once a life; never more than a bounded number
// that the state machine has not yet reported as applied. Does not own: the state machine.

import { assert } from "./invariant.ts";
import type { LogIndex } from "./message.ts";
import type { RaftNode } from "./node.ts";

/**
 * Entries handed over and not yet applied: bounds what a restart with a long log puts in memory.
 */
export const UNAPPLIED_ENTRIES_MAX = 4096;

export function onApplied(node: RaftNode, index: LogIndex): void {
  assert(index <= node.handedIndex, "I10", "applied, handed over", index, node.handedIndex);
  node.lastApplied = Math.max(node.lastApplied, index);
}

export function handOver(node: RaftNode): void {
  const end = Math.min(node.commitIndex, node.lastApplied + UNAPPLIED_ENTRIES_MAX);
  if (end <= node.handedIndex) return;
  const entries = node.log.range(node.handedIndex + 1, end + 1);
  node.handedIndex = end;
  node.outbox.emit({ kind: "apply", entries });
}
