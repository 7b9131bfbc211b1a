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

import type { Configuration } from "./configuration.ts";
import type { RequestId } from "./input.ts";
import type {
  Entry,
  LogIndex,
  LogPosition,
  Message,
  NodeId,
  Snapshot,
  SnapshotChunk,
  Term,
} from "./message.ts";

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
   * One transaction, in this order: drop entries from truncateFrom on, take over the snapshot, drop
   * entries up to and with compactTo, append entries, replace term and vote. Absent parts stay as
   * they are. After it the log begins behind compactTo, the last one that was given.
   */
  | {
      readonly kind: "persist";
      readonly writeId: number;
      readonly hardState?: HardState;
      readonly truncateFrom?: LogIndex;
      /** The snapshot that a restart begins with: taken here, or staged and verified. */
      readonly snapshot?: Snapshot;
      readonly compactTo?: LogPosition;
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
  /** The proposal, read, change or transfer was not taken: nothing happened. */
  | {
      readonly kind: "refused";
      readonly requestId: RequestId;
      readonly reason: RefusalReason;
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
    }
  /** Another configuration is in force: its entry was appended, cut off, or came by snapshot. */
  | { readonly kind: "configuration-changed"; readonly configuration: Configuration }
  /** The transfer did not happen in time: this node still leads. Success shows as role-changed. */
  | { readonly kind: "transfer-aborted"; readonly requestId: RequestId }
  /** A new member can only begin with a snapshot, and there is none: take one. */
  | { readonly kind: "snapshot-wanted" }
  /** Read these bytes of the own snapshot at this place and send the message with them. */
  | {
      readonly kind: "load-chunk";
      readonly to: NodeId;
      readonly message: Omit<SnapshotChunk, "data">;
      readonly bytes: number;
    }
  /** Keep these bytes of the snapshot that is being fetched; offset 0 may begin another one. */
  | {
      readonly kind: "stage-chunk";
      readonly snapshot: Snapshot;
      readonly offset: number;
      readonly data: Uint8Array;
    }
  /** All chunks are staged: make them durable, check them, and say `snapshot-verified`. */
  | { readonly kind: "verify"; readonly snapshot: Snapshot }
  /**
   * Replace the state machine by the verified snapshot: what was handed over before it is void.
   * Comes with the persist that takes the snapshot over.
   */
  | { readonly kind: "restore"; readonly snapshot: Snapshot };

export type RefusalReason =
  | "not-leader"
  | "overloaded"
  /** The leader hands over: the next one takes it. */
  | "transferring"
  /** Another change of membership is not over, or nothing of this term is committed yet. */
  | "busy"
  /** No voter, a voter that is a learner as well, or a transfer to one that does not vote. */
  | "invalid";
