// Everything that can happen to a node. `step(node, input)` is the only way to change one.
//
// Guarantees: an input carries all that the decision needs: no clock, generator or disk is read.
// nowMs is a monotonic clock's milliseconds (performance.now()), never the wall clock.

import type { Target } from "./configuration.ts";
import type { LogIndex, Message, NodeId, Snapshot } from "./message.ts";

/** Names a proposal or read among those that are open; chosen by the driver, never reused. */
export type RequestId = number;

export interface Proposal {
  readonly requestId: RequestId;
  readonly data: Uint8Array;
  readonly traceparent: string;
}

export type Input =
  /** Time has passed. The driver ticks several times a heartbeat interval. */
  | { readonly kind: "tick"; readonly nowMs: number }
  /** A peer's message, already checked for cluster, incarnation and size. */
  | {
      readonly kind: "received";
      readonly nowMs: number;
      readonly from: NodeId;
      readonly message: Message;
    }
  /** Clients want these appended, in this order; only a leader accepts. */
  | { readonly kind: "proposed"; readonly nowMs: number; readonly proposals: readonly Proposal[] }
  /**
   * A client wants to read: answered once the leader is confirmed (ReadIndex, dissertation §6.4). A
   * follower asks its leader.
   */
  | { readonly kind: "read"; readonly nowMs: number; readonly requestId: RequestId }
  /** All persist effects up to and with this writeId are durable. */
  | { readonly kind: "persisted"; readonly nowMs: number; readonly writeId: number }
  /** The broker returned a message to this peer: its mailbox is gone. A hint, never a proof. */
  | { readonly kind: "unreachable"; readonly nowMs: number; readonly peer: NodeId }
  /** The state machine has applied up to here; bounds what is handed to it. */
  | { readonly kind: "applied"; readonly nowMs: number; readonly index: LogIndex }
  /**
   * These members found a cluster, this node among them, and all of them are told the same. Ignored
   * by a node that has a log or a snapshot.
   */
  | { readonly kind: "found"; readonly nowMs: number; readonly voters: readonly NodeId[] }
  /**
   * A snapshot of the state machine, of committed entries only, is durable: the log before it may
   * go. One that is older than the present one is ignored.
   */
  | { readonly kind: "snapshot-taken"; readonly nowMs: number; readonly snapshot: Snapshot }
  /** The answer to a `verify` effect: all bytes are staged, durable and sound, or not. */
  | {
      readonly kind: "snapshot-verified";
      readonly nowMs: number;
      readonly snapshot: Snapshot;
      readonly isSound: boolean;
    }
  /** An operator wants these members; only a leader accepts, one change at a time. */
  | {
      readonly kind: "membership";
      readonly nowMs: number;
      readonly requestId: RequestId;
      readonly target: Target;
    }
  /** Hand leadership to this voter; null: to the one that is furthest. */
  | {
      readonly kind: "transfer";
      readonly nowMs: number;
      readonly requestId: RequestId;
      readonly to: NodeId | null;
    };

/** As the parts of a driver give one: the loop adds the time. */
export type Untimed<T> = T extends { readonly nowMs: number } ? Omit<T, "nowMs"> : never;
