// Whether a message of a peer makes sense by itself: garbage can be valid protobuf (ten zero bytes
// are an empty message), and what the core asserts must never depend on what a peer sends.
//
// Guarantees: places in the log are pairs (both 0, or neither), nothing is newer than its message,
// sizes are within their limits, configurations name members that can be.
// Does not own: whether a message is right, which only the core knows.

import { type Configuration, decodeConfiguration } from "../raft/configuration.ts";
import { type Entry, EntryKind, type Message, type NodeId, type Term } from "../raft/message.ts";
import type { Hello } from "./hello.ts";
import { MEMBERS_MAX, SNAPSHOT_BYTES_MAX, SNAPSHOT_CHUNK_BYTES } from "./limit.ts";
import { isMemberId, isNodeName } from "./member-id.ts";

export function isSensibleMessage(message: Message): boolean {
  const { term } = message;
  // Only a pre-vote can come from a node that has never seen an election.
  const isPreVote =
    (message.kind === "request-vote" || message.kind === "request-vote-result") && message.preVote;
  if (term < 1 && !isPreVote) return false;
  switch (message.kind) {
    case "request-vote":
      return isLogPosition(message.lastLogIndex, message.lastLogTerm, term);
    case "append-entries":
      return (
        isLogPosition(message.prevLogIndex, message.prevLogTerm, term) &&
        areEntries(message.entries, message.prevLogIndex, message.prevLogTerm, term)
      );
    case "append-entries-result":
      return message.conflictTerm <= term;
    case "install-snapshot": {
      const { index, term: snapshotTerm, bytes, configuration } = message.snapshot;
      return (
        isLogPosition(index, snapshotTerm, term) &&
        bytes <= SNAPSHOT_BYTES_MAX &&
        isSensibleConfiguration(configuration)
      );
    }
    case "snapshot-request":
      return (
        isLogPosition(message.index, message.snapshotTerm, term) &&
        message.bytes <= SNAPSHOT_CHUNK_BYTES &&
        message.offset + message.bytes <= SNAPSHOT_BYTES_MAX
      );
    case "snapshot-chunk":
      return (
        isLogPosition(message.index, message.snapshotTerm, term) &&
        message.data.length <= SNAPSHOT_CHUNK_BYTES &&
        message.offset + message.data.length <= SNAPSHOT_BYTES_MAX
      );
    case "request-vote-result":
    case "timeout-now":
    case "read-index":
    case "read-index-result":
      return true;
  }
}

export function isSensibleHello({ isFormed, members, founding, founders }: Hello): boolean {
  return (
    areMembers(members) &&
    areMembers(founding) &&
    areDistinct(founders) &&
    founders.every(isNodeName) &&
    // Who has joined a cluster knows a member of it, and who has not knows none.
    isFormed === members.length > 0
  );
}

/** What createConfiguration asserts, and that ids are ids of members. */
function isSensibleConfiguration({ voters, outgoing, learners }: Configuration): boolean {
  return (
    voters.length > 0 &&
    areMembers(voters) &&
    areMembers(outgoing) &&
    areMembers(learners) &&
    !learners.some((id) => voters.includes(id))
  );
}

function areMembers(ids: readonly NodeId[]): boolean {
  return areDistinct(ids) && ids.every(isMemberId);
}

function areDistinct(texts: readonly string[]): boolean {
  return texts.length <= MEMBERS_MAX && new Set(texts).size === texts.length;
}

/** Index and term are both 0 (before the log) or both not; no entry is newer than the message. */
function isLogPosition(index: number, term: Term, messageTerm: Term): boolean {
  return (index === 0) === (term === 0) && term <= messageTerm;
}

/** Without a hole behind prevLogIndex, with terms that never fall (Log Matching, §5.3). */
function areEntries(
  entries: readonly Entry[],
  prevLogIndex: number,
  prevLogTerm: Term,
  messageTerm: Term,
): boolean {
  let term = prevLogTerm;
  for (const [offset, entry] of entries.entries()) {
    if (entry.index !== prevLogIndex + 1 + offset) return false;
    if (entry.term < 1 || entry.term < term || entry.term > messageTerm) return false;
    if (!isSensibleContent(entry)) return false;
    term = entry.term;
  }
  return true;
}

function isSensibleContent({ kind, data }: Entry): boolean {
  if (kind === EntryKind.Command || kind === EntryKind.NoOp) return true;
  if (kind !== EntryKind.Configuration) return false;
  const configuration = decodeConfiguration(data);
  return configuration !== null && isSensibleConfiguration(configuration);
}
