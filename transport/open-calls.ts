// The calls that a node has taken and not answered: proposals by their place in the log, reads by
// the index they wait for.
//
// Guarantees: each call is answered at most once; a proposal is answered with a ledger result only
// if the entry applied at its place is of the term it was appended in, so another leader's entry is
// never mistaken for it. A deposed leader's open proposals are answered "unknown", never "failed":
// they may still commit (raft-lessons L50).
// Does not own: sending (client-mailbox.ts) nor the spans' parents (telemetry/trace.ts).

import type { Result } from "../ledger/result.ts";
import type { Answer, Read } from "../protos/gen/node/v1/exchange.ts";
import { Refused_Reason } from "../protos/gen/node/v1/exchange.ts";
import type { RefusalReason } from "../raft/effect.ts";
import type { RequestId } from "../raft/input.ts";
import type { LogIndex, NodeId, Term } from "../raft/message.ts";
import { nameOf } from "./member-id.ts";
import { toWireApplied } from "./result-codec.ts";
import { AttributeName } from "./telemetry/name.ts";
import { failSpan, type Span } from "./telemetry/trace.ts";

export interface OpenProposal {
  readonly kind: "proposal";
  /** null: the node's own proposal, such as a tick. */
  readonly replyTo: string | null;
  readonly callId: number;
  readonly span: Span | null;
}

export interface OpenRead {
  readonly kind: "read";
  readonly replyTo: string;
  readonly callId: number;
  readonly read: Read;
}

/** With it two million lives fit into the integers that a number holds exactly. */
const LIFE_REQUESTS_MAX = 2 ** 32;

type SendAnswer = (replyTo: string, answer: Answer) => void;

interface Placed {
  readonly term: Term;
  readonly proposal: OpenProposal;
}

export class OpenCalls {
  readonly #send: SendAnswer;
  readonly #unplaced = new Map<RequestId, OpenProposal | OpenRead>();
  readonly #placed = new Map<LogIndex, Placed>();
  #readyReads: { readIndex: LogIndex; read: OpenRead }[] = [];
  #nextRequestId: RequestId;

  /** `incarnation`: of this life of the node; request ids never repeat in another one. */
  constructor(send: SendAnswer, incarnation: number) {
    this.#send = send;
    // A question of an earlier life may reach the leader late, and its answer then comes to this
    // one: under an id in use it would answer a read that was asked after it (etcd #20418).
    this.#nextRequestId = incarnation * LIFE_REQUESTS_MAX;
  }

  open(call: OpenProposal | OpenRead): RequestId {
    const requestId = this.reserve();
    this.#unplaced.set(requestId, call);
    return requestId;
  }

  /** For what is asked of the core and answered elsewhere. */
  reserve(): RequestId {
    const requestId = this.#nextRequestId;
    this.#nextRequestId += 1;
    return requestId;
  }

  /** The proposal stands in the leader's log. */
  appended(requestId: RequestId, term: Term, index: LogIndex): void {
    const call = this.#unplaced.get(requestId);
    if (call?.kind !== "proposal") return;
    this.#unplaced.delete(requestId);
    call.span?.addEvent("appended");
    call.span?.setAttribute(AttributeName.RaftIndex, index);
    this.#placed.set(index, { term, proposal: call });
  }

  refused(requestId: RequestId, reason: RefusalReason, leader: NodeId | null): void {
    const call = this.#unplaced.get(requestId);
    if (call === undefined) return;
    this.#unplaced.delete(requestId);
    // While it hands over, the next leader is the one to ask.
    const wireReason =
      reason === "overloaded" ? Refused_Reason.REASON_OVERLOADED : Refused_Reason.REASON_NOT_LEADER;
    this.#refuse(call, wireReason, reason, leader);
  }

  /** The entry at this place was applied; answers its proposal, if it is one of ours. */
  applied(index: LogIndex, term: Term, result: Result | null): void {
    const placed = this.#placed.get(index);
    if (placed === undefined) return;
    this.#placed.delete(index);
    const { proposal } = placed;
    if (placed.term !== term || result === null) {
      // Another leader's entry took the place: ours is in no log that can commit.
      this.#refuse(proposal, Refused_Reason.REASON_NOT_LEADER, "not-leader", null);
      return;
    }
    proposal.span?.addEvent("applied");
    proposal.span?.end();
    if (proposal.replyTo === null) return;
    this.#send(proposal.replyTo, {
      callId: proposal.callId,
      answer: { $case: "applied", value: toWireApplied(index, result) },
    });
  }

  readReady(requestId: RequestId, readIndex: LogIndex): void {
    const call = this.#unplaced.get(requestId);
    if (call?.kind !== "read") return;
    this.#unplaced.delete(requestId);
    this.#readyReads.push({ readIndex, read: call });
  }

  /** Reads whose index has been applied; each is handed out once. */
  takeReadable(lastApplied: LogIndex): readonly OpenRead[] {
    if (this.#readyReads.length === 0) return [];
    const readable = this.#readyReads.filter((ready) => ready.readIndex <= lastApplied);
    if (readable.length > 0) {
      this.#readyReads = this.#readyReads.filter((ready) => ready.readIndex > lastApplied);
    }
    return readable.map((ready) => ready.read);
  }

  /** The node no longer leads. */
  deposed(leader: NodeId | null): void {
    for (const { proposal } of this.#placed.values()) {
      this.#refuse(proposal, Refused_Reason.REASON_OUTCOME_UNKNOWN, "outcome-unknown", leader);
    }
    this.#placed.clear();
    for (const call of this.#unplaced.values()) {
      this.#refuse(call, Refused_Reason.REASON_NOT_LEADER, "not-leader", leader);
    }
    this.#unplaced.clear();
    for (const { read } of this.#readyReads) {
      this.#refuse(read, Refused_Reason.REASON_NOT_LEADER, "not-leader", leader);
    }
    this.#readyReads = [];
  }

  get size(): number {
    return this.#unplaced.size + this.#placed.size + this.#readyReads.length;
  }

  #refuse(
    call: OpenProposal | OpenRead,
    reason: Refused_Reason,
    errorType: string,
    leader: NodeId | null,
  ): void {
    if (call.kind === "proposal" && call.span !== null) {
      failSpan(call.span, errorType, `the proposal was not answered: ${errorType}`);
      call.span.end();
    }
    if (call.replyTo === null) return;
    this.#send(call.replyTo, {
      callId: call.callId,
      answer: { $case: "refused", value: { reason, leaderId: nameOf(leader ?? "") } },
    });
  }
}
