// A follower fetches its leader's snapshot in chunks, and takes it over (§7).
//
//   offer ─▶ ask for a window of chunks ─▶ each staged ─▶ all: verify ─▶ sound: install ─▶ ack
//                    ▲ a chunk that does not come is asked for again
//
// Guarantees: a chunk that got lost costs that chunk; the same snapshot offered by the next leader
// goes on where it was. A snapshot holds committed entries only, so taking one over is right
// in any role and term; one that brings nothing new is never taken over (etcd's
// TestRestoreIgnoreSnapshot), and one whose last entry is in the log already only moves the commit
// index: the log behind it stays. Until it is taken over, nothing of the node's state has changed.
// Does not own: staging and checking the bytes (the driver's).

import { adoptConfiguration } from "./adoption.ts";
import { acknowledge } from "./append.ts";
import { becomeFollower, resetElectionTimer } from "./election.ts";
import { assert } from "./invariant.ts";
import { Membership } from "./membership.ts";
import type { InstallSnapshot, NodeId, Snapshot, SnapshotChunk } from "./message.ts";
import type { Fetch, RaftNode } from "./node.ts";

/** The message's term is the current term. */
export function onInstallSnapshot(node: RaftNode, from: NodeId, message: InstallSnapshot): void {
  const { snapshot, round } = message;
  assert(node.leading === null, "I1", "another leader", from, message.term);
  assert(node.leader === null || node.leader === from, "I1", "two leaders", node.leader, from);
  becomeFollower(node, node.currentTerm, from);
  resetElectionTimer(node);
  node.leaderHeardMs = node.nowMs;
  node.isLeaderUnreachable = false;
  node.followed.round = Math.max(node.followed.round, round);
  if (takeIfKnown(node, snapshot)) {
    acknowledgeCommitted(node);
    return;
  }
  const { fetch } = node;
  if (fetch !== null && isSame(fetch.snapshot, snapshot)) {
    if (fetch.from !== from) askAnother(fetch, from);
  } else if (fetch === null || !fetch.isVerifying) {
    const asked = new Map<number, number>();
    const staged = new Set<number>();
    node.fetch = { snapshot, from, nextChunk: 0, asked, staged, isVerifying: false };
  }
  askForChunks(node);
}

/** What the last leader was asked for and did not send is asked again; what is staged is not. */
function askAnother(fetch: Fetch, leader: NodeId): void {
  fetch.from = leader;
  fetch.asked.clear();
  fetch.nextChunk = 0;
}

/** True if the log has all that the snapshot stands for: then so much is committed. */
function takeIfKnown(node: RaftNode, { index, term }: Snapshot): boolean {
  if (index > node.commitIndex && node.log.termAt(index) !== term) return false;
  node.commitIndex = Math.max(node.commitIndex, index);
  node.fetch = null;
  return true;
}

/** What is committed is the same everywhere, so the leader has it too. */
function acknowledgeCommitted(node: RaftNode): void {
  const { leader, followed } = node;
  if (leader === null || leader === node.id) return;
  followed.matchIndex = Math.max(followed.matchIndex, node.commitIndex);
  acknowledge(node, leader, node.commitIndex, followed.round);
}

function isSame(one: Snapshot, other: Snapshot): boolean {
  return (
    one.index === other.index &&
    one.term === other.term &&
    one.bytes === other.bytes &&
    one.checksum === other.checksum
  );
}

/** Those never asked for, as far as the window goes, and those whose answer is overdue. */
export function askForChunks(node: RaftNode): void {
  const { fetch } = node;
  if (fetch === null || fetch.isVerifying) return;
  if (fetch.snapshot.index <= node.commitIndex) {
    node.fetch = null;
    return;
  }
  const { snapshotChunkBytes, snapshotWindow } = node.options.limits;
  const overdueMs = node.options.electionTimeoutMs.min / 2;
  for (const [chunk, askedMs] of fetch.asked) {
    if (node.nowMs - askedMs >= overdueMs) ask(node, fetch, chunk);
  }
  const count = Math.ceil(fetch.snapshot.bytes / snapshotChunkBytes);
  while (fetch.asked.size < snapshotWindow && fetch.nextChunk < count) {
    const chunk = fetch.nextChunk;
    fetch.nextChunk += 1;
    if (!fetch.staged.has(chunk)) ask(node, fetch, chunk);
  }
}

function ask(node: RaftNode, fetch: Fetch, chunk: number): void {
  fetch.asked.set(chunk, node.nowMs);
  const { index, term: snapshotTerm } = fetch.snapshot;
  const bytes = node.options.limits.snapshotChunkBytes;
  const offset = chunk * bytes;
  const term = node.currentTerm;
  node.outbox.send(
    fetch.from,
    { kind: "snapshot-request", term, index, snapshotTerm, offset, bytes },
    0,
  );
}

export function onSnapshotChunk(node: RaftNode, message: SnapshotChunk): void {
  const { fetch } = node;
  const { index, snapshotTerm, offset, data } = message;
  if (fetch === null || fetch.isVerifying) return;
  const { snapshot, asked, staged } = fetch;
  if (index !== snapshot.index || snapshotTerm !== snapshot.term) return;
  const { snapshotChunkBytes } = node.options.limits;
  const chunk = offset / snapshotChunkBytes;
  const bytes = Math.min(snapshotChunkBytes, snapshot.bytes - offset);
  // Doubled, late, or cut otherwise by an older version: asked for again, if it is still wanted.
  if (!asked.has(chunk) || data.length !== bytes) return;
  asked.delete(chunk);
  staged.add(chunk);
  node.outbox.emit({ kind: "stage-chunk", snapshot, offset, data });
  if (staged.size === Math.ceil(snapshot.bytes / snapshotChunkBytes)) {
    fetch.isVerifying = true;
    node.outbox.emit({ kind: "verify", snapshot });
  } else {
    askForChunks(node);
  }
}

export function onSnapshotVerified(node: RaftNode, snapshot: Snapshot, isSound: boolean): void {
  const { fetch } = node;
  // Given up meanwhile: the log has caught up by itself, or this node leads.
  if (fetch === null || !fetch.isVerifying || !isSame(fetch.snapshot, snapshot)) return;
  node.fetch = null;
  if (!isSound) return;
  if (!takeIfKnown(node, snapshot)) install(node, snapshot);
  acknowledgeCommitted(node);
}

/** The whole log goes: behind its commit index it is not the one that the snapshot was made of. */
function install(node: RaftNode, snapshot: Snapshot): void {
  const { log, outbox } = node;
  assert(node.leading === null, "I2", "a leader replaces its log", snapshot.index);
  assert(snapshot.index > node.commitIndex, "I13", "an old snapshot", snapshot.index);
  outbox.saveInstall(snapshot, node.commitIndex);
  log.resetTo(snapshot);
  node.membership = new Membership(snapshot, []);
  node.formerSnapshot = node.snapshot;
  node.snapshot = snapshot;
  node.commitIndex = snapshot.index;
  node.handedIndex = snapshot.index;
  node.lastApplied = snapshot.index;
  outbox.emit({ kind: "restore", snapshot });
  adoptConfiguration(node);
}
