// The messages of Raft's Figures 2 and 13, and what is in a log, as plain values.
//
// Guarantees: field names are the paper's; every message carries the sender's currentTerm at the
// moment it was made (a term read at send time has stamped an old leader's message anew elsewhere).
// Does not own: bytes (transport/raft-codec.ts) nor incarnations (transport/amqp).

import type { Configuration } from "./configuration.ts";

export type { NodeId } from "./configuration.ts";

/** A Raft term; 0 before the first election. */
export type Term = number;
/** A position in the log; the first entry is 1, 0 stands before it. */
export type LogIndex = number;

export const EntryKind = { Command: 1, NoOp: 2, Configuration: 3 } as const;
export type EntryKind = (typeof EntryKind)[keyof typeof EntryKind];

export interface Entry {
  readonly term: Term;
  readonly index: LogIndex;
  readonly kind: EntryKind;
  /** Opaque to Raft: a ledger command, encoded once by the leader. */
  readonly data: Uint8Array;
  /** Opaque to Raft: W3C trace context of the proposal, or "". */
  readonly traceparent: string;
}

/** A place in the log; {0, 0} stands before the first entry. */
export interface LogPosition {
  readonly index: LogIndex;
  readonly term: Term;
}

/** A state machine's whole state after the entry at `index`; its bytes are the driver's. */
export interface Snapshot extends LogPosition {
  /** The newest configuration up to `index`. */
  readonly configuration: Configuration;
  readonly bytes: number;
  /** CRC-32 of all bytes: two snapshots are the same if all of this is. */
  readonly checksum: number;
}

export interface RequestVote {
  readonly kind: "request-vote";
  readonly term: Term;
  readonly lastLogIndex: LogIndex;
  readonly lastLogTerm: Term;
  readonly preVote: boolean;
  /** The leader asked for this election: its stickiness is over (dissertation §3.10). */
  readonly transfer: boolean;
}

export interface RequestVoteResult {
  readonly kind: "request-vote-result";
  readonly term: Term;
  readonly voteGranted: boolean;
  readonly preVote: boolean;
}

export interface AppendEntries {
  readonly kind: "append-entries";
  readonly term: Term;
  readonly prevLogIndex: LogIndex;
  readonly prevLogTerm: Term;
  readonly leaderCommit: LogIndex;
  readonly entries: readonly Entry[];
  /**
   * Echoed by the result: a majority of echoes confirms the leader for reads (dissertation §6.4).
   */
  readonly round: number;
}

export interface AppendEntriesResult {
  readonly kind: "append-entries-result";
  readonly term: Term;
  readonly success: boolean;
  /** On success: the last index that the message proved and that is durable at the follower. */
  readonly matchIndex: LogIndex;
  /** On refusal (§5.3): term of the follower's entry at prevLogIndex, 0 if it has none. */
  readonly conflictTerm: Term;
  /**
   * On refusal: first index of conflictTerm, or the follower's last index + 1; 0 from a blank node,
   * which can only begin with a snapshot.
   */
  readonly conflictIndex: LogIndex;
  /** On refusal: the prevLogIndex refused, so that a late refusal is recognised. */
  readonly rejectedIndex: LogIndex;
  readonly round: number;
}

/** From a leader that hands over: campaign at once (dissertation §3.10). */
export interface TimeoutNow {
  readonly kind: "timeout-now";
  readonly term: Term;
}

/**
 * What the leader still has begins behind the follower's log: here is a snapshot to fetch instead
 * (§7). The follower fetches it in chunks, so that one that got lost costs one chunk.
 */
export interface InstallSnapshot {
  readonly kind: "install-snapshot";
  readonly term: Term;
  readonly snapshot: Snapshot;
  /** As in AppendEntries. */
  readonly round: number;
}

/** A follower asks for one chunk of the snapshot at (index, snapshotTerm). */
export interface SnapshotRequest {
  readonly kind: "snapshot-request";
  readonly term: Term;
  readonly index: LogIndex;
  readonly snapshotTerm: Term;
  readonly offset: number;
  /** At most so many. */
  readonly bytes: number;
}

export interface SnapshotChunk {
  readonly kind: "snapshot-chunk";
  readonly term: Term;
  readonly index: LogIndex;
  readonly snapshotTerm: Term;
  readonly offset: number;
  readonly data: Uint8Array;
}

/** A follower's reader wants to know how far the log was committed when it asked (ReadIndex). */
export interface ReadIndex {
  readonly kind: "read-index";
  readonly term: Term;
  /** Never used again by this member, nor by its next lives (etcd #20418). */
  readonly readId: number;
}

export interface ReadIndexResult {
  readonly kind: "read-index-result";
  readonly term: Term;
  readonly readId: number;
  readonly readIndex: LogIndex;
}

export type Message =
  | RequestVote
  | RequestVoteResult
  | AppendEntries
  | AppendEntriesResult
  | TimeoutNow
  | InstallSnapshot
  | SnapshotRequest
  | SnapshotChunk
  | ReadIndex
  | ReadIndexResult;
