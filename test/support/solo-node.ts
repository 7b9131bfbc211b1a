// A "node" that always leads: the real client mailbox over RabbitMQ, and a SoloQuorum's ledger
// behind it that applies at once. What a gateway or worker meets is the real wire.
//
// Does not own: Raft, a disk, a second node. Several of them share a ledger to act as a cluster.

import assert from "node:assert";
import { type Answer, type Call, Refused_Reason } from "../../protos/gen/node/v1/exchange.ts";
import { AmqpClientMailbox } from "../../transport/amqp/amqp-client-mailbox.ts";
import { checkCommand } from "../../transport/command-check.ts";
import { jobEventOf } from "../../transport/job-event.ts";
import { toWireApplied } from "../../transport/result-codec.ts";
import { silentLogger } from "../../transport/telemetry/logger.ts";
import type { SoloQuorum } from "./solo-quorum.ts";

export interface SoloNodeOptions {
  readonly url: string;
  readonly cluster: string;
  readonly nodeId: string;
  readonly incarnation?: number;
  readonly quorum: SoloQuorum;
}

export class SoloNode {
  readonly mailbox: AmqpClientMailbox;
  /** The calls of each request that came in, as they came. */
  readonly requests: (readonly Call[])[] = [];
  /** Instead of serving a call: answer so, or with null not at all. */
  intercept: ((call: Call) => Answer["answer"] | null) | null = null;
  readonly #options: SoloNodeOptions;
  #term = 0;

  constructor(options: SoloNodeOptions) {
    this.#options = options;
    this.mailbox = new AmqpClientMailbox({
      url: options.url,
      cluster: options.cluster,
      nodeId: options.nodeId,
      incarnation: options.incarnation ?? 1,
      listener: { called: (replyTo, calls) => this.#called(replyTo, calls) },
      logger: silentLogger(),
    });
    this.#tellOfLocks(options.quorum);
    options.quorum.onChanges((changes) => {
      if (this.#term === 0) return;
      const nowMs = options.quorum.nowMs();
      this.mailbox.publishEvents(changes.map((change) => jobEventOf(change, this.#term, nowMs)));
    });
  }

  /** As a leader does: what the quorum tells of locks is told over the broker. */
  #tellOfLocks(quorum: SoloQuorum): void {
    quorum.onLockEvent((event) => {
      if (this.#term > 0) this.mailbox.publishEvents([{ ...event, term: this.#term }]);
    });
  }

  lead(term: number): void {
    this.#term = term;
    this.mailbox.announce(term);
  }

  /** Serves calls as the leader that nobody has heard of yet. */
  leadUnheard(term: number): void {
    this.#term = term;
  }

  async close(): Promise<void> {
    await this.mailbox.close();
  }

  #called(replyTo: string, calls: readonly Call[]): void {
    this.requests.push(calls);
    for (const call of calls) {
      const answer = this.intercept === null ? this.#serve(call) : this.intercept(call);
      if (answer !== null) this.mailbox.answer(replyTo, { callId: call.callId, answer });
    }
  }

  #serve({ call }: Call): Answer["answer"] {
    const { quorum } = this.#options;
    if (this.#term === 0) return refused(Refused_Reason.REASON_NOT_LEADER);
    assert(call !== undefined, "the mailbox hands up only what can be read");
    if (call.$case === "read") return { $case: "read", value: quorum.answer(call.value) };
    if (call.$case === "administer") {
      assert(call.value.action !== undefined, "the mailbox hands up only what can be read");
      return { $case: "administered", value: quorum.fulfil(call.value.action) };
    }
    const checked = checkCommand(call.value);
    if ("malformed" in checked) return refused(Refused_Reason.REASON_MALFORMED);
    const { result } = quorum.apply(checked.ok);
    return { $case: "applied", value: toWireApplied(quorum.index, result) };
  }
}

export function refused(reason: Refused_Reason, leaderId = ""): Answer["answer"] {
  return { $case: "refused", value: { reason, leaderId } };
}
