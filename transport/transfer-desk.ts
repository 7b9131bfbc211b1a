// Transfers of leadership that are under way: an operator's, and this node's own before it stops.
//
//   core: transfer ─▶ another leader is known: done
//                  ├▶ aborted, or this node is elected again: it still leads
//                  └▶ no leader is known for long: unknown
//
// Guarantees: each ends, once, also when the node stops. An own one waits for the next leader, not
// for the end of its own term: the heir may need this node's vote.
// Does not own: who can take over, and for how long proposals are refused (raft/transfer.ts).

import { AdministerRefused_Reason as RefusedReason } from "../protos/gen/node/v1/exchange.ts";
import { isSoleVoter } from "../raft/configuration.ts";
import type { RefusalReason } from "../raft/effect.ts";
import type { Input, RequestId, Untimed } from "../raft/input.ts";
import type { NodeId } from "../raft/message.ts";
import type { RaftNode } from "../raft/node.ts";
import type { AdministerReply, Caller } from "./administer-reply.ts";
import { nameOf } from "./member-id.ts";

/** After that many election timeouts without a leader, nobody knows who will be the next one. */
const UNKNOWN_TIMEOUTS = 3;

export interface TransferDeskOptions {
  readonly node: RaftNode;
  readonly reply: AdministerReply;
  readonly reserve: () => RequestId;
  readonly input: (input: Untimed<Input>) => void;
}

type End =
  | { readonly kind: "done"; readonly leader: NodeId }
  | { readonly kind: "refused"; readonly reason: RefusedReason }
  | { readonly kind: "not-leader" }
  | { readonly kind: "unknown" };

interface Open {
  readonly isOwn: boolean;
  readonly deadlineMs: number;
  readonly end: (end: End) => void;
}

export class TransferDesk {
  readonly #options: TransferDeskOptions;
  readonly #open = new Map<RequestId, Open>();

  constructor(options: TransferDeskOptions) {
    this.#options = options;
  }

  /** "" leaves it to the leader, which this node must be. */
  ask(caller: Caller, name: string): void {
    const { node, reply } = this.#options;
    const to = node.configuration.voters.find((voter) => nameOf(voter) === name) ?? null;
    if (name !== "" && to === null) {
      reply.refuse(caller, RefusedReason.REASON_NODE_UNKNOWN, name);
    } else if (to === node.id) {
      this.#tell(caller, { kind: "done", leader: to });
    } else {
      const deadlineMs = this.#afterTimeouts(UNKNOWN_TIMEOUTS);
      this.#begin(to, { isOwn: false, deadlineMs, end: (end) => this.#tell(caller, end) });
    }
  }

  /** Resolves when another node leads, or cannot be made to; at once if this one does not. */
  handOver(): Promise<void> {
    const { node } = this.#options;
    const isNeedless = node.leading === null || isSoleVoter(node.configuration, node.id);
    if (isNeedless) return Promise.resolve();
    return new Promise((resolve) => {
      const deadlineMs = this.#afterTimeouts(1);
      this.#begin(null, { isOwn: true, deadlineMs, end: () => resolve() });
    });
  }

  refused(requestId: RequestId, reason: RefusalReason): void {
    const open = this.#open.get(requestId);
    // Another transfer is under way: what becomes of that one is what an own one waits for.
    if (open === undefined || (open.isOwn && reason === "transferring")) return;
    this.#open.delete(requestId);
    if (reason === "not-leader") open.end({ kind: "not-leader" });
    else if (reason === "invalid") {
      open.end({ kind: "refused", reason: RefusedReason.REASON_NODE_UNFIT });
    } else open.end({ kind: "refused", reason: RefusedReason.REASON_BUSY });
  }

  aborted(requestId: RequestId): void {
    const open = this.#open.get(requestId);
    this.#open.delete(requestId);
    open?.end({ kind: "refused", reason: RefusedReason.REASON_TRANSFER_ABORTED });
  }

  roleChanged(leader: NodeId | null): void {
    if (leader === null) return;
    if (leader !== this.#options.node.id) this.#endAll({ kind: "done", leader });
    else this.#endAll({ kind: "refused", reason: RefusedReason.REASON_TRANSFER_ABORTED });
  }

  tick(): void {
    const nowMs = performance.now();
    const isAlone = this.#areOthersGone();
    for (const [requestId, { isOwn, deadlineMs, end }] of this.#open) {
      if (nowMs < deadlineMs && !(isOwn && isAlone)) continue;
      this.#open.delete(requestId);
      end({ kind: "unknown" });
    }
  }

  /** The node stops. */
  ended(): void {
    this.#endAll({ kind: "unknown" });
  }

  #begin(to: NodeId | null, open: Open): void {
    const { reserve, input } = this.#options;
    const requestId = reserve();
    this.#open.set(requestId, open);
    input({ kind: "transfer", requestId, to });
  }

  #endAll(end: End): void {
    const open = [...this.#open.values()];
    this.#open.clear();
    for (const one of open) one.end(end);
  }

  #tell(caller: Caller, end: End): void {
    const { reply } = this.#options;
    switch (end.kind) {
      case "done": {
        const leaderId = nameOf(end.leader);
        reply.done(caller, { $case: "transferLeadership", value: { leaderId } });
        break;
      }
      case "refused":
        reply.refuse(caller, end.reason);
        break;
      case "not-leader":
        reply.notLeader(caller);
        break;
      case "unknown":
        reply.unknown(caller);
        break;
    }
  }

  #afterTimeouts(count: number): number {
    return performance.now() + count * this.#options.node.options.electionTimeoutMs.max;
  }

  /** All nodes are being stopped: the broker has returned what was sent to each of the others. */
  #areOthersGone(): boolean {
    const { leading } = this.#options.node;
    if (leading === null) return false;
    return [...leading.peers.values()].every(({ isUnreachable }) => isUnreachable);
  }
}
