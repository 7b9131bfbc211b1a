// The port through which gateways and workers speak to the quorum.
//
// Guarantees: all three calls find the leader, follow it when it changes and send again until the
// deadline. Sending again is safe since every command is idempotent: submissions by idempotency
// key, starts by startId, the rest by token. What an operator asks has no key, but doing it twice
// does what doing it once does: a second addition or removal finds it done and is refused, a
// second transfer to a node that leads changes nothing, and nobody minds another snapshot or
// comparison. `isRepeat` tells that a refusal may be about an own earlier sending. A read is
// linearizable.
// Does not own: how (amqp/amqp-quorum.ts) nor what the caller is told (grpc/status.ts).

import type { CommandBody } from "../ledger/command.ts";
import type {
  Administer as WireAdminister,
  Administered as WireAdministered,
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

export type AdministerAction = NonNullable<WireAdminister["action"]>;
export type AdministerOutcome =
  | {
      readonly kind: "administered";
      readonly outcome: WireAdministered;
      /** An earlier sending of this call may have been heard, too. */
      readonly isRepeat: boolean;
    }
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

/** A committed change of a lock outside jobs. */
export interface LockEvent {
  readonly index: number;
  readonly term: number;
  readonly lockId: string;
  readonly lockKeys: readonly string[];
  readonly owner: string;
  /** granted, released, expired or not-granted. */
  readonly event: string;
  /** 0: it was never held. */
  readonly token: number;
  readonly timeMs: number;
}

export interface Quorum {
  propose(body: CommandBody, options: CallOptions): Promise<ProposeOutcome>;
  read(read: WireRead, options: CallOptions): Promise<ReadOutcome>;
  /** What an operator asks of the leader; it may take as long as a snapshot of the ledger does. */
  administer(action: AdministerAction, options: CallOptions): Promise<AdministerOutcome>;
  leader(): LeaderView;
  /** Called at each change of the known leader. Returns the function that ends it. */
  onLeader(listener: (view: LeaderView) => void): () => void;
  /**
   * Each committed change once it is published; some may be missed around faults: read, then
   * follow.
   */
  onEvent(listener: (event: JobEvent) => void): () => void;
  /** As onEvent, of locks. */
  onLockEvent(listener: (event: LockEvent) => void): () => void;
  /** Called when events may have been missed (reconnect, new leader): read again. */
  onEventGap(listener: () => void): () => void;
  close(): Promise<void>;
}
