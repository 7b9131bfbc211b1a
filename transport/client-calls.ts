// The calls of one gateway or worker that have no answer yet, and what is known of their fate.
//
//   waiting ──sent──▶ sent ──answer──▶ ended
//      ▲                │ refused or returned: that sending did nothing
//      └────────────────┤ leader changed, connection lost, no answer in time: it may have happened
//                       ▼
//   timeout, abort or close: "unavailable" if no sending can have happened, else "unknown" (L50)
//
// Guarantees: each call ends exactly once; "unavailable" is said only if nothing happened; a call
// sent again keeps its id and bytes. Calls that wait are taken in the order they were made.
// Does not own: where they go (amqp/amqp-quorum.ts).

import assert from "node:assert";
import type { Administered, Applied, ReadAnswer } from "../protos/gen/node/v1/exchange.ts";
import type { Unanswered } from "./quorum.ts";

export type CallEnd =
  | { readonly kind: "applied"; readonly applied: Applied }
  | { readonly kind: "answered"; readonly answer: ReadAnswer }
  | { readonly kind: "administered"; readonly outcome: Administered; readonly isRepeat: boolean }
  /** The leader cannot read it: a bug of ours, or a newer version than the leader's. */
  | { readonly kind: "malformed" }
  | Unanswered;

type UnavailableReason = Extract<Unanswered, { kind: "unavailable" }>["reason"];

export interface CallStart {
  /** The encoded call, which carries `id`. */
  readonly bytes: Uint8Array;
  readonly traceparent: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  /** What the leader may be busy with for long: without an answer it goes again much later. */
  readonly isLong?: boolean;
  readonly ended: (end: CallEnd) => void;
  /** Why the call goes again, for its span. */
  readonly resent: (cause: string) => void;
}

export interface ClientCall extends CallStart {
  readonly id: number;
  /** The node of the last sending; null while it waits. */
  sentTo: string | null;
  /** A sending whose fate is unknown: the call may have happened. */
  isDoubtful: boolean;
  resendAtMs: number;
  resendDelayMs: number;
  readonly stop: () => void;
}

/** Without an answer in this time a call goes again: messages can vanish silently. */
const RESEND_DELAY_MIN_MS = 2_000;
/** Doubled at each sending, or a slow leader would drown in repetitions. */
const RESEND_DELAY_MAX_MS = 30_000;

export class ClientCalls {
  readonly #reason: () => UnavailableReason;
  readonly #open = new Map<number, ClientCall>();
  #waiting = new Map<number, ClientCall>();
  #isOutOfOrder = false;
  #bytes = 0;
  #lastId = 0;

  /** `reason`: why a call that never left could not. */
  constructor(reason: () => UnavailableReason) {
    this.#reason = reason;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Of all open calls, encoded. */
  get bytes(): number {
    return this.#bytes;
  }

  get waitingCount(): number {
    return this.#waiting.size;
  }

  nextId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }

  open(id: number, start: CallStart): void {
    const expire = setTimeout(() => this.giveUp(id, this.#reason()), start.timeoutMs);
    // Nobody waits any more: of the reasons, leaving is the one that fits.
    const abort = (): void => this.giveUp(id, "shutting-down");
    start.signal?.addEventListener("abort", abort, { once: true });
    const call: ClientCall = {
      ...start,
      id,
      sentTo: null,
      isDoubtful: false,
      resendAtMs: 0,
      resendDelayMs: start.isLong === true ? RESEND_DELAY_MAX_MS : RESEND_DELAY_MIN_MS,
      stop: () => {
        clearTimeout(expire);
        start.signal?.removeEventListener("abort", abort);
      },
    };
    this.#open.set(id, call);
    this.#bytes += call.bytes.byteLength;
    this.#waiting.set(id, call);
  }

  get(id: number): ClientCall | undefined {
    return this.#open.get(id);
  }

  /** Those that wait, oldest first. They go on waiting until `sent`. */
  waiting(): readonly ClientCall[] {
    if (this.#isOutOfOrder) {
      this.#waiting = new Map([...this.#waiting].sort(([a], [b]) => a - b));
      this.#isOutOfOrder = false;
    }
    return [...this.#waiting.values()];
  }

  sent(call: ClientCall, node: string, nowMs: number): void {
    assert(this.#waiting.delete(call.id), "only a waiting call is sent");
    call.sentTo = node;
    call.resendAtMs = nowMs + call.resendDelayMs;
    call.resendDelayMs = Math.min(call.resendDelayMs * 2, RESEND_DELAY_MAX_MS);
  }

  /** The last sending, if it went to this node, did nothing: it waits again. */
  undone(id: number, node: string, cause: string): void {
    const call = this.#open.get(id);
    if (call?.sentTo === node) this.#requeue(call, cause);
  }

  /** The last sending, if it went to this node, may or may not take effect: it waits again. */
  doubted(id: number, node: string, cause: string): void {
    const call = this.#open.get(id);
    if (call?.sentTo !== node) return;
    call.isDoubtful = true;
    this.#requeue(call, cause);
  }

  /** All that are sent may or may not have been heard: they wait again. */
  doubtAll(cause: string): void {
    for (const call of this.#open.values()) {
      if (call.sentTo !== null) this.doubted(call.id, call.sentTo, cause);
    }
  }

  doubtOverdue(nowMs: number): void {
    for (const call of this.#open.values()) {
      if (call.sentTo === null || call.resendAtMs > nowMs) continue;
      this.doubted(call.id, call.sentTo, "no-answer");
    }
  }

  /** Ends it with what is known of its fate. */
  giveUp(id: number, reason: UnavailableReason): void {
    const call = this.#open.get(id);
    if (call === undefined) return;
    const mayHaveHappened = call.isDoubtful || call.sentTo !== null;
    this.end(id, mayHaveHappened ? { kind: "unknown" } : { kind: "unavailable", reason });
  }

  end(id: number, end: CallEnd): void {
    const call = this.#open.get(id);
    if (call === undefined) return;
    this.#open.delete(id);
    this.#bytes -= call.bytes.byteLength;
    this.#waiting.delete(id);
    call.stop();
    call.ended(end);
  }

  giveUpAll(reason: UnavailableReason): void {
    for (const id of [...this.#open.keys()]) this.giveUp(id, reason);
  }

  #requeue(call: ClientCall, cause: string): void {
    call.sentTo = null;
    call.resent(cause);
    this.#waiting.set(call.id, call);
    this.#isOutOfOrder = true;
  }
}
