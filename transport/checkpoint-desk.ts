// Comparing the ledgers of all members at one entry, on the side of the leader and of the others.
//
//   verify ─▶ a checkpoint entry ─▶ every node builds its ledger anew ─▶ tells the leader its hash
//
// Guarantees: each caller is answered once. A checkpoint of an earlier term is nobody's question
// any more, so a node that catches up does not build a ledger for each of those that it missed.
// What is told to the leader can get lost on the way, and so is told some more times.
// Does not own: the building (snapshot/), the comparison (checkpoint-poll.ts).

import { AdministerRefused_Reason as RefusedReason } from "../protos/gen/node/v1/exchange.ts";
import { membersOf } from "../raft/configuration.ts";
import type { RefusalReason } from "../raft/effect.ts";
import type { RequestId } from "../raft/input.ts";
import type { LogIndex, NodeId, Term } from "../raft/message.ts";
import type { RaftNode } from "../raft/node.ts";
import type { AdministerReply, Caller } from "./administer-reply.ts";
import { CheckpointPoll } from "./checkpoint-poll.ts";
import type { Checkpoint } from "./hello.ts";
import { nameOf } from "./member-id.ts";
import type { Made } from "./snapshot/snapshot-maker.ts";

const TELL_TIMES = 4;
const TELL_INTERVAL_MS = 1_000;

export interface CheckpointDeskOptions {
  readonly node: RaftNode;
  readonly reply: AdministerReply;
  /** As in ClusterDeskOptions. */
  readonly rebuild: (index: LogIndex) => Promise<Made | null>;
  readonly propose: () => RequestId;
  readonly tell: (leaderName: string, checkpoint: Checkpoint) => void;
}

interface Telling {
  readonly checkpoint: Checkpoint;
  timesLeft: number;
  nextMs: number;
}

export class CheckpointDesk {
  readonly #options: CheckpointDeskOptions;
  readonly #polls: CheckpointPoll;
  /** Those whose checkpoint is not applied yet. */
  readonly #asking = new Map<RequestId, Caller>();
  #telling: Telling | null = null;

  constructor(options: CheckpointDeskOptions) {
    this.#options = options;
    this.#polls = new CheckpointPoll((caller, outcome) => options.reply.done(caller, outcome));
  }

  /** Of the leader. */
  ask(caller: Caller): void {
    this.#asking.set(this.#options.propose(), caller);
  }

  refused(requestId: RequestId, reason: RefusalReason): void {
    const caller = this.#asking.get(requestId);
    if (caller === undefined) return;
    this.#asking.delete(requestId);
    const { reply } = this.#options;
    if (reason === "not-leader") reply.notLeader(caller);
    else reply.refuse(caller, RefusedReason.REASON_BUSY);
  }

  applied(index: LogIndex, term: Term): void {
    const { node, rebuild } = this.#options;
    if (term !== node.currentTerm) return;
    if (node.leading !== null && !this.#begin(index)) return;
    void rebuild(index).then((made) => {
      const checkpoint = { index, hash: made?.hash ?? "" };
      if (node.leading !== null) this.#polls.heard(node.id, checkpoint);
      else {
        this.#telling = { checkpoint, timesLeft: TELL_TIMES, nextMs: 0 };
        this.tick();
      }
    });
  }

  heard(from: NodeId, checkpoint: Checkpoint): void {
    this.#polls.heard(from, checkpoint);
  }

  tick(): void {
    const nowMs = performance.now();
    this.#polls.tick(nowMs);
    const { node, tell } = this.#options;
    const telling = this.#telling;
    if (telling === null || telling.nextMs > nowMs || node.leader === null) return;
    if (node.leading === null) tell(nameOf(node.leader), telling.checkpoint);
    telling.timesLeft -= 1;
    telling.nextMs = nowMs + TELL_INTERVAL_MS;
    if (telling.timesLeft === 0) this.#telling = null;
  }

  /** The node leads no more, or stops. Comparing changes nothing: the next leader can be asked. */
  deposed(): void {
    const callers = [...this.#asking.values(), ...this.#polls.giveUp()];
    this.#asking.clear();
    for (const caller of callers) this.#options.reply.notLeader(caller);
  }

  /** False: nobody asks. */
  #begin(index: LogIndex): boolean {
    if (this.#asking.size === 0) return false;
    const callers = [...this.#asking.values()];
    this.#asking.clear();
    this.#polls.begin(
      index,
      membersOf(this.#options.node.configuration),
      callers,
      performance.now(),
    );
    return true;
  }
}
