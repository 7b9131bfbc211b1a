// Everything that can happen to a node. `step(node, input)` is the only way to change one.
//
// Guarantees: an input carries all that the decision needs: no clock, generator or disk is read.
// nowMs is a monotonic clock's milliseconds (performance.now()), never the wall clock.

import type { LogIndex, Message, NodeId } from "./message.ts";

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
  /** A client wants to read: answered once this leader is confirmed (ReadIndex, §6.4). */
  | { readonly kind: "read"; readonly nowMs: number; readonly requestId: RequestId }
  /** All persist effects up to and with this writeId are durable. */
  | { readonly kind: "persisted"; readonly nowMs: number; readonly writeId: number }
  /** The broker returned a message to this peer: its mailbox is gone. A hint, never a proof. */
  | { readonly kind: "unreachable"; readonly nowMs: number; readonly peer: NodeId }
  /** The state machine has applied up to here; bounds what is handed to it. */
  | { readonly kind: "applied"; readonly nowMs: number; readonly index: LogIndex };
