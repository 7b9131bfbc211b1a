// The messages of Raft's Figure 2 and what is in a log, as plain values.
//
// Guarantees: field names are the paper's; every message carries the sender's currentTerm at the
// moment it was made (a term read at send time has stamped an old leader's message anew elsewhere).
// Does not own: bytes (transport/raft-codec.ts) nor incarnations (transport/amqp).

export type NodeId = string;
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

export interface RequestVote {
  readonly kind: "request-vote";
  readonly term: Term;
  readonly lastLogIndex: LogIndex;
  readonly lastLogTerm: Term;
  readonly preVote: boolean;
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
  /** On refusal: first index of conflictTerm, or the follower's last index + 1. */
  readonly conflictIndex: LogIndex;
  /** On refusal: the prevLogIndex refused, so that a late refusal is recognised. */
  readonly rejectedIndex: LogIndex;
  readonly round: number;
}

export type Message = RequestVote | RequestVoteResult | AppendEntries | AppendEntriesResult;
