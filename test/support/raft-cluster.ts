// A cluster in one thread and virtual time: nodes, their disks, the network between them and the
// faults of all three, drawn from one seed.
//
// Guarantees: the same options give the same run. The network is harsher than AMQP: any message may
// be lost, doubled or overtaken, also across a restart. A crash keeps a prefix of the writes under
// way, as transactions do. `step` is an argument, so that a broken one can be shown to be caught.
// Does not own: what is right (raft-checker.ts).

import { createConfiguration } from "../../raft/configuration.ts";
import type { Effect } from "../../raft/effect.ts";
import type { Input } from "../../raft/input.ts";
import type { Message, NodeId } from "../../raft/message.ts";
import { createNode, foundingSnapshot, type Limits, type RaftNode } from "../../raft/node.ts";
import { createPrng, nextUint32, type Prng, uniform } from "../../raft/prng.ts";
import type { step } from "../../raft/step.ts";
import { EventQueue } from "./event-queue.ts";
import { type Disk, type Observed, RaftChecker } from "./raft-checker.ts";

export type Step = typeof step;
type Range = readonly [min: number, max: number];

export interface Faults {
  /** Of each message. */
  readonly lossRate: number;
  readonly duplicateRate: number;
  readonly delayMs: Range;
  readonly persistMs: Range;
  /** Of each round of mischief, one every MISCHIEF_MS. */
  readonly crashRate: number;
  readonly partitionRate: number;
  readonly falseHintRate: number;
}

export const NO_FAULTS: Faults = {
  lossRate: 0,
  duplicateRate: 0,
  delayMs: [1, 4],
  persistMs: [1, 4],
  crashRate: 0,
  partitionRate: 0,
  falseHintRate: 0,
};

export interface ClusterOptions {
  readonly seed: number;
  readonly size: number;
  readonly step: Step;
  readonly faults: Faults;
  readonly limits?: Partial<Limits>;
  /** Clients propose and read by themselves every this many ms; 0: never. */
  readonly workloadMs?: number;
}

export const ELECTION_TIMEOUT_MS = { min: 300, max: 600 } as const;
export const HEARTBEAT_INTERVAL_MS = 50;
const TICK_MS: Range = [10, 25];
const MISCHIEF_MS = 100;
const LIMITS: Limits = {
  appendEntriesMax: 4,
  appendBytesMax: 4096,
  inflightMax: 4,
  inflightBytesMax: 1 << 20,
  trailingEntriesMax: 8,
  trailingBytesMax: 1 << 20,
  snapshotChunkBytes: 64,
  snapshotWindow: 4,
  promotionLagMax: 8,
  uncommittedEntriesMax: 64,
  uncommittedBytesMax: 1 << 20,
};

type Send = Extract<Effect, { kind: "send" }>;
type Persist = Extract<Effect, { kind: "persist" }>;

export interface Host extends Observed {
  node: RaftNode;
  isUp: boolean;
  /** Rises at each restart: what was scheduled for an earlier life is void. */
  life: number;
  writes: Persist[];
  lastWriteMs: number;
  durableWriteId: number;
  waiting: Send[];
  readonly outcomes: Effect[];
}

type Event =
  | { readonly kind: "tick"; readonly host: Host; readonly life: number }
  | { readonly kind: "written"; readonly host: Host; readonly life: number }
  | {
      readonly kind: "arrive";
      readonly host: Host;
      readonly from: NodeId;
      readonly message: Message;
    }
  | { readonly kind: "hint"; readonly host: Host; readonly life: number; readonly peer: NodeId }
  | { readonly kind: "restart"; readonly host: Host }
  | { readonly kind: "mischief" }
  | { readonly kind: "workload" };

export class RaftCluster {
  readonly checker: RaftChecker;
  readonly hosts: readonly Host[];
  readonly counts = { steps: 0, crashes: 0, elections: 0, truncations: 0, reads: 0, refused: 0 };
  nowMs = 0;
  faults: Faults;
  readonly #options: ClusterOptions;
  readonly #queue = new EventQueue<Event>();
  readonly #prng: Prng;
  /** Directed links that are cut, as "from>to". */
  readonly #cut = new Set<string>();
  #requestId = 0;
  #isWorking = true;

  constructor(options: ClusterOptions) {
    this.#options = options;
    this.faults = options.faults;
    this.#prng = createPrng(options.seed);
    this.checker = new RaftChecker(options.size);
    const voters = Array.from({ length: options.size }, (_, place) => `n${place + 1}`);
    this.hosts = voters.map((id) => this.#createHost(id, voters));
    for (const host of this.hosts) this.#started(host);
    this.#queue.push(MISCHIEF_MS, { kind: "mischief" });
    this.#queue.push(1, { kind: "workload" });
  }

  /** Runs for this long, or until the condition holds after an event. */
  run(forMs: number, isDone: () => boolean = () => false): boolean {
    const untilMs = this.nowMs + forMs;
    for (;;) {
      if (isDone()) return true;
      const due = this.#queue.popDue(untilMs);
      if (due === undefined) break;
      this.nowMs = due.atMs;
      this.#happen(due.event);
    }
    this.nowMs = untilMs;
    return isDone();
  }

  host(id: NodeId): Host {
    const host = this.hosts.find((one) => one.id === id);
    if (host === undefined) throw new Error(`no host ${id}`);
    return host;
  }

  /** The leader of the highest term that is up, if it is the only one to believe so. */
  leader(): Host | undefined {
    const leaders = this.hosts.filter(({ isUp, node }) => isUp && node.role === "leader");
    return leaders.length === 1 ? leaders[0] : undefined;
  }

  propose(host: Host, text: string): number {
    this.#requestId += 1;
    const data = new TextEncoder().encode(text);
    const proposal = { requestId: this.#requestId, data, traceparent: "" };
    this.input(host, { kind: "proposed", nowMs: this.nowMs, proposals: [proposal] });
    return this.#requestId;
  }

  read(host: Host): number {
    this.#requestId += 1;
    this.checker.readAsked(this.#requestId);
    this.input(host, { kind: "read", nowMs: this.nowMs, requestId: this.#requestId });
    return this.#requestId;
  }

  cut(from: NodeId, to: NodeId): void {
    this.#cut.add(`${from}>${to}`);
  }

  /** Both ways, from all others. */
  isolate(id: NodeId): void {
    for (const other of this.hosts) {
      this.cut(id, other.id);
      this.cut(other.id, id);
    }
  }

  join(): void {
    this.#cut.clear();
  }

  stopWorkload(): void {
    this.#isWorking = false;
  }

  /** No more faults; everyone comes back. */
  heal(): void {
    this.faults = NO_FAULTS;
    this.join();
    for (const host of this.hosts) if (!host.isUp) this.restart(host);
  }

  /** Of the writes under way a prefix survives: the disk may be ahead of what it has told. */
  crash(host: Host, survivors = uniform(this.#prng, 0, host.writes.length + 1)): void {
    this.counts.crashes += 1;
    for (const write of host.writes.slice(0, survivors)) this.#write(host, write);
    host.isUp = false;
    host.life += 1;
    host.writes = [];
    host.waiting = [];
  }

  restart(host: Host): void {
    const { hardState, entries } = host.disk;
    const voters = this.hosts.map(({ id }) => id);
    host.node = this.#createNode(host.id, voters, { hardState, entries });
    host.isUp = true;
    host.durableWriteId = 0;
    host.lastWriteMs = this.nowMs;
    this.#started(host);
  }

  /** Gives the input to the node and carries its effects out, in order. */
  input(host: Host, input: Input): void {
    this.counts.steps += 1;
    const effects = this.#options.step(host.node, input);
    this.checker.stepped(this.hosts, host, effects);
    let applied = 0;
    for (const effect of effects) {
      if (effect.kind === "persist") this.#persist(host, effect);
      else if (effect.kind === "send") this.#send(host, effect);
      else if (effect.kind === "apply") applied = effect.entries.at(-1)?.index ?? 0;
      else if (effect.kind === "role-changed") {
        if (effect.role === "leader") this.counts.elections += 1;
      } else host.outcomes.push(effect);
      if (effect.kind === "read-ready") this.counts.reads += 1;
      if (effect.kind === "refused") this.counts.refused += 1;
    }
    if (applied > 0) this.input(host, { kind: "applied", nowMs: this.nowMs, index: applied });
  }

  #createHost(id: NodeId, voters: readonly NodeId[]): Host {
    const disk: Disk = { hardState: { currentTerm: 0, votedFor: null }, entries: [] };
    return {
      id,
      disk,
      node: this.#createNode(id, voters, disk),
      isUp: true,
      life: 1,
      writes: [],
      lastWriteMs: 0,
      durableWriteId: 0,
      waiting: [],
      outcomes: [],
    };
  }

  #createNode(id: NodeId, voters: readonly NodeId[], disk: Disk): RaftNode {
    return createNode({
      id,
      snapshot: foundingSnapshot(createConfiguration(voters)),
      offset: { index: 0, term: 0 },
      hardState: disk.hardState,
      entries: disk.entries,
      electionTimeoutMs: ELECTION_TIMEOUT_MS,
      heartbeatIntervalMs: HEARTBEAT_INTERVAL_MS,
      seed: nextUint32(this.#prng),
      limits: { ...LIMITS, ...this.#options.limits },
      nowMs: this.nowMs,
    });
  }

  #started(host: Host): void {
    this.checker.started(host);
    this.#later(TICK_MS, { kind: "tick", host, life: host.life });
  }

  #later([min, max]: Range, event: Event): void {
    this.#queue.push(this.nowMs + uniform(this.#prng, min, max + 1), event);
  }

  #chance(rate: number): boolean {
    return rate > 0 && nextUint32(this.#prng) < rate * 2 ** 32;
  }

  #pick(): Host {
    const host = this.hosts[uniform(this.#prng, 0, this.hosts.length)];
    if (host === undefined) throw new Error("a cluster has hosts");
    return host;
  }

  #happen(event: Event): void {
    const { nowMs } = this;
    switch (event.kind) {
      case "tick":
        if (event.life !== event.host.life) break;
        this.#later(TICK_MS, event);
        this.input(event.host, { kind: "tick", nowMs });
        break;
      case "written":
        if (event.life === event.host.life) this.#written(event.host);
        break;
      case "arrive":
        if (!event.host.isUp) break;
        this.input(event.host, {
          kind: "received",
          nowMs,
          from: event.from,
          message: event.message,
        });
        break;
      case "hint":
        if (event.life !== event.host.life) break;
        this.input(event.host, { kind: "unreachable", nowMs, peer: event.peer });
        break;
      case "restart":
        if (!event.host.isUp) this.restart(event.host);
        break;
      case "mischief":
        this.#mischief();
        break;
      case "workload":
        this.#workload();
        break;
    }
  }

  #persist(host: Host, write: Persist): void {
    host.writes.push(write);
    const [min, max] = this.faults.persistMs;
    // In order, but side by side: a disk commits what waits in one go.
    const doneMs = this.nowMs + uniform(this.#prng, min, max + 1);
    host.lastWriteMs = Math.max(host.lastWriteMs, doneMs);
    this.#queue.push(host.lastWriteMs, { kind: "written", host, life: host.life });
  }

  #written(host: Host): void {
    const write = host.writes.shift();
    if (write === undefined) throw new Error("a completion without a write");
    this.#write(host, write);
    host.durableWriteId = write.writeId;
    const ready = host.waiting.filter(({ afterWriteId }) => afterWriteId <= write.writeId);
    host.waiting = host.waiting.filter(({ afterWriteId }) => afterWriteId > write.writeId);
    for (const send of ready) this.#release(host, send);
    this.input(host, { kind: "persisted", nowMs: this.nowMs, writeId: write.writeId });
  }

  #write(host: Host, { hardState, truncateFrom, entries }: Persist): void {
    const { disk } = host;
    if (truncateFrom !== undefined) {
      this.counts.truncations += 1;
      this.checker.written(host.id, disk.entries.splice(truncateFrom - 1));
    }
    disk.entries.push(...entries);
    if (hardState !== undefined) disk.hardState = hardState;
  }

  #send(host: Host, send: Send): void {
    if (send.afterWriteId > host.durableWriteId) host.waiting.push(send);
    else this.#release(host, send);
  }

  #release(host: Host, send: Send): void {
    this.checker.released(this.hosts, host, send);
    const { to, message } = send;
    const target = this.host(to);
    if (!target.isUp && this.#chance(0.7)) {
      this.#later([1, 3], { kind: "hint", host, life: host.life, peer: to });
    }
    if (this.#cut.has(`${host.id}>${to}`) || this.#chance(this.faults.lossRate)) return;
    const arrival: Event = { kind: "arrive", host: target, from: host.id, message };
    this.#later(this.faults.delayMs, arrival);
    if (this.#chance(this.faults.duplicateRate)) {
      // Late enough to meet another term, now and then.
      this.#later([0, ELECTION_TIMEOUT_MS.max], arrival);
    }
  }

  #mischief(): void {
    this.#queue.push(this.nowMs + MISCHIEF_MS, { kind: "mischief" });
    const host = this.#pick();
    if (host.isUp && this.#chance(this.faults.crashRate)) {
      this.crash(host);
      this.#later([10, 900], { kind: "restart", host });
    }
    if (this.#chance(this.faults.partitionRate)) {
      if (this.#cut.size > 0) this.join();
      else if (this.#chance(0.5)) this.isolate((this.leader() ?? this.#pick()).id);
      else this.#cut.add(`${this.#pick().id}>${this.#pick().id}`);
    }
    if (host.isUp && this.#chance(this.faults.falseHintRate)) {
      this.#later([0, 20], { kind: "hint", host, life: host.life, peer: this.#pick().id });
    }
  }

  #workload(): void {
    const workloadMs = this.#options.workloadMs ?? 0;
    if (workloadMs === 0 || !this.#isWorking) return;
    this.#later([1, 2 * workloadMs], { kind: "workload" });
    for (const host of this.hosts) {
      if (!host.isUp || host.node.role !== "leader") continue;
      if (this.#chance(0.2)) this.read(host);
      else this.propose(host, `command at ${this.nowMs}`);
    }
  }
}
