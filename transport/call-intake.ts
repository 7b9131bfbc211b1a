// Calls on their way into a node: admitted, opened, and handed to the core or to the cluster desk.
//
// Guarantees: each call is opened once or answered at once; late ones are counted and told of now
// and then. Does not own: what may come in (admission.ts), nor what becomes of it (open-calls.ts).

import { performance } from "node:perf_hooks";
import type { Administer, Answer, Call } from "../protos/gen/node/v1/exchange.ts";
import { Role } from "../raft/effect.ts";
import type { Proposal, RequestId } from "../raft/input.ts";
import type { NodeId, Term } from "../raft/message.ts";
import { admit } from "./admission.ts";
import type { LeaderClock } from "./leader-clock.ts";
import { nameOf } from "./member-id.ts";
import type { OpenCalls } from "./open-calls.ts";
import { startCommitSpan } from "./raft-span.ts";
import type { Logger } from "./telemetry/logger.ts";
import { traceparentOf } from "./telemetry/trace.ts";

/** Late calls are told of this often at most, with their total. */
const LATE_SAY_MS = 10_000;

interface Caller {
  readonly replyTo: string;
  readonly callId: number;
}

export interface CallIntakeOptions {
  readonly nodeName: string;
  readonly calls: OpenCalls;
  readonly clock: LeaderClock;
  /** As the rest of the loop has seen it last. */
  readonly standing: () => {
    readonly role: Role;
    readonly term: Term;
    readonly leader: NodeId | null;
  };
  readonly propose: (proposal: Proposal) => void;
  readonly read: (requestId: RequestId) => void;
  readonly administer: (caller: Caller, action: Administer["action"]) => void;
  readonly answer: (replyTo: string, answer: Answer) => void;
  readonly logger: Logger;
}

export class CallIntake {
  readonly #options: CallIntakeOptions;
  #lateCount = 0;
  #lateSaidMs = Number.NEGATIVE_INFINITY;

  constructor(options: CallIntakeOptions) {
    this.#options = options;
  }

  take(replyTo: string, call: Call): void {
    const { callId, traceparent } = call;
    const { calls, clock, nodeName, propose, read, administer, answer } = this.#options;
    const { role, term, leader } = this.#options.standing();
    const admitted = admit(call, {
      isLeader: role === Role.Leader,
      hasLeader: leader !== null,
      openCount: calls.size,
      stampMs: () => clock.nowMs(),
    });
    switch (admitted.kind) {
      case "late":
        this.#noteLate();
        break;
      case "refused": {
        const value = { reason: admitted.reason, leaderId: nameOf(leader ?? "") };
        answer(replyTo, { callId, answer: { $case: "refused", value } });
        break;
      }
      case "administer":
        administer({ replyTo, callId }, admitted.action);
        break;
      case "read":
        read(calls.open({ kind: "read", replyTo, callId, read: admitted.read }));
        break;
      case "proposal": {
        const { command, data } = admitted;
        const span = startCommitSpan(nodeName, term, traceparent, command);
        const requestId = calls.open({ kind: "proposal", replyTo, callId, span });
        propose({ requestId, data, traceparent: span === null ? "" : traceparentOf(span) });
        break;
      }
    }
  }

  #noteLate(): void {
    this.#lateCount += 1;
    const nowMs = performance.now();
    if (nowMs - this.#lateSaidMs < LATE_SAY_MS) return;
    this.#lateSaidMs = nowMs;
    const late = { late_calls: this.#lateCount };
    this.#options.logger.warn(
      late,
      "calls came after their deadline: a stall, or clocks that differ",
    );
  }
}
