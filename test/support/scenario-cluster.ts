// Nodes whose every message, write and tick is a scenario's own decision.
//
// Guarantees: nothing happens by itself: a message waits until it is delivered or dropped, also
// across crashes; a write until it is completed; a node's clock moves only when it is told to. A
// node that breaks an invariant is down, as its process would be. Two leaders of one term, or two
// commands applied at one index, end the scenario whatever its file expects.
// Does not own: the commands (scenario-command.ts) nor how things are put (scenario-notation.ts).

import { crc32 } from "node:zlib";
import { createConfiguration } from "../../raft/configuration.ts";
import type { Effect, HardState } from "../../raft/effect.ts";
import type { Input } from "../../raft/input.ts";
import { InvariantViolation } from "../../raft/invariant.ts";
import {
  type Entry,
  EntryKind,
  type LogIndex,
  type LogPosition,
  type Message,
  type NodeId,
  type Snapshot,
} from "../../raft/message.ts";
import { createNode, foundingSnapshot, type Limits, type RaftNode } from "../../raft/node.ts";
import { step } from "../../raft/step.ts";
import { LIMITS } from "./raft-bench.ts";
import { effectText, isOutcome, messageText, messageWord, placeText } from "./scenario-notation.ts";

export const ELECTION_TIMEOUT_MS = { min: 1000, max: 2000 } as const;
export const HEARTBEAT_INTERVAL_MS = 100;
/** More than this to settle is a conversation without end. */
const SETTLE_STEPS_MAX = 5000;
/** A store keeps the newest snapshot and the one before it. */
const SNAPSHOTS_KEPT = 2;

type Persist = Extract<Effect, { kind: "persist" }>;
type Send = Extract<Effect, { kind: "send" }>;
type WithoutTime<T> = T extends { nowMs: number } ? Omit<T, "nowMs"> : never;

/** What survives a crash. */
export interface Disk {
  hardState: HardState;
  snapshot: Snapshot | null;
  offset: LogPosition;
  entries: readonly Entry[];
  /** By place; the newest last. */
  readonly snapshots: Map<string, Uint8Array>;
}

export interface Host {
  readonly id: NodeId;
  disk: Disk;
  /** Null while it is down. */
  node: RaftNode | null;
  nowMs: number;
  lives: number;
  writes: Persist[];
  durableWriteId: number;
  waiting: Send[];
  /** The state machine: the commands applied, by index. */
  state: Map<LogIndex, string>;
  staged: Uint8Array;
  verifying: Snapshot | null;
}

export interface Flight {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly message: Message;
}

export class ScenarioCluster {
  readonly hosts = new Map<NodeId, Host>();
  flights: Flight[] = [];
  limits: Limits = LIMITS;
  /** Writes are done as soon as they are asked. */
  isDiskInstant = false;
  lines: string[] = [];
  /** Only what clients and operators see is printed. */
  isBrief = false;
  #requestId = 0;
  readonly #leaders = new Map<number, NodeId>();
  readonly #applied = new Map<LogIndex, string>();

  nextRequestId(): number {
    this.#requestId += 1;
    return this.#requestId;
  }

  print(line: string): void {
    this.lines.push(line);
  }

  host(id: NodeId): Host {
    const host = this.hosts.get(id);
    if (host === undefined) throw new Error(`there is no node ${id}`);
    return host;
  }

  upNode(id: NodeId): RaftNode {
    const { node } = this.host(id);
    if (node === null) throw new Error(`${id} is down`);
    return node;
  }

  found(ids: readonly NodeId[], learners: readonly NodeId[]): void {
    const snapshot = foundingSnapshot(createConfiguration(ids, learners));
    for (const id of [...ids, ...learners]) this.add(id, emptyDisk(snapshot));
  }

  add(id: NodeId, disk: Disk): void {
    const host: Host = {
      id,
      disk,
      node: null,
      nowMs: 0,
      lives: 0,
      writes: [],
      durableWriteId: 0,
      waiting: [],
      state: new Map(),
      staged: new Uint8Array(0),
      verifying: null,
    };
    this.hosts.set(id, host);
    this.start(host);
  }

  start(host: Host): void {
    const { id, disk, nowMs } = host;
    host.lives += 1;
    const { hardState, snapshot, offset, entries } = disk;
    host.state = stateOf(snapshot === null ? undefined : disk.snapshots.get(placeText(snapshot)));
    const place = [...this.hosts.keys()].indexOf(id);
    host.node = createNode({
      id,
      snapshot,
      hardState,
      offset,
      entries,
      electionTimeoutMs: ELECTION_TIMEOUT_MS,
      heartbeatIntervalMs: HEARTBEAT_INTERVAL_MS,
      seed: 100 * host.lives + place,
      limits: this.limits,
      nowMs,
    });
  }

  /** Of the writes under way the first `kept` survive. */
  crash(host: Host, kept = 0): void {
    for (const write of host.writes.slice(0, kept)) store(host.disk, write);
    host.node = null;
    host.writes = [];
    host.durableWriteId = 0;
    host.waiting = [];
    host.staged = new Uint8Array(0);
    host.verifying = null;
  }

  /** One step and its effects, in order. */
  step(host: Host, input: WithoutTime<Input>): void {
    const { node, nowMs } = host;
    if (node === null) throw new Error(`${host.id} is down`);
    const indent = this.isBrief ? "" : "  ";
    let effects: Effect[];
    try {
      effects = step(node, { ...input, nowMs } as Input);
    } catch (error) {
      if (!(error instanceof InvariantViolation)) throw error;
      this.print(`${indent}${host.id} breaks ${error.invariant} and is down`);
      this.crash(host);
      return;
    }
    for (const effect of effects) {
      if (!this.isBrief || isOutcome(effect)) {
        this.print(`${indent}${host.id} ${effectText(effect)}`);
      }
      this.#carryOut(host, effect);
    }
    const last = effects.findLast((effect) => effect.kind === "apply")?.entries.at(-1);
    if (last !== undefined) this.step(host, { kind: "applied", index: last.index });
    if (this.isDiskInstant) this.completeWrites(host);
  }

  #carryOut(host: Host, effect: Effect): void {
    switch (effect.kind) {
      case "persist":
        host.writes.push(effect);
        break;
      case "send":
        if (effect.afterWriteId > host.durableWriteId) host.waiting.push(effect);
        else this.#release(host, effect);
        break;
      case "apply":
        for (const entry of effect.entries) this.#apply(host, entry);
        break;
      case "role-changed":
        if (effect.role === "leader") this.#lead(host, effect.term);
        break;
      case "load-chunk": {
        const { index, snapshotTerm: term, offset } = effect.message;
        const content = host.disk.snapshots.get(placeText({ index, term }));
        if (content === undefined) {
          this.print(`  ${host.id} has no snapshot ${placeText({ index, term })} any more`);
          break;
        }
        const data = content.slice(offset, offset + effect.bytes);
        this.flights.push({ from: host.id, to: effect.to, message: { ...effect.message, data } });
        break;
      }
      case "stage-chunk":
        if (host.staged.length !== effect.snapshot.bytes) {
          host.staged = new Uint8Array(effect.snapshot.bytes);
        }
        host.staged.set(effect.data, effect.offset);
        break;
      case "verify":
        host.verifying = effect.snapshot;
        break;
      case "restore":
        host.state = stateOf(host.disk.snapshots.get(placeText(effect.snapshot)));
        break;
    }
  }

  #release(host: Host, { to, message }: Send): void {
    this.flights.push({ from: host.id, to, message });
  }

  #lead({ id }: Host, term: number): void {
    const other = this.#leaders.get(term);
    if (other !== undefined && other !== id) throw new Error(`${other}, ${id} lead term ${term}`);
    this.#leaders.set(term, id);
  }

  #apply({ id, state }: Host, { kind, index, term, data }: Entry): void {
    const text = new TextDecoder().decode(data);
    const known = this.#applied.get(index);
    const applied = `${term}:${text}`;
    if (known !== undefined && known !== applied) throw new Error(`${id} differs at ${index}`);
    this.#applied.set(index, applied);
    if (kind === EntryKind.Command) state.set(index, text);
  }

  /** The next writes under way become durable; all of them if no number is given. */
  completeWrites(host: Host, count = Number.POSITIVE_INFINITY): void {
    const done = host.writes.splice(0, count);
    const last = done.at(-1);
    if (last === undefined) return;
    for (const write of done) store(host.disk, write);
    host.durableWriteId = last.writeId;
    const ready = host.waiting.filter(({ afterWriteId }) => afterWriteId <= last.writeId);
    host.waiting = host.waiting.filter(({ afterWriteId }) => afterWriteId > last.writeId);
    for (const send of ready) this.#release(host, send);
    this.step(host, { kind: "persisted", writeId: last.writeId });
  }

  /** False if its target is down. */
  deliver(flight: Flight): boolean {
    this.flights.splice(this.flights.indexOf(flight), 1);
    const { from, to, message } = flight;
    const host = this.hosts.get(to);
    const isLost = host === undefined || host.node === null;
    if (!this.isBrief) {
      this.print(`${from} -> ${to} ${messageText(message)}${isLost ? " (lost: it is down)" : ""}`);
    }
    if (!isLost) this.step(host, { kind: "received", from, message });
    return !isLost;
  }

  verify(host: Host, isDamaged = false): void {
    const { verifying: snapshot, staged } = host;
    if (snapshot === null) throw new Error(`${host.id} verifies nothing`);
    host.verifying = null;
    const isSound = !isDamaged && crc32(staged) === snapshot.checksum;
    if (isSound) keep(host.disk, snapshot, staged);
    this.step(host, { kind: "snapshot-verified", snapshot, isSound });
  }

  /** Of what was applied up to this index. */
  takeSnapshot(host: Host, index: LogIndex): void {
    const node = this.upNode(host.id);
    const term = node.log.termAt(index);
    if (term === null) throw new Error(`${host.id} has no entry ${index}`);
    const commands = [...host.state].filter(([at]) => at <= index);
    const content = new TextEncoder().encode(
      JSON.stringify({ index, commands: Object.fromEntries(commands) }),
    );
    const snapshot: Snapshot = {
      index,
      term,
      configuration: node.membership.at(index),
      bytes: content.length,
      checksum: crc32(content),
    };
    keep(host.disk, snapshot, content);
    this.step(host, { kind: "snapshot-taken", snapshot });
  }

  /**
   * Messages, writes and checks among these nodes go on until there is nothing left to do; only
   * messages of these kinds, if any are named.
   */
  settle(ids: readonly NodeId[], kinds: readonly string[] | null = null): void {
    const isWanted = ({ from, to, message }: Flight): boolean =>
      ids.includes(from) &&
      ids.includes(to) &&
      (kinds === null || kinds.includes(messageWord(message)));
    const hosts = ids.map((id) => this.host(id));
    for (let steps = 0; steps < SETTLE_STEPS_MAX; steps += 1) {
      const writing = hosts.find(({ node, writes }) => node !== null && writes.length > 0);
      const verifying = hosts.find(({ node, verifying }) => node !== null && verifying !== null);
      const flight = this.flights.find(isWanted);
      if (writing !== undefined) this.completeWrites(writing);
      else if (verifying !== undefined) this.verify(verifying);
      else if (flight !== undefined) this.deliver(flight);
      else return;
    }
    throw new Error("the nodes do not settle");
  }
}

export function emptyDisk(snapshot: Snapshot | null): Disk {
  return {
    hardState: { currentTerm: 0, votedFor: null },
    snapshot,
    offset: { index: 0, term: 0 },
    entries: [],
    snapshots: new Map(),
  };
}

function stateOf(content: Uint8Array | undefined): Map<LogIndex, string> {
  if (content === undefined) return new Map();
  const { commands } = JSON.parse(new TextDecoder().decode(content)) as {
    commands: Record<string, string>;
  };
  return new Map(Object.entries(commands).map(([index, text]) => [Number(index), text]));
}

function keep({ snapshots }: Disk, place: LogPosition, content: Uint8Array): void {
  snapshots.delete(placeText(place));
  snapshots.set(placeText(place), content);
  for (const key of [...snapshots.keys()].slice(0, -SNAPSHOTS_KEPT)) snapshots.delete(key);
}

/** The parts of a write in the order that effect.ts gives. */
function store(disk: Disk, write: Persist): void {
  const { hardState, truncateFrom, snapshot, compactTo, entries } = write;
  if (truncateFrom !== undefined) {
    disk.entries = disk.entries.filter(({ index }) => index < truncateFrom);
  }
  if (snapshot !== undefined) disk.snapshot = snapshot;
  if (compactTo !== undefined) {
    disk.offset = compactTo;
    disk.entries = disk.entries.filter(({ index }) => index > compactTo.index);
  }
  disk.entries = [...disk.entries, ...entries];
  if (hardState !== undefined) disk.hardState = hardState;
}
