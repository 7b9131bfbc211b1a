// Snapshots on the side that has them: what they free in the log, and offering and serving them to
// peers whose next entry is gone (§7).
//
// Guarantees: only what was applied is compacted, and a tail of the log stays for peers that lag a
// little, or that are fetching a snapshot this moment, so that a fetch is not followed by another
// one. A follower asks for the chunks; nothing is pushed, and nothing is kept about it here. One
// that asks for a snapshot that is gone is offered the newest.
// Does not own: the bytes (the driver's), nor the fetching side (snapshot-fetch.ts).

import { assert } from "./invariant.ts";
import type { LogIndex, NodeId, Snapshot, SnapshotRequest, Term } from "./message.ts";
import { leaderState, type RaftNode } from "./node.ts";
import type { Progress } from "./progress.ts";
import * as progressOf from "./progress.ts";

/** How many tails a leader keeps at most for a peer that fetches a snapshot. */
const HELD_TAILS_MAX = 16;

/** The driver has made a snapshot of what was applied. */
export function onSnapshotTaken(node: RaftNode, snapshot: Snapshot): void {
  const { log, outbox } = node;
  if (snapshot.index <= (node.snapshot?.index ?? 0)) return;
  assert(snapshot.index <= node.lastApplied, "I10", "ahead of what is applied", snapshot.index);
  assert(log.termAt(snapshot.index) === snapshot.term, "I3", "another entry", snapshot.index);
  node.formerSnapshot = node.snapshot;
  node.snapshot = snapshot;
  node.membership.compact(snapshot);
  const compactTo = compactionIndex(node, snapshot.index);
  log.compactTo(compactTo);
  outbox.saveSnapshot(snapshot, compactTo === log.offset.index ? log.offset : null);
}

function compactionIndex(node: RaftNode, snapshotIndex: LogIndex): LogIndex {
  const { trailingEntriesMax, trailingBytesMax } = node.options.limits;
  const { log } = node;
  const tail = { entriesMax: trailingEntriesMax, bytesMax: trailingBytesMax };
  const wanted = snapshotIndex - log.tailLength(snapshotIndex, tail);
  const fetched = fetchedIndex(node);
  if (fetched >= wanted) return wanted;
  const tails = {
    entriesMax: HELD_TAILS_MAX * trailingEntriesMax,
    bytesMax: HELD_TAILS_MAX * trailingBytesMax,
  };
  return Math.max(fetched, snapshotIndex - log.tailLength(snapshotIndex, tails));
}

/** What a peer that is fetching will need first, once it has its snapshot. */
function fetchedIndex(node: RaftNode): LogIndex {
  let fetched = Number.POSITIVE_INFINITY;
  for (const { offered, heardMs } of node.leading?.peers.values() ?? []) {
    if (offered === null || node.nowMs - heardMs >= node.options.electionTimeoutMs.max) continue;
    fetched = Math.min(fetched, offered.index);
  }
  return fetched;
}

/** The peer's next entry is compacted. */
export function offerSnapshot(node: RaftNode, peer: NodeId, progress: Progress): void {
  const { snapshot, log, currentTerm: term } = node;
  assert(snapshot !== null && snapshot.bytes > 0, "I10", "compacted without a snapshot", peer);
  // The same one again, as long as the log goes on behind it: a fetch is worth finishing.
  const { offered } = progress;
  const isKept = offered !== null && isStored(node, offered.index, offered.term);
  const isUsable = isKept && offered.index >= log.offset.index;
  const chosen = isUsable ? offered : snapshot;
  progressOf.noteOffered(progress, chosen, node.nowMs);
  const { round } = leaderState(node);
  node.outbox.send(peer, { kind: "install-snapshot", term, snapshot: chosen, round }, 0);
}

function isStored({ snapshot, formerSnapshot }: RaftNode, index: LogIndex, term: Term): boolean {
  return [snapshot, formerSnapshot].some((one) => one?.index === index && one.term === term);
}

/** A peer that answers but neither asks for chunks nor gets on may have missed the offer. */
export function offerSnapshotAgain(node: RaftNode, peer: NodeId, progress: Progress): void {
  if (progress.mode !== "snapshot") return;
  if (progress.matchIndex > 0 && progress.matchIndex >= node.log.offset.index) {
    progressOf.becomeProbe(progress);
    return;
  }
  const isSilent = node.nowMs - progress.waitingSinceMs >= node.options.electionTimeoutMs.min;
  if (isSilent) offerSnapshot(node, peer, progress);
}

/** Who has neither a snapshot nor a log is sent no entries, from the first one on or not. */
export function offerToBlank(node: RaftNode, peer: NodeId, progress: Progress): void {
  if (node.snapshot === null || node.snapshot.bytes === 0) {
    node.outbox.emit({ kind: "snapshot-wanted" });
  } else if (progress.mode === "snapshot") {
    offerSnapshotAgain(node, peer, progress);
  } else if (progress.matchIndex === 0) {
    offerSnapshot(node, peer, progress);
  }
}

export function onSnapshotRequest(node: RaftNode, from: NodeId, message: SnapshotRequest): void {
  const { index, snapshotTerm, offset } = message;
  const progress = node.leading?.peers.get(from);
  if (progress?.mode === "snapshot") {
    progressOf.noteHeard(progress, progress.round, node.nowMs);
    if (isStored(node, index, snapshotTerm)) progress.waitingSinceMs = node.nowMs;
    else if (progress.offered !== node.snapshot) offerSnapshot(node, from, progress);
  }
  const term = node.currentTerm;
  node.outbox.emit({
    kind: "load-chunk",
    to: from,
    message: { kind: "snapshot-chunk", term, index, snapshotTerm, offset },
    bytes: Math.min(message.bytes, node.options.limits.snapshotChunkBytes),
  });
}
