// Proposals: into the leader's log, or refused with nothing done.
//
// Guarantees: those taken keep their order; once one is refused, so are all behind it in the same
// input. What is not committed is bounded, so that a leader cut off from its majority does not
// grow without end. Does not own: the outcome of what was taken, which shows on apply.

import { Role } from "./effect.ts";
import type { Proposal } from "./input.ts";
import { entryBytes } from "./log.ts";
import { type Entry, EntryKind } from "./message.ts";
import { leaderState, type RaftNode } from "./node.ts";
import { refuse } from "./refusal.ts";
import { appendOwn } from "./replication.ts";

export function propose(node: RaftNode, proposals: readonly Proposal[]): void {
  const entries: Entry[] = [];
  let isFull = false;
  for (const { requestId, data, traceparent } of proposals) {
    if (node.role !== Role.Leader) {
      refuse(node, requestId, "not-leader");
      continue;
    }
    if (leaderState(node).transfer !== null) {
      refuse(node, requestId, "transferring");
      continue;
    }
    const index = node.log.lastIndex + entries.length + 1;
    const term = node.currentTerm;
    const entry: Entry = { term, index, kind: EntryKind.Command, data, traceparent };
    isFull = isFull || !hasRoom(node, entry);
    if (isFull) {
      refuse(node, requestId, "overloaded");
      continue;
    }
    leaderState(node).uncommittedBytes += entryBytes(entry);
    entries.push(entry);
    node.outbox.emit({ kind: "appended", requestId, term, index });
  }
  if (entries.length > 0) appendOwn(node, entries);
}

/** Entries of earlier terms do not count: a new leader must be able to take what commits them. */
function hasRoom(node: RaftNode, entry: Entry): boolean {
  const { uncommittedEntriesMax, uncommittedBytesMax } = node.options.limits;
  const { termStartIndex, uncommittedBytes } = leaderState(node);
  const uncommitted = entry.index - Math.max(node.commitIndex, termStartIndex);
  if (uncommitted > uncommittedEntriesMax) return false;
  // One that alone is over the limit is let through when nothing else waits.
  return uncommittedBytes === 0 || uncommittedBytes + entryBytes(entry) <= uncommittedBytesMax;
}
