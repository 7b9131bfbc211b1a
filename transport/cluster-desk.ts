// What operators ask of the quorum, and what its leader does about its members by itself.
//
//   add, remove ─▶ core: membership ─▶ its entry is applied ─▶ answered
//   transfer    ─▶ transfer-desk.ts
//   verify      ─▶ checkpoint-desk.ts
//   snapshot    ─▶ snapshot/ ─▶ answered when it is durable
//
// A node whose name is a member under another disk (wiped, or set aside as damaged) is taken in
// again without being asked for: the old disk, which can never vote again, leaves and the new one
// becomes a learner in one change. Not while the old disk answers: then the hello is the old one.
//
// Guarantees: each call is answered once. When this node is deposed or stops, what is not in the
// log is refused as "not the leader", and what is committed is done; only what is in between is
// unknown. What is asked of a node that does not lead is refused at once.
// Does not own: how members change (raft/membership-change.ts), what waits to join (formation.ts).

import {
  type Administer,
  type Administered,
  type Answer,
  AdministerRefused_Reason as RefusedReason,
} from "../protos/gen/node/v1/exchange.ts";
import { type Configuration, membersOf, type Target } from "../raft/configuration.ts";
import type { RefusalReason } from "../raft/effect.ts";
import type { Input, RequestId, Untimed } from "../raft/input.ts";
import type { LogIndex, LogPosition, NodeId, Term } from "../raft/message.ts";
import type { RaftNode } from "../raft/node.ts";
import { AdministerReply, type Caller } from "./administer-reply.ts";
import { CheckpointDesk } from "./checkpoint-desk.ts";
import type { Checkpoint } from "./hello.ts";
import { Joiners } from "./joiners.ts";
import { nameOf } from "./member-id.ts";
import type { Made } from "./snapshot/snapshot-maker.ts";
import type { Logger } from "./telemetry/logger.ts";
import { TransferDesk } from "./transfer-desk.ts";

export interface ClusterDeskOptions {
  readonly node: RaftNode;
  readonly input: (input: Untimed<Input>) => void;
  readonly reserve: () => RequestId;
  readonly answer: (replyTo: string, answer: Answer) => void;
  /** Of what was applied up to now. */
  readonly makeSnapshot: () => Promise<Made | null>;
  /** What this node's disk gives at this entry, which was applied last; null: nothing. */
  readonly rebuild: (index: LogIndex) => Promise<Made | null>;
  readonly proposeCheckpoint: () => RequestId;
  readonly tellCheckpoint: (leaderName: string, checkpoint: Checkpoint) => void;
  readonly logger: Logger;
}

interface Change {
  /** null: the leader's own. */
  readonly caller: Caller | null;
  readonly outcome: Administered["outcome"];
  readonly target: Target;
  place: LogPosition | null;
}

const REFUSED: Readonly<Partial<Record<RefusalReason, RefusedReason>>> = {
  busy: RefusedReason.REASON_BUSY,
  transferring: RefusedReason.REASON_BUSY,
  invalid: RefusedReason.REASON_NODE_UNFIT,
};

export class ClusterDesk {
  readonly #options: ClusterDeskOptions;
  readonly #reply: AdministerReply;
  readonly #transfers: TransferDesk;
  readonly #checkpoints: CheckpointDesk;
  readonly #changes = new Map<RequestId, Change>();
  readonly #joiners = new Joiners();
  #isEnded = false;

  constructor(options: ClusterDeskOptions) {
    this.#options = options;
    const { node, reserve, input, rebuild } = options;
    this.#reply = new AdministerReply(node, options.answer);
    this.#transfers = new TransferDesk({ node, reply: this.#reply, reserve, input });
    this.#checkpoints = new CheckpointDesk({
      node,
      reply: this.#reply,
      rebuild,
      propose: options.proposeCheckpoint,
      tell: options.tellCheckpoint,
    });
  }

  administer(caller: Caller, action: Administer["action"]): void {
    if (this.#options.node.leading === null) this.#reply.notLeader(caller);
    else if (action === undefined) this.#reply.malformed(caller);
    else this.#take(caller, action);
  }

  /** As TransferDesk.handOver. */
  handOver(): Promise<void> {
    return this.#isEnded ? Promise.resolve() : this.#transfers.handOver();
  }

  /** Names that wait to be added. */
  waitingNames(): string[] {
    const members = membersOf(this.#options.node.configuration).map(nameOf);
    const names = this.#joiners.ids(performance.now()).map(nameOf);
    return names.filter((name) => !members.includes(name)).sort();
  }

  /** A blank node that is no member said hello. */
  joining(id: NodeId): void {
    const { node } = this.#options;
    const { leading, configuration } = node;
    const old = membersOf(configuration).filter((member) => nameOf(member) === nameOf(id));
    if (old.includes(id)) return;
    this.#joiners.heard(id, performance.now());
    if (leading === null || old.length === 0 || this.#changes.size > 0) return;
    const lateMs = node.nowMs - node.options.electionTimeoutMs.max;
    const isOldHere = old.some((one) => (leading.peers.get(one)?.heardMs ?? 0) > lateMs);
    if (!isOldHere) this.#change(null, undefined, withNodes(configuration, [id]));
  }

  refused(requestId: RequestId, reason: RefusalReason): void {
    this.#transfers.refused(requestId, reason);
    this.#checkpoints.refused(requestId, reason);
    const caller = this.#changes.get(requestId)?.caller ?? null;
    // An own one is not lost: whom it was about says hello again.
    this.#changes.delete(requestId);
    if (caller === null) return;
    const refusal = REFUSED[reason];
    if (refusal === undefined) this.#reply.notLeader(caller);
    else this.#reply.refuse(caller, refusal);
  }

  appended(requestId: RequestId, term: Term, index: LogIndex): void {
    const change = this.#changes.get(requestId);
    if (change === undefined) return;
    change.place = { index, term };
    if (change.caller !== null) return;
    const disks = change.target.learners;
    this.#options.logger.warn({ disks }, "a node has lost its disk: it is taken in again");
  }

  /** An entry that is not the ledger's. */
  applied(index: LogIndex): void {
    for (const [requestId, change] of this.#changes) {
      if (change.place?.index !== index) continue;
      this.#changes.delete(requestId);
      this.#end(change);
    }
  }

  checkpointApplied(index: LogIndex, term: Term): void {
    this.#checkpoints.applied(index, term);
  }

  checkpointBuilt(from: NodeId, checkpoint: Checkpoint): void {
    this.#checkpoints.heard(from, checkpoint);
  }

  transferAborted(requestId: RequestId): void {
    this.#transfers.aborted(requestId);
  }

  roleChanged(leader: NodeId | null): void {
    this.#transfers.roleChanged(leader);
    if (this.#options.node.leading !== null) return;
    this.#endChanges();
    this.#checkpoints.deposed();
  }

  tick(): void {
    this.#transfers.tick();
    this.#checkpoints.tick();
  }

  /** The node stops: all callers are told what is known. */
  ended(): void {
    this.#isEnded = true;
    this.#transfers.ended();
    this.#endChanges();
    this.#checkpoints.deposed();
  }

  #take(caller: Caller, action: NonNullable<Administer["action"]>): void {
    switch (action.$case) {
      case "addNode":
        this.#add(caller, action.value.nodeIds);
        break;
      case "removeNode":
        this.#remove(caller, action.value.nodeIds);
        break;
      case "transferLeadership":
        this.#transfers.ask(caller, action.value.nodeId);
        break;
      case "takeSnapshot":
        this.#snapshot(caller);
        break;
      case "verifyLedger":
        this.#checkpoints.ask(caller);
        break;
    }
  }

  #add(caller: Caller, names: readonly string[]): void {
    const { configuration } = this.#options.node;
    const members = membersOf(configuration).map(nameOf);
    const member = names.find((name) => members.includes(name));
    if (member !== undefined) {
      this.#reply.refuse(caller, RefusedReason.REASON_NODE_UNFIT, member);
      return;
    }
    const nowMs = performance.now();
    const ids: NodeId[] = [];
    for (const name of names) {
      const id = this.#joiners.idOf(name, nowMs);
      if (id === null) {
        this.#reply.refuse(caller, RefusedReason.REASON_NODE_UNKNOWN, name);
        return;
      }
      ids.push(id);
    }
    this.#change(caller, { $case: "addNode", value: {} }, withNodes(configuration, ids));
  }

  #remove(caller: Caller, names: readonly string[]): void {
    const { configuration } = this.#options.node;
    const members = membersOf(configuration).map(nameOf);
    const stranger = names.find((name) => !members.includes(name));
    const target = withoutNames(configuration, names);
    if (stranger !== undefined) {
      this.#reply.refuse(caller, RefusedReason.REASON_NODE_UNKNOWN, stranger);
    } else if (target.voters.length === 0) {
      this.#reply.refuse(caller, RefusedReason.REASON_NODE_UNFIT, names[0]);
    } else this.#change(caller, { $case: "removeNode", value: {} }, target);
  }

  #snapshot(caller: Caller): void {
    void this.#options.makeSnapshot().then((made) => {
      if (made !== null) {
        const { index, bytes } = made.snapshot;
        this.#reply.done(caller, { $case: "takeSnapshot", value: { index, bytes } });
      } else if (this.#isEnded || this.#options.node.leading === null) {
        this.#reply.notLeader(caller);
      } else this.#reply.refuse(caller, RefusedReason.REASON_BUSY);
    });
  }

  #change(caller: Caller | null, outcome: Administered["outcome"], target: Target): void {
    const requestId = this.#options.reserve();
    this.#changes.set(requestId, { caller, outcome, target, place: null });
    this.#options.input({ kind: "membership", requestId, target });
  }

  #endChanges(): void {
    for (const change of this.#changes.values()) this.#end(change);
    this.#changes.clear();
  }

  /** A leader that was removed learns in one step that this is committed and that it leads not. */
  #end({ caller, outcome, place }: Change): void {
    if (caller === null) return;
    const { commitIndex, log } = this.#options.node;
    if (place === null) this.#reply.notLeader(caller);
    else if (place.index > commitIndex || log.termAt(place.index) !== place.term) {
      this.#reply.unknown(caller);
    } else this.#reply.done(caller, outcome);
  }
}

/** As learners; another disk under one of these names leaves. */
function withNodes(configuration: Configuration, ids: readonly NodeId[]): Target {
  const { voters, learners } = withoutNames(configuration, ids.map(nameOf));
  return { voters, learners: [...learners, ...ids] };
}

function withoutNames({ voters, learners }: Configuration, names: readonly string[]): Target {
  const stays = (id: NodeId): boolean => !names.includes(nameOf(id));
  return { voters: voters.filter(stays), learners: learners.filter(stays) };
}
