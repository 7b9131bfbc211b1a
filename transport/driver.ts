// The loop that owns a node's Raft core and ledger: the only code that calls step() and apply().
//
// AMQP callbacks, timers and disk completions only push to a bounded inbox; the loop drains it,
// steps, hands one write to the disk, sends, applies. It runs at its own pace (TigerBeetle).
//
// Guarantees: effects leave in the core's order; what depends on a write leaves after the write is
// durable (HeldSends); each committed entry is applied once, in order; an error of the disk stops
// the node before another word is said. Nothing here waits: the event loop never blocks on fsync.
// Does not own: what to decide (raft/), what it means (ledger/), sockets, files.

import { performance } from "node:perf_hooks";
import type { CommandBody } from "../ledger/command.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Answer, Call } from "../protos/gen/node/v1/exchange.ts";
import { type Effect, Role } from "../raft/effect.ts";
import type { Input, Proposal, Untimed } from "../raft/input.ts";
import type { Message, NodeId, Snapshot, Term } from "../raft/message.ts";
import type { RaftNode } from "../raft/node.ts";
import { step } from "../raft/step.ts";
import { stamped } from "./admission.ts";
import { type AppliedEntry, Applier } from "./applier.ts";
import { CallIntake } from "./call-intake.ts";
import type { ClientMailbox, ClientMailboxListener } from "./client-mailbox.ts";
import { ClusterDesk } from "./cluster-desk.ts";
import { createCore, type DriverOptions, type DriverStatus } from "./driver-options.ts";
import { FormationDesk } from "./formation-desk.ts";
import { HeldSends } from "./held-sends.ts";
import type { Hello } from "./hello.ts";
import { LeaderClock } from "./leader-clock.ts";
import { LedgerTicker } from "./ledger-ticker.ts";
import * as limit from "./limit.ts";
import { eventsOf } from "./lock-event.ts";
import { nameOf } from "./member-id.ts";
import { OpenCalls } from "./open-calls.ts";
import type { PeerLink, PeerLinkListener } from "./peer-link.ts";
import { startAppendSpans } from "./raft-span.ts";
import { ReadDesk } from "./read-desk.ts";
import { SnapshotDesk } from "./snapshot/snapshot-desk.ts";

export type { DriverOptions, DriverStatus, DriverTiming } from "./driver-options.ts";

export class Driver implements PeerLinkListener, ClientMailboxListener {
  /** Without what is replaced in the course of time, so that it can be freed. */
  readonly #options: Omit<DriverOptions, "ledger">;
  readonly #node: RaftNode;
  readonly #calls: OpenCalls;
  readonly #intake: CallIntake;
  readonly #held: HeldSends;
  readonly #clock = new LeaderClock(() => this.ledger.clockMs);
  readonly #applier: Applier;
  readonly #ticker: LedgerTicker;
  readonly #snapshots: SnapshotDesk;
  readonly #members: ClusterDesk;
  readonly #formation: FormationDesk;
  readonly #reading: ReadDesk;
  #peers: PeerLink | null = null;
  #mailbox: ClientMailbox | null = null;
  #inbox: Input[] = [];
  #proposals: Proposal[] = [];
  readonly #reads: number[] = [];
  #isScheduled = false;
  #isStopped = false;
  #isLeading = false;
  #isWritable = true;
  #lastWriteId = 0;
  /** The write that brings the newest configuration: others are told of it once it is durable. */
  #unformedWriteId = 0;
  #role: Role = Role.Follower;
  #term: Term = 0;
  #leader: NodeId | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(options: DriverOptions) {
    const { ledger, ...lasting } = options;
    const { store, logger, cluster, retention } = lasting;
    this.#options = lasting;
    const { hardState, snapshot, incarnation } = store.recovered;
    this.#node = createCore(options);
    this.#term = hardState.currentTerm;
    this.#applier = new Applier(ledger, snapshot?.index ?? 0, (one) => this.#applied(one));
    this.#calls = new OpenCalls((replyTo, answer) => this.#answer(replyTo, answer), incarnation);
    this.#held = new HeldSends((to, message) => this.#sendNow(to, message));
    const node = this.#node;
    const [nodeName, clock] = [this.#name, this.#clock];
    const propose = (body: CommandBody): number => this.#proposeOwn(body);
    const input = (one: Untimed<Input>): void => this.#push({ ...one, nowMs: performance.now() });
    this.#ticker = new LedgerTicker({ nodeName, clock, propose, retention, logger });
    this.#snapshots = new SnapshotDesk({
      store,
      node,
      logger,
      logBytes: options.snapshotLogBytes,
      input,
      send: (to, message) => this.#sendNow(to, message),
      onFailure: (cause) => this.#fail(cause),
    });
    this.#members = new ClusterDesk({
      node,
      logger,
      input,
      reserve: () => this.#calls.reserve(),
      answer: (replyTo, answer) => this.#answer(replyTo, answer),
      makeSnapshot: () => this.#snapshots.make(this.#applier.lastApplied),
      rebuild: (index) => this.#snapshots.rebuild(index),
      proposeCheckpoint: () => this.#proposeOwn({ kind: "checkpoint" }),
      tellCheckpoint: (leader, checkpoint) => this.#formation.tell(leader, checkpoint),
    });
    this.#intake = new CallIntake({
      logger,
      nodeName,
      calls: this.#calls,
      clock: this.#clock,
      standing: () => ({ role: this.#role, term: this.#term, leader: this.#leader }),
      propose: (proposal) => this.#proposals.push(proposal),
      read: (requestId) => this.#reads.push(requestId),
      administer: (caller, action) => this.#members.administer(caller, action),
      answer: (replyTo, answer) => this.#answer(replyTo, answer),
    });
    this.#formation = new FormationDesk({
      node,
      logger,
      founders: options.founders,
      mayFound: store.recovered.mayFound,
      found: (voters) => input({ kind: "found", voters }),
      joining: (memberId) => this.#members.joining(memberId),
      send: (toName, hello) => this.#greet(toName, hello),
    });
    this.#reading = new ReadDesk({
      cluster,
      node,
      calls: this.#calls,
      waitingNames: () => this.#members.waitingNames(),
      incarnationOf: (id) => this.#peers?.incarnationOf(id) ?? 0,
      answer: (replyTo, answer) => this.#answer(replyTo, answer),
    });
  }

  get ledger(): Ledger {
    return this.#applier.ledger;
  }

  /** Begins: from here on the node votes, follows and leads. */
  start(peers: PeerLink, mailbox: ClientMailbox): void {
    this.#peers = peers;
    this.#mailbox = mailbox;
    peers.setPeers(this.#formation.memberIds());
    const tickMs = Math.max(5, Math.floor(this.#options.timing.heartbeatIntervalMs / 4));
    this.#timer = setInterval(() => this.#tick(), tickMs);
  }

  /** To be called before stop: resolves when another leads, or after an election timeout. */
  handOver(): Promise<void> {
    return this.#members.handOver();
  }

  /** Says nothing more but refusals. Open calls are answered first, "unknown" if need be. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#role = Role.Follower;
    this.#leader = null;
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#calls.deposed(null);
    this.#members.ended();
    void this.#snapshots.stop();
    this.#setLeading(false);
  }

  status(): DriverStatus {
    return {
      role: this.#role,
      term: this.#term,
      leader: this.#leader === null ? null : nameOf(this.#leader),
      lastApplied: this.#applier.lastApplied,
      isLeading: this.#isLeading,
    };
  }

  received(from: NodeId, message: Message): void {
    // A full inbox drops Raft messages, as the broker may: Raft sends them again.
    if (this.#inbox.length >= limit.INBOX_LENGTH_MAX) return;
    this.#push({ kind: "received", nowMs: performance.now(), from, message });
  }

  hello(from: NodeId, hello: Hello): void {
    if (this.#isStopped) return;
    if (hello.checkpoint !== undefined) this.#members.checkpointBuilt(from, hello.checkpoint);
    else this.#formation.received(from, hello);
  }

  unreachable(peer: NodeId): void {
    this.#push({ kind: "unreachable", nowMs: performance.now(), peer });
  }

  writable(isWritable: boolean): void {
    if (this.#isWritable === isWritable) return;
    this.#isWritable = isWritable;
    // A leader that cannot publish hears no answers, and steps down by CheckQuorum.
    this.#options.logger.warn({ is_writable: isWritable }, "raft publishing changed");
  }

  called(replyTo: string, calls: readonly Call[]): void {
    for (const call of calls) this.#intake.take(replyTo, call);
    this.#schedule();
  }

  #proposeOwn(body: CommandBody): number {
    const requestId = this.#calls.open({ kind: "proposal", replyTo: null, callId: 0, span: null });
    this.#proposals.push({ requestId, data: stamped(body, this.#clock.nowMs()), traceparent: "" });
    this.#schedule();
    return requestId;
  }

  #tick(): void {
    this.#push({ kind: "tick", nowMs: performance.now() });
    this.#formation.tick();
    this.#members.tick();
    this.#snapshots.tick();
    if (this.#role === Role.Leader) this.#ticker.reopen();
    if (this.#isLeading) this.#ticker.advance(this.ledger);
  }

  #push(input: Input): void {
    this.#inbox.push(input);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isStopped) return;
    this.#isScheduled = true;
    setImmediate(() => this.#drain());
  }

  #drain(): void {
    this.#isScheduled = false;
    if (this.#isStopped) return;
    const inputs = this.#inbox;
    this.#inbox = [];
    const nowMs = performance.now();
    if (this.#proposals.length > 0) {
      inputs.push({ kind: "proposed", nowMs, proposals: this.#proposals });
      this.#proposals = [];
    }
    for (const requestId of this.#reads.splice(0)) inputs.push({ kind: "read", nowMs, requestId });
    for (const input of inputs) this.#run(step(this.#node, input));
    this.#applySome();
    this.#reading.serve(this.ledger, this.#applier.lastApplied);
  }

  #run(effects: readonly Effect[]): void {
    for (const effect of effects) {
      switch (effect.kind) {
        case "persist":
          this.#persist(effect);
          break;
        case "send":
          this.#held.send(effect.to, effect.message, effect.afterWriteId);
          break;
        case "apply":
          this.#applier.hand(effect.entries);
          break;
        case "appended":
          this.#calls.appended(effect.requestId, effect.term, effect.index);
          this.#members.appended(effect.requestId, effect.term, effect.index);
          break;
        case "refused":
          this.#members.refused(effect.requestId, effect.reason);
          this.#calls.refused(effect.requestId, effect.reason, effect.leader);
          this.#ticker.refused(effect.requestId);
          break;
        case "read-ready":
          this.#calls.readReady(effect.requestId, effect.readIndex);
          break;
        case "role-changed":
          this.#roleChanged(effect.role, effect.term, effect.leader);
          break;
        case "configuration-changed":
          this.#configurationChanged();
          break;
        case "transfer-aborted":
          this.#members.transferAborted(effect.requestId);
          break;
        case "snapshot-wanted":
          this.#snapshots.wanted(this.#applier.lastApplied);
          break;
        case "load-chunk":
        case "stage-chunk":
        case "verify":
          this.#snapshots.carryOut(effect);
          break;
        case "restore":
          this.#restore(effect.snapshot);
          break;
      }
    }
  }

  #persist(effect: Extract<Effect, { kind: "persist" }>): void {
    this.#lastWriteId = effect.writeId;
    const isLeader = this.#role === Role.Leader;
    const spans = isLeader ? [] : startAppendSpans(this.#name, effect.entries);
    this.#options.store.persist(effect).then(
      () => {
        for (const span of spans) span.end();
        this.#held.durable(effect.writeId);
        if (effect.writeId === this.#unformedWriteId) this.#formation.changed();
        this.#push({ kind: "persisted", nowMs: performance.now(), writeId: effect.writeId });
      },
      (cause: unknown) => this.#fail(cause),
    );
  }

  #fail(cause: unknown): void {
    if (this.#isStopped) return;
    this.stop();
    this.#options.logger.fatal({ err: cause }, "the disk failed: this node stops");
    this.#options.onFatal(cause);
  }

  /** A write can become durable after the end: what waited for it is not said any more. */
  #sendNow(to: NodeId, message: Message): void {
    if (!this.#isStopped) this.#peers?.send(to, message);
  }

  #greet(toName: string, hello: Hello): void {
    if (!this.#isStopped) this.#peers?.sendHello(toName, hello);
  }

  #configurationChanged(): void {
    this.#peers?.setPeers(this.#formation.memberIds());
    this.#unformedWriteId = this.#lastWriteId;
  }

  /** The leader's snapshot: all that was applied or waits to be is part of it. */
  #restore(snapshot: Snapshot): void {
    this.#applier.restore(this.#snapshots.takeLedger(snapshot), snapshot.index);
    this.#options.logger.info({ index: snapshot.index }, "the leader's snapshot is taken over");
  }

  #roleChanged(role: Role, term: Term, leader: NodeId | null): void {
    const wasLeader = this.#role === Role.Leader;
    const isNewLeader = role === Role.Leader && (!wasLeader || term !== this.#term);
    this.#role = role;
    this.#term = term;
    this.#leader = leader;
    const leaderName = leader === null ? null : nameOf(leader);
    this.#options.logger.info({ role, term, leader: leaderName }, "raft role changed");
    if (wasLeader && (role !== Role.Leader || isNewLeader)) {
      this.#setLeading(false);
      this.#calls.deposed(leader);
    }
    this.#members.roleChanged(leader);
    if (isNewLeader) {
      this.#ticker.elected();
    }
  }

  #applySome(): void {
    const bytes = this.#applier.advance();
    if (bytes === 0) return;
    this.#snapshots.applied(this.#applier.lastApplied, bytes);
    this.#push({ kind: "applied", nowMs: performance.now(), index: this.#applier.lastApplied });
  }

  #applied(applied: AppliedEntry): void {
    const { entry, body, result } = applied;
    const { index, term } = entry;
    this.#calls.applied(index, term, result);
    if (body === null) this.#members.applied(index);
    this.#tell(applied);
    if (body !== null) this.#ticker.applied(this.ledger, body, applied.changes);
    if (body?.kind === "checkpoint") this.#members.checkpointApplied(index, term);
    // Our own term's first command: all that was committed before is applied now.
    if (body?.kind === "open-term" && term === this.#term) {
      this.#setLeading(this.#role === Role.Leader);
    }
  }

  #tell(applied: AppliedEntry): void {
    if (this.#isLeading) {
      this.#mailbox?.publishEvents(eventsOf(applied, this.#term, Date.now()));
    }
    if (applied.changes.length > 0) this.#options.onChanges(applied.changes);
  }

  #setLeading(isLeading: boolean): void {
    if (this.#isLeading === isLeading) return;
    this.#isLeading = isLeading;
    this.#mailbox?.announce(isLeading ? this.#term : 0);
    this.#options.onLeading(isLeading);
  }

  get #name(): string {
    return nameOf(this.#options.memberId);
  }

  #answer(replyTo: string, answer: Answer): void {
    this.#mailbox?.answer(replyTo, answer);
  }
}
