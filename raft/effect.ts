// Everything that a node can ask for. The driver carries effects out; the core never does.
//
// The ordering rule is data: each persist has a writeId, rising by one; a send or answer names in
// `afterWriteId` the write that must be durable before it may leave (0: none). Nothing that a peer
// or client could rely on leaves before what it says is on disk:
//
//   follower  persist#7 {term, entries} ──fsync──▶ send{ack, afterWriteId: 7}
//   voter     persist#8 {term, votedFor} ─fsync──▶ send{grant, afterWriteId: 8}
//   leader    persist#9 {entries} ║ send{AppendEntries, afterWriteId: 0}   (in parallel, §10.2.1);
//             the leader counts itself only on `persisted 9`.
//
// A candidate's requests wait for its own vote (afterWriteId = the write of its term and vote).
// Effects are carried out in array order otherwise.

import type { RequestId } from "./input.ts";
import type { Entry, LogIndex, Message, NodeId, Term } from "./message.ts";

export interface HardState {
  readonly currentTerm: Term;
  readonly votedFor: NodeId | null;
}

export const Role = {
  Follower: "follower",
  PreCandidate: "pre-candidate",
  Candidate: "candidate",
  Leader: "leader",
} as const;
export type Role = (typeof Role)[keyof typeof Role];

export type Effect =
  /**
   * One transaction: drop entries from truncateFrom on, append entries, replace term and vote.
   * Absent parts stay as they are.
   */
  | {
      readonly kind: "persist";
      readonly writeId: number;
      readonly hardState?: HardState;
      readonly truncateFrom?: LogIndex;
      readonly entries: readonly Entry[];
    }
  | {
      readonly kind: "send";
      readonly to: NodeId;
      readonly message: Message;
      readonly afterWriteId: number;
    }
  /** These entries are committed: apply them, in order. Each index is handed over once a life. */
  | { readonly kind: "apply"; readonly entries: readonly Entry[] }
  /** The proposal is in the leader's log at this place; whether it commits shows on apply. */
  | {
      readonly kind: "appended";
      readonly requestId: RequestId;
      readonly term: Term;
      readonly index: LogIndex;
    }
  /** The proposal or read was not taken: nothing happened. */
  | {
      readonly kind: "refused";
      readonly requestId: RequestId;
      readonly reason: "not-leader" | "overloaded";
      readonly leader: NodeId | null;
    }
  /** The read may be served from any state machine that has applied readIndex. */
  | { readonly kind: "read-ready"; readonly requestId: RequestId; readonly readIndex: LogIndex }
  /** Role, term or known leader changed. Open proposals of a deposed leader are now unknown. */
  | {
      readonly kind: "role-changed";
      readonly role: Role;
      readonly term: Term;
      readonly leader: NodeId | null;
    };
