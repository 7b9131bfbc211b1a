// The port through which gateways and workers speak to the quorum.
//
// Guarantees: `propose` and `read` find the leader, follow it when it changes and send again until
// the deadline. Sending again is safe since every command is idempotent: submissions by
// idempotency key, starts by startId, the rest by token. A read is linearizable.
// Does not own: how (amqp/amqp-quorum.ts) nor what the caller is told (grpc/status.ts).

import type { CommandBody } from "../ledger/command.ts";
import type {
  Applied as WireApplied,
  Read as WireRead,
  ReadAnswer as WireReadAnswer,
} from "../protos/gen/node/v1/exchange.ts";

export interface CallOptions {
  /** Milliseconds from now until the caller stops waiting. */
  readonly timeoutMs: number;
  /** W3C traceparent of the caller's span, or "". */
  readonly traceparent: string;
  readonly signal?: AbortSignal;
}

/**
 * `unavailable`: never delivered to a leader, nothing happened. `unknown`: delivered, but no answer
 * came in time: it may have happened, ask again with the same key.
 */
export type Unanswered =
  | {
      readonly kind: "unavailable";
      readonly reason: "no-leader" | "broker-unavailable" | "shutting-down" | "overloaded";
    }
  | { readonly kind: "unknown" };

export type ProposeOutcome =
  | { readonly kind: "applied"; readonly applied: WireApplied }
  | Unanswered;
export type ReadOutcome =
  | { readonly kind: "answered"; readonly answer: WireReadAnswer }
  | Unanswered;

export interface LeaderView {
  /** null: no leader is known. */
  readonly leader: string | null;
  readonly term: number;
}

/** A committed change of a job, as published on the events exchange. */
export interface JobEvent {
  readonly index: number;
  readonly term: number;
  readonly jobId: string;
  readonly kind: string;
  readonly queue: string;
  /** The new state, or parked / unparked. */
  readonly event: string;
  readonly attempt: number;
  readonly timeMs: number;
  /** W3C traceparent of the job's submission; absent if nobody traced it. */
  readonly traceparent?: string;
}

export interface Quorum {
  propose(body: CommandBody, options: CallOptions): Promise<ProposeOutcome>;
  read(read: WireRead, options: CallOptions): Promise<ReadOutcome>;
  leader(): LeaderView;
  /** Called at each change of the known leader. Returns the function that ends it. */
  onLeader(listener: (view: LeaderView) => void): () => void;
  /**
   * Each committed change once it is published; some may be missed around faults: read, then
   * follow.
   */
  onEvent(listener: (event: JobEvent) => void): () => void;
  /** Called when events may have been missed (reconnect, new leader): read again. */
  onEventGap(listener: () => void): () => void;
  close(): Promise<void>;
}
