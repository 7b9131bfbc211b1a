// One life of a node, from start to crash: the real core and ledger, driven as transport/driver.ts
// drives them.
//
// Guarantees: effects are carried out in the core's order; what depends on a write leaves after it
// is durable; each committed entry is applied once. When the life is over nothing of it is heard.
// Does not own: when it starts, stalls and ends (host.ts), nor the disk and the network.

import type { CommandBody } from "../../ledger/command.ts";
import type { Target } from "../../raft/configuration.ts";
import { type Effect, Role } from "../../raft/effect.ts";
import type { Input, Proposal, RequestId } from "../../raft/input.ts";
import type { Entry, Message, NodeId } from "../../raft/message.ts";
import { createNode, type RaftNode } from "../../raft/node.ts";
import { step } from "../../raft/step.ts";
import { encodeCommand } from "../../transport/command-codec.ts";
import { HeldSends } from "../../transport/held-sends.ts";
import { LeaderClock } from "../../transport/leader-clock.ts";
import { LedgerTicker } from "../../transport/ledger-ticker.ts";
import { outcomeOf, type Reply } from "./answer.ts";
import { LifeRecord } from "./check/life-record.ts";
import { commandOf } from "./command-of.ts";
import type { RateFault } from "./fault-kind.ts";
import type { Host } from "./host.ts";
import { readOf } from "./linearizability/job-observation.ts";
import type { Link } from "./network/link.ts";
import { OpenCalls } from "./open-calls.ts";
import { Replica } from "./replica.ts";
import type { Sim } from "./sim.ts";
import type { Persist } from "./store.ts";

const HEALED_GAP_MS = 12_000;
const LIFE_REQUESTS_MAX = 2 ** 32;

type Of<K extends Effect["kind"]> = Extract<Effect, { kind: K }>;

export class Life {
  readonly host: Host;
  readonly incarnation: number;
  readonly node: RaftNode;
  readonly replica = new Replica();
  readonly link: Link;
  /** What the checker remembers of this life. */
  readonly record = new LifeRecord();
  isOver = false;
  /** A snapshot is being written. */
  isTaking = false;
  readonly #sim: Sim;
  readonly #held: HeldSends;
  readonly #calls = new OpenCalls();
  readonly #clock: LeaderClock;
  readonly #ticker: LedgerTicker;
  #proposals: Proposal[] = [];
  #toApply: Entry[] = [];
  #isApplying = false;
  #lastRequestId: RequestId;
  #role: Role = Role.Follower;
  #term: number;
  #isLeading = false;
  #lastSnapshotMs: number;

  constructor(sim: Sim, host: Host) {
    this.#sim = sim;
    this.host = host;
    const { store } = host.disk;
    const { options, random } = sim;
    this.incarnation = store.incarnation;
    this.#lastRequestId = this.incarnation * LIFE_REQUESTS_MAX;
    const stored = store.snapshot;
    this.node = createNode({
      id: store.id,
      snapshot: stored?.snapshot ?? null,
      hardState: store.hardState,
      offset: store.offset,
      entries: store.entries,
      electionTimeoutMs: options.electionTimeoutMs,
      heartbeatIntervalMs: options.heartbeatIntervalMs,
      seed: random.node.uint32(),
      limits: options.limits,
      nowMs: host.clock.monotonicMs(),
    });
    this.#term = store.hardState.currentTerm;
    if (stored !== null) this.#restoreFrom(stored.snapshot, stored.bytes);
    this.link = sim.network.connect(this);
    this.#held = new HeldSends((to, message) => this.#release(to, message));
    this.#clock = new LeaderClock(() => this.replica.ledger.clockMs, host.clock);
    this.#ticker = new LedgerTicker({
      nodeName: this.id,
      clock: this.#clock,
      propose: (body) => this.#propose(body, null),
      retention: options.retentions[host.place % Math.max(1, options.retentions.length)],
    });
    this.#lastSnapshotMs = sim.scheduler.nowMs;
  }

  get id(): NodeId {
    return this.node.id;
  }

  get isLeader(): boolean {
    return this.#role === Role.Leader;
  }

  /** Has applied all that was committed before its term. */
  get isLeading(): boolean {
    return this.#isLeading;
  }

  end(): void {
    this.isOver = true;
    this.#sim.network.disconnect(this);
  }

  /** The core, and all that follows from it. Only host.ts calls it, when the process can run. */
  run(input: Input): void {
    const effects = step(this.node, input);
    this.#sim.checker.stepped(this, input, effects);
    for (const effect of effects) {
      this.#carryOut(effect);
      // A process can die between any two of them.
      if (this.isOver) return;
    }
    if (this.#toApply.length > 0 && !this.#isApplying) this.#applySome();
    this.#serveReads();
  }

  #input(input: Input): void {
    this.host.give(this, input);
  }

  #carryOut(effect: Effect): void {
    switch (effect.kind) {
      case "persist":
        this.host.disk.persist(effect);
        if (this.#sim.random.process.chance(this.#sim.rate("crash-at-write"))) {
          this.host.crash("crash-at-write");
        }
        break;
      case "send":
        this.#held.send(effect.to, effect.message, effect.afterWriteId);
        break;
      case "apply":
        for (const entry of effect.entries) this.#toApply.push(entry);
        break;
      case "appended":
        this.#calls.appended(effect.requestId, effect.term, effect.index);
        break;
      case "refused":
        this.#calls.refused(effect.requestId, effect.reason, effect.leader);
        this.#ticker.refused(effect.requestId);
        break;
      case "read-ready":
        this.#calls.readReady(effect.requestId, effect.readIndex);
        break;
      case "role-changed":
        this.#roleChanged(effect);
        break;
      case "configuration-changed":
        this.#sim.tally.add("count.configurations");
        break;
      case "transfer-aborted":
        this.#sim.tally.add("count.transfers-aborted");
        this.#calls.refused(effect.requestId, "unknown", this.id);
        break;
      case "snapshot-wanted":
        this.#sim.tally.add("count.snapshots-wanted");
        this.takeSnapshot();
        break;
      case "load-chunk":
        this.#loadChunk(effect);
        break;
      case "stage-chunk":
        this.host.disk.stage(effect.snapshot, effect.snapshot.bytes, effect.offset, effect.data);
        this.#sim.tally.add("count.chunks-staged");
        break;
      case "verify":
        this.#verify(effect);
        break;
      case "restore":
        this.#restore(effect);
        break;
    }
  }

  /** The disk says so. */
  durable(write: Persist): void {
    this.#held.durable(write.writeId);
    this.#input({ kind: "persisted", nowMs: 0, writeId: write.writeId });
  }

  #release(to: NodeId, message: Message): void {
    if (this.isOver) return;
    this.#sim.checker.released(this, to, message);
    this.#sim.network.send(this.link, to, message);
    const isGrant = message.kind === "request-vote-result" && message.voteGranted;
    if (isGrant && !message.preVote) this.#mayDieWithin("crash-after-grant", 20);
  }

  #loadChunk({ to, message, bytes }: Of<"load-chunk">): void {
    const { random, scheduler } = this.#sim;
    const { index, snapshotTerm: term, offset } = message;
    scheduler.after(random.disk.between(0.1, 4), () => {
      if (this.isOver) return;
      const data = this.host.disk.store.readSnapshot({ index, term }, offset, bytes);
      if (data !== null) this.#release(to, { ...message, data });
      else this.#sim.tally.add("sometimes.chunk-of-a-snapshot-that-is-gone");
    });
  }

  #verify({ snapshot }: Of<"verify">): void {
    this.host.disk.verify(snapshot, (isSound) => {
      this.#sim.tally.add(isSound ? "count.snapshots-fetched" : "sometimes.snapshot-unsound");
      this.#input({ kind: "snapshot-verified", nowMs: 0, snapshot, isSound });
    });
  }

  #restore({ snapshot }: Of<"restore">): void {
    this.#toApply = [];
    this.#restoreFrom(snapshot, this.host.disk.bytesOf(snapshot));
    this.#sim.tally.add("count.installs");
  }

  #restoreFrom(snapshot: Parameters<Replica["restore"]>[0], bytes: Uint8Array): void {
    this.replica.restore(snapshot, bytes);
    this.#sim.checker.restored(this, snapshot);
  }

  #roleChanged({ role, term, leader }: Of<"role-changed">): void {
    const wasLeader = this.#role === Role.Leader;
    const isNewLeader = role === Role.Leader && (!wasLeader || term !== this.#term);
    this.#role = role;
    this.#term = term;
    if (wasLeader && (role !== Role.Leader || isNewLeader)) {
      this.#isLeading = false;
      this.#sim.tally.add("count.unknown-by-deposition", this.#calls.deposed(leader));
    }
    if (isNewLeader) {
      this.#ticker.elected();
      const { electionTimeoutMs } = this.#sim.options;
      this.#mayDieWithin("crash-after-election", electionTimeoutMs.min);
    }
  }

  #mayDieWithin(fault: RateFault, withinMs: number): void {
    const { random, scheduler } = this.#sim;
    if (!random.process.chance(this.#sim.rate(fault))) return;
    scheduler.after(random.process.between(0, withinMs), () => {
      if (!this.isOver && !this.#sim.isHealed) this.host.crashAndRestart(fault);
    });
  }

  #applySome(): void {
    const { slowApplyMs } = this.host;
    if (slowApplyMs > 0) {
      this.#isApplying = true;
      this.#sim.scheduler.after(slowApplyMs, () => {
        this.#isApplying = false;
        if (!this.isOver) this.host.whenAble(this, () => this.#applyBatch(4));
      });
      return;
    }
    this.#applyBatch(Number.POSITIVE_INFINITY);
  }

  #applyBatch(most: number): void {
    const entries = this.#toApply.splice(0, most);
    if (entries.length === 0) return;
    for (const entry of entries) this.#apply(entry);
    this.#maybeTakeSnapshot();
    this.#serveReads();
    this.#input({ kind: "applied", nowMs: 0, index: this.replica.lastApplied });
    if (this.#toApply.length > 0 && !this.#isApplying) this.#applySome();
  }

  #apply(entry: Entry): void {
    const applied = this.replica.apply(entry);
    this.#sim.checker.applied(this, entry, applied);
    const result = applied?.result;
    this.#calls.applied(entry.index, entry.term, () =>
      result === undefined ? null : outcomeOf(result),
    );
    if (applied === null) return;
    const { body } = commandOf(entry);
    this.#ticker.applied(this.replica.ledger, body, applied.changes);
    if (body.kind === "open-term" && entry.term === this.#term && this.isLeader)
      this.#isLeading = true;
  }

  #serveReads(): void {
    for (const { jobId, reply } of this.#calls.takeReadable(this.replica.lastApplied)) {
      const outcome = readOf(this.replica.ledger.jobs.get(jobId));
      reply?.({ kind: "read", appliedIndex: this.replica.lastApplied, outcome });
    }
  }

  #maybeTakeSnapshot(): void {
    const { snapshotEntries, snapshotGapMs } = this.#sim.options;
    const behind = this.replica.lastApplied - (this.node.snapshot?.index ?? 0);
    const sinceMs = this.#sim.scheduler.nowMs - this.#lastSnapshotMs;
    // Compacting to the tip oftener than a peer can fetch is a fault as well: it never gets there.
    const gapMs = this.#sim.isHealed ? Math.max(HEALED_GAP_MS, snapshotGapMs) : snapshotGapMs;
    if (behind >= snapshotEntries && sinceMs >= gapMs) this.takeSnapshot();
  }

  takeSnapshot(): void {
    if (this.isTaking || this.replica.lastApplied <= (this.node.snapshot?.index ?? 0)) return;
    const configuration = this.node.membership.at(this.replica.lastApplied);
    this.isTaking = true;
    this.#lastSnapshotMs = this.#sim.scheduler.nowMs;
    const { snapshot, bytes } = this.replica.takeSnapshot(configuration);
    this.#sim.checker.snapshotTaken(this, snapshot);
    this.host.disk.take(snapshot, bytes, () => {
      this.isTaking = false;
      this.#sim.tally.add("count.snapshots-taken");
      this.#input({ kind: "snapshot-taken", nowMs: 0, snapshot });
    });
  }

  /** What the driver's timer does. */
  tick(): void {
    this.#input({ kind: "tick", nowMs: 0 });
    if (this.isOver) return;
    if (this.isLeader) this.#ticker.reopen();
    if (this.#isLeading) this.#ticker.advance(this.replica.ledger);
  }

  propose(body: CommandBody, reply: Reply): void {
    this.#propose(body, reply);
  }

  #propose(body: CommandBody, reply: Reply | null): RequestId {
    const requestId = this.#nextRequestId();
    this.#calls.open(requestId, { kind: "proposal", jobId: "", reply });
    const random = this.#sim.random.process.uint32();
    const data = encodeCommand({ timeMs: this.#clock.nowMs(), random, body });
    this.#proposals.push({ requestId, data, traceparent: "" });
    const { batchMs } = this.#sim.options;
    if (batchMs === 0) this.#flushProposals();
    else if (this.#proposals.length === 1) {
      this.#sim.scheduler.after(batchMs, () => this.host.whenAble(this, this.#flushProposals));
    }
    return requestId;
  }

  /** What came in one turn of the loop goes to the core together. */
  readonly #flushProposals = (): void => {
    const proposals = this.#proposals;
    if (proposals.length === 0) return;
    this.#proposals = [];
    this.#sim.tally.most("most.proposals-together", proposals.length);
    this.#input({ kind: "proposed", nowMs: 0, proposals });
  };

  read(jobId: string, reply: Reply): void {
    const requestId = this.#nextRequestId();
    this.#calls.open(requestId, { kind: "read", jobId, reply });
    this.#sim.checker.readAsked(this, requestId);
    this.#input({ kind: "read", nowMs: 0, requestId });
  }

  changeMembership(target: Target, reply: Reply): void {
    const requestId = this.#nextRequestId();
    this.#calls.open(requestId, { kind: "operation", jobId: "", reply });
    this.#input({ kind: "membership", nowMs: 0, requestId, target });
  }

  transfer(to: NodeId | null, reply: Reply): void {
    const requestId = this.#nextRequestId();
    this.#calls.open(requestId, { kind: "operation", jobId: "", reply });
    this.#input({ kind: "transfer", nowMs: 0, requestId, to });
  }

  /**
   * Never one that an earlier life has used: its question may still be on the way to the leader,
   * and the answer would be taken for that to the new life's (etcd #20418 across restarts).
   */
  #nextRequestId(): RequestId {
    this.#lastRequestId += 1;
    return this.#lastRequestId;
  }
}
