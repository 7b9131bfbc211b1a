// The calls that one life of a node has taken and not answered.
//
// Guarantees: each is answered at most once; a proposal only when the entry at its place has its
// term, and "unknown" when the node stops leading; a read only from a replica that has applied its
// index. What is open when the node dies is never answered. As transport/open-calls.ts, in values.
// Does not own: what callers do with an answer (clients/).

import type { RefusalReason } from "../../raft/effect.ts";
import type { RequestId } from "../../raft/input.ts";
import type { LogIndex, NodeId, Term } from "../../raft/message.ts";
import type { Applied, Reply } from "./answer.ts";

export interface OpenCall {
  readonly kind: "proposal" | "read" | "operation";
  readonly jobId: string;
  /** null: the node's own. */
  readonly reply: Reply | null;
}

interface Placed {
  readonly term: Term;
  readonly call: OpenCall;
}

interface ReadyRead {
  readonly readIndex: LogIndex;
  readonly call: OpenCall;
}

export class OpenCalls {
  readonly #open = new Map<RequestId, OpenCall>();
  readonly #placed = new Map<LogIndex, Placed>();
  #ready: ReadyRead[] = [];

  open(requestId: RequestId, call: OpenCall): void {
    this.#open.set(requestId, call);
  }

  appended(requestId: RequestId, term: Term, index: LogIndex): void {
    const call = this.#take(requestId);
    if (call === undefined) return;
    if (call.kind === "operation") call.reply?.({ kind: "done", index });
    else this.#placed.set(index, { term, call });
  }

  refused(requestId: RequestId, reason: RefusalReason | "unknown", leader: NodeId | null): void {
    this.#take(requestId)?.reply?.({ kind: "refused", reason, leader });
  }

  readReady(requestId: RequestId, readIndex: LogIndex): void {
    const call = this.#take(requestId);
    if (call !== undefined) this.#ready.push({ readIndex, call });
  }

  applied(index: LogIndex, term: Term, result: () => Applied | null): void {
    const placed = this.#placed.get(index);
    if (placed === undefined) return;
    this.#placed.delete(index);
    const { reply } = placed.call;
    if (reply === null) return;
    const outcome = placed.term === term ? result() : null;
    if (outcome !== null) reply({ kind: "applied", index, outcome });
    // Another leader's entry took the place: ours is in no log that can commit.
    else reply({ kind: "refused", reason: "not-leader", leader: null });
  }

  takeReadable(lastApplied: LogIndex): readonly OpenCall[] {
    if (this.#ready.length === 0) return [];
    const readable = this.#ready.filter(({ readIndex }) => readIndex <= lastApplied);
    if (readable.length > 0) {
      this.#ready = this.#ready.filter(({ readIndex }) => readIndex > lastApplied);
    }
    return readable.map(({ call }) => call);
  }

  /** The node no longer leads: what is in its log may commit, or not. Gives how many there were. */
  deposed(leader: NodeId | null): number {
    const placed = [...this.#placed.values()];
    this.#placed.clear();
    for (const { call } of placed) call.reply?.({ kind: "refused", reason: "unknown", leader });
    return placed.length;
  }

  #take(requestId: RequestId): OpenCall | undefined {
    const call = this.#open.get(requestId);
    this.#open.delete(requestId);
    return call;
  }
}
