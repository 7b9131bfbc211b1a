// What an operator's call is answered with.
//
// Guarantees: "not the leader" is said only of what has not been done, "unknown" of what may have
// been. Does not own: which of them is true (cluster-desk.ts and its parts), nor the one answer a
// call: whoever answers must forget the caller.

import {
  type Administered,
  type Answer,
  Refused_Reason,
  type AdministerRefused_Reason as RefusedReason,
} from "../protos/gen/node/v1/exchange.ts";
import type { RaftNode } from "../raft/node.ts";
import { nameOf } from "./member-id.ts";

export interface Caller {
  readonly replyTo: string;
  readonly callId: number;
}

type SendAnswer = (replyTo: string, answer: Answer) => void;

export class AdministerReply {
  readonly #node: RaftNode;
  readonly #send: SendAnswer;

  constructor(node: RaftNode, send: SendAnswer) {
    this.#node = node;
    this.#send = send;
  }

  done({ replyTo, callId }: Caller, outcome: Administered["outcome"]): void {
    this.#send(replyTo, { callId, answer: { $case: "administered", value: { outcome } } });
  }

  refuse(caller: Caller, reason: RefusedReason, nodeId = ""): void {
    this.done(caller, { $case: "refused", value: { reason, nodeId } });
  }

  notLeader(caller: Caller): void {
    this.#refuseAs(caller, Refused_Reason.REASON_NOT_LEADER);
  }

  unknown(caller: Caller): void {
    this.#refuseAs(caller, Refused_Reason.REASON_OUTCOME_UNKNOWN);
  }

  malformed(caller: Caller): void {
    this.#refuseAs(caller, Refused_Reason.REASON_MALFORMED);
  }

  #refuseAs({ replyTo, callId }: Caller, reason: Refused_Reason): void {
    const leaderId = nameOf(this.#node.leader ?? "");
    this.#send(replyTo, { callId, answer: { $case: "refused", value: { reason, leaderId } } });
  }
}
