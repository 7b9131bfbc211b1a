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
import { apply, createLedger, type Ledger, nextDueMs } from "../ledger/ledger.ts";
import type { Change } from "../ledger/result.ts";
import type { Answer, Call } from "../protos/gen/node/v1/exchange.ts";
import type { GetClusterResponse } from "../protos/gen/quorumq/v1/cluster_service.ts";
import { type Effect, Role } from "../raft/effect.ts";
import type { Input, Proposal } from "../raft/input.ts";
import { type Entry, EntryKind, type Message, type NodeId, type Term } from "../raft/message.ts";
import { createNode, type RaftNode } from "../raft/node.ts";
import { step } from "../raft/step.ts";
import { admit, stamped } from "./admission.ts";
import type { ClientMailbox, ClientMailboxListener } from "./client-mailbox.ts";
import { clusterView } from "./cluster-view.ts";
import { decodeCommand } from "./command-codec.ts";
import { HeldSends } from "./held-sends.ts";
import { jobEventOf } from "./job-event.ts";
import { LeaderClock } from "./leader-clock.ts";
import * as limit from "./limit.ts";
import type { LogStore } from "./log-store.ts";
import { OpenCalls } from "./open-calls.ts";
import type { PeerLink, PeerLinkListener } from "./peer-link.ts";
import { startAppendSpans, startCommitSpan } from "./raft-span.ts";
import { answerRead } from "./read-server.ts";
import type { Logger } from "./telemetry/logger.ts";
import { traceparentOf } from "./telemetry/trace.ts";

/** Committed entries applied in one turn of the loop, so that heartbeats are never kept waiting. */
const APPLY_BATCH_ENTRIES_MAX = 1_000;
/** Late calls are told of this often at most, with their total. */
const LATE_SAY_MS = 10_000;

export interface DriverTiming {
  readonly electionTimeoutMinMs: number;
  readonly electionTimeoutMaxMs: number;
  readonly heartbeatIntervalMs: number;
}

export interface DriverOptions {
  readonly cluster: string;
  readonly nodeId: NodeId;
  readonly voters: readonly NodeId[];
  readonly timing: DriverTiming;
  /** Seeds election timeouts and backoff jitter; two nodes must not share it. */
  readonly seed: number;
  readonly store: LogStore;
  readonly logger: Logger;
  /** Each committed change, on every node, right after it was applied. */
  readonly onChanges: (changes: readonly Change[]) => void;
  /**
   * True once this node leads and has applied all that was committed before; false when it ends.
   */
  readonly onLeading: (isLeading: boolean) => void;
  /** The node cannot go on: its disk failed. It has stopped already. */
  readonly onFatal: (cause: unknown) => void;
}

export interface DriverStatus {
  readonly role: Role;
  readonly term: Term;
  readonly leader: NodeId | null;
  readonly lastApplied: number;
  readonly isLeading: boolean;
}

export class Driver implements PeerLinkListener, ClientMailboxListener {
  readonly ledger: Ledger;
  readonly #options: DriverOptions;
  readonly #node: RaftNode;
  readonly #calls: OpenCalls;
  readonly #held: HeldSends;
  readonly #clock = new LeaderClock(() => this.ledger.clockMs);
  #peers: PeerLink | null = null;
  #mailbox: ClientMailbox | null = null;
  #inbox: Input[] = [];
  #proposals: Proposal[] = [];
  readonly #reads: number[] = [];
  #toApply: Entry[] = [];
  #lastApplied = 0;
  #isScheduled = false;
  #isStopped = false;
  #isLeading = false;
  /** The tick that is proposed and not applied yet. */
  #openTickId: number | null = null;
  #isWritable = true;
  #lateCount = 0;
  #lateSaidMs = Number.NEGATIVE_INFINITY;
  #role: Role = Role.Follower;
  #term: Term = 0;
  #leader: NodeId | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(options: DriverOptions) {
    this.#options = options;
    this.ledger = createLedger({ receiptsMax: limit.RECEIPTS_MAX });
    const { recovered } = options.store;
    this.#node = createNode({
      id: options.nodeId,
      voters: [...options.voters],
      hardState: recovered.hardState,
      entries: recovered.entries,
      electionTimeoutMs: {
        min: options.timing.electionTimeoutMinMs,
        max: options.timing.electionTimeoutMaxMs,
      },
      heartbeatIntervalMs: options.timing.heartbeatIntervalMs,
      seed: options.seed,
      limits: {
        appendEntriesMax: limit.APPEND_ENTRIES_MAX,
        appendBytesMax: limit.APPEND_BYTES_MAX,
        inflightMax: limit.APPEND_INFLIGHT_MAX,
        uncommittedEntriesMax: limit.UNCOMMITTED_ENTRIES_MAX,
        uncommittedBytesMax: limit.UNCOMMITTED_BYTES_MAX,
      },
      nowMs: performance.now(),
    });
    this.#term = recovered.hardState.currentTerm;
    this.#calls = new OpenCalls((replyTo, answer) => this.#answer(replyTo, answer));
    this.#held = new HeldSends((to, message) => {
      // A write can become durable after the end: what waited for it is not said any more.
      if (!this.#isStopped) this.#peers?.send(to, message);
    });
  }

  /** Begins: from here on the node votes, follows and leads. */
  start(peers: PeerLink, mailbox: ClientMailbox): void {
    this.#peers = peers;
    this.#mailbox = mailbox;
    const tickMs = Math.max(5, Math.floor(this.#options.timing.heartbeatIntervalMs / 4));
    this.#timer = setInterval(() => this.#tick(), tickMs);
  }

  /** Says nothing more. Open calls are answered "unknown" first. */
  stop(): void {
    if (this.#isStopped) return;
    this.#calls.deposed(null);
    this.#isStopped = true;
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#setLeading(false);
  }

  status(): DriverStatus {
    return {
      role: this.#role,
      term: this.#term,
      leader: this.#leader,
      lastApplied: this.#lastApplied,
      isLeading: this.#isLeading,
    };
  }

  received(from: NodeId, message: Message): void {
    // A full inbox drops Raft messages, as the broker may: Raft sends them again.
    if (this.#inbox.length >= limit.INBOX_LENGTH_MAX) return;
    this.#push({ kind: "received", nowMs: performance.now(), from, message });
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
    for (const call of calls) this.#take(replyTo, call);
    this.#schedule();
  }

  #take(replyTo: string, call: Call): void {
    const { callId, traceparent } = call;
    const admitted = admit(call, {
      isLeader: this.#role === Role.Leader,
      openCount: this.#calls.size,
      stampMs: () => this.#clock.nowMs(),
    });
    if (admitted.kind === "late") {
      this.#noteLate();
    } else if (admitted.kind === "refused") {
      const value = { reason: admitted.reason, leaderId: this.#leader ?? "" };
      this.#answer(replyTo, { callId, answer: { $case: "refused", value } });
    } else if (admitted.kind === "read") {
      const { read } = admitted;
      this.#reads.push(this.#calls.open({ kind: "read", replyTo, callId, read }));
    } else {
      const { command, data } = admitted;
      const span = startCommitSpan(this.#options.nodeId, this.#term, traceparent, command);
      const requestId = this.#calls.open({ kind: "proposal", replyTo, callId, span });
      const own = span === null ? "" : traceparentOf(span);
      this.#proposals.push({ requestId, data, traceparent: own });
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

  #proposeOwn(body: CommandBody): number {
    const requestId = this.#calls.open({ kind: "proposal", replyTo: null, callId: 0, span: null });
    this.#proposals.push({ requestId, data: stamped(body, this.#clock.nowMs()), traceparent: "" });
    this.#schedule();
    return requestId;
  }

  #tick(): void {
    this.#push({ kind: "tick", nowMs: performance.now() });
    if (!this.#isLeading || this.#openTickId !== null) return;
    const dueMs = nextDueMs(this.ledger);
    if (dueMs === null || dueMs > this.#clock.nowMs()) return;
    // Before the tick: no lease may end because the clock was set.
    if (this.#clock.takeLeap())
      this.#proposeOwn({ kind: "open-term", leader: this.#options.nodeId });
    this.#openTickId = this.#proposeOwn({ kind: "tick" });
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
    this.#serveReads();
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
          this.#toApply.push(...effect.entries);
          break;
        case "appended":
          this.#calls.appended(effect.requestId, effect.term, effect.index);
          break;
        case "refused":
          this.#calls.refused(effect.requestId, effect.reason, effect.leader);
          // Overloaded: without another one, nothing would fall due for the rest of the term.
          if (effect.requestId === this.#openTickId) this.#openTickId = null;
          break;
        case "read-ready":
          this.#calls.readReady(effect.requestId, effect.readIndex);
          break;
        case "role-changed":
          this.#roleChanged(effect.role, effect.term, effect.leader);
          break;
      }
    }
  }

  #persist(effect: Extract<Effect, { kind: "persist" }>): void {
    const isLeader = this.#role === Role.Leader;
    const spans = isLeader ? [] : startAppendSpans(this.#options.nodeId, effect.entries);
    this.#options.store.persist(effect).then(
      () => {
        for (const span of spans) span.end();
        this.#held.durable(effect.writeId);
        this.#push({ kind: "persisted", nowMs: performance.now(), writeId: effect.writeId });
      },
      (cause: unknown) => {
        if (this.#isStopped) return;
        this.stop();
        this.#options.logger.fatal({ err: cause }, "the disk failed: this node stops");
        this.#options.onFatal(cause);
      },
    );
  }

  #roleChanged(role: Role, term: Term, leader: NodeId | null): void {
    const wasLeader = this.#role === Role.Leader;
    const isNewLeader = role === Role.Leader && (!wasLeader || term !== this.#term);
    this.#role = role;
    this.#term = term;
    this.#leader = leader;
    this.#options.logger.info({ role, term, leader }, "raft role changed");
    if (wasLeader && (role !== Role.Leader || isNewLeader)) {
      this.#setLeading(false);
      this.#calls.deposed(leader);
    }
    if (isNewLeader) {
      this.#openTickId = null;
      this.#proposeOwn({ kind: "open-term", leader: this.#options.nodeId });
    }
  }

  #applySome(): void {
    const entries = this.#toApply.splice(0, APPLY_BATCH_ENTRIES_MAX);
    if (entries.length === 0) return;
    for (const entry of entries) this.#apply(entry);
    this.#push({ kind: "applied", nowMs: performance.now(), index: this.#lastApplied });
  }

  #apply(entry: Entry): void {
    this.#lastApplied = entry.index;
    if (entry.kind !== EntryKind.Command) {
      this.#calls.applied(entry.index, entry.term, null);
      return;
    }
    const command = decodeCommand(entry.data);
    const { result, changes } = apply(this.ledger, entry.index, command);
    this.#calls.applied(entry.index, entry.term, result);
    if (changes.length > 0) this.#tell(changes);
    if (command.body.kind === "tick") this.#openTickId = null;
    // Our own term's first command: all that was committed before is applied now.
    if (command.body.kind === "open-term" && entry.term === this.#term) {
      this.#setLeading(this.#role === Role.Leader);
    }
  }

  /** Before the next entry: the jobs are the ledger's own, and it may change them. */
  #tell(changes: readonly Change[]): void {
    if (this.#isLeading) {
      this.#mailbox?.publishEvents(changes.map((c) => jobEventOf(c, this.#term, Date.now())));
    }
    this.#options.onChanges(changes);
  }

  #setLeading(isLeading: boolean): void {
    if (this.#isLeading === isLeading) return;
    this.#isLeading = isLeading;
    this.#mailbox?.announce(isLeading ? this.#term : 0);
    this.#options.onLeading(isLeading);
  }

  #serveReads(): void {
    for (const { read, replyTo, callId } of this.#calls.takeReadable(this.#lastApplied)) {
      const cluster = read.read?.$case === "cluster" ? this.#clusterView() : undefined;
      const value = answerRead(this.ledger, read, this.#lastApplied, cluster);
      this.#answer(replyTo, { callId, answer: { $case: "read", value } });
    }
  }

  #clusterView(): GetClusterResponse {
    return clusterView({
      cluster: this.#options.cluster,
      node: this.#node,
      ledger: this.ledger,
      lastApplied: this.#lastApplied,
      nowMs: performance.now(),
      incarnationOf: (id) => this.#peers?.incarnationOf(id) ?? 0,
    });
  }

  #answer(replyTo: string, answer: Answer): void {
    if (!this.#isStopped) this.#mailbox?.answer(replyTo, answer);
  }
}
