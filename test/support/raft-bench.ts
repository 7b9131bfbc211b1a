// One node on a bench: its inputs made by hand, its effects read one by one.
//
// Guarantees: time moves only when the test says so; persists complete only when the test says so,
// unless asked for by `flush`. Does not own: several nodes at once (raft-cluster.ts).

import { createConfiguration } from "../../raft/configuration.ts";
import type { Effect, HardState } from "../../raft/effect.ts";
import type { Input } from "../../raft/input.ts";
import {
  type AppendEntries,
  type AppendEntriesResult,
  type Entry,
  EntryKind,
  type Message,
  type NodeId,
  type RequestVote,
  type RequestVoteResult,
  type Snapshot,
} from "../../raft/message.ts";
import {
  createNode,
  foundingSnapshot,
  type Limits,
  type NodeOptions,
  type RaftNode,
} from "../../raft/node.ts";
import { step } from "../../raft/step.ts";

export const LIMITS: Limits = {
  appendEntriesMax: 100,
  appendBytesMax: 1 << 20,
  inflightMax: 8,
  inflightBytesMax: 1 << 20,
  trailingEntriesMax: 2,
  trailingBytesMax: 1 << 20,
  snapshotChunkBytes: 10,
  snapshotWindow: 2,
  promotionLagMax: 2,
  uncommittedEntriesMax: 1000,
  uncommittedBytesMax: 1 << 20,
};

type Of<K extends Effect["kind"]> = Extract<Effect, { kind: K }>;
type WithoutTime<T> = T extends { nowMs: number } ? Omit<T, "nowMs"> : never;

/** A log with these terms, from index 1. */
export function logOf(terms: readonly number[], from = 1): Entry[] {
  return terms.map((term, place) => entryOf(term, from + place));
}

export function entryOf(term: number, index: number): Entry {
  const data = new TextEncoder().encode(`${index}/${term}`);
  return { term, index, kind: EntryKind.Command, data, traceparent: "" };
}

export function append(fields: Partial<AppendEntries> & { term: number }): AppendEntries {
  const rest = { prevLogIndex: 0, prevLogTerm: 0, leaderCommit: 0, entries: [], round: 1 };
  return { kind: "append-entries", ...rest, ...fields };
}

export function ack(fields: Partial<AppendEntriesResult> & { term: number }): AppendEntriesResult {
  const rest = { matchIndex: 0, conflictTerm: 0, conflictIndex: 0, rejectedIndex: 0, round: 0 };
  return { kind: "append-entries-result", success: true, ...rest, ...fields };
}

export function voteRequest(fields: Partial<RequestVote> & { term: number }): RequestVote {
  const rest = { lastLogIndex: 0, lastLogTerm: 0, preVote: false, transfer: false };
  return { kind: "request-vote", ...rest, ...fields };
}

export function grant(term: number, preVote = false, voteGranted = true): RequestVoteResult {
  return { kind: "request-vote-result", term, voteGranted, preVote };
}

/** Of three voters, 25 bytes: three chunks of the size in LIMITS. */
export function snapshotOf(index: number, term: number, fields: Partial<Snapshot> = {}): Snapshot {
  const configuration = createConfiguration(["n1", "n2", "n3"]);
  return { index, term, configuration, bytes: 25, checksum: 7, ...fields };
}

export interface BenchOptions {
  readonly size?: number;
  readonly hardState?: HardState;
  readonly terms?: readonly number[];
  readonly limits?: Partial<Limits>;
  readonly seed?: number;
  /** Beside the voters. */
  readonly learners?: readonly NodeId[];
  /** Of which this node has no entries: its log begins behind it. Null: it is blank. */
  readonly snapshot?: Snapshot | null;
  readonly electionTimeoutMs?: NodeOptions["electionTimeoutMs"];
}

export class RaftBench {
  readonly node: RaftNode;
  readonly peers: readonly NodeId[];
  nowMs = 0;
  #lastWriteId = 0;

  /** The node is n1 of n1, n2, ... */
  constructor({ size = 3, hardState, terms = [], ...options }: BenchOptions = {}) {
    const voters = Array.from({ length: size }, (_, place) => `n${place + 1}`);
    const configuration = createConfiguration(voters, options.learners ?? []);
    const { snapshot = foundingSnapshot(configuration) } = options;
    const { index, term } = snapshot ?? { index: 0, term: 0 };
    this.peers = voters.slice(1);
    this.node = createNode({
      id: "n1",
      snapshot,
      offset: { index, term },
      hardState: hardState ?? { currentTerm: terms.at(-1) ?? term, votedFor: null },
      entries: logOf(terms, index + 1),
      electionTimeoutMs: options.electionTimeoutMs ?? { min: 1000, max: 2000 },
      heartbeatIntervalMs: 100,
      seed: options.seed ?? 1,
      limits: { ...LIMITS, ...options.limits },
      nowMs: 0,
    });
  }

  step(input: WithoutTime<Input>): Effect[] {
    const effects = step(this.node, { ...input, nowMs: this.nowMs });
    for (const effect of effects) {
      if (effect.kind === "persist") this.#lastWriteId = effect.writeId;
    }
    return effects;
  }

  tick(forMs = 0): Effect[] {
    this.nowMs += forMs;
    return this.step({ kind: "tick" });
  }

  receive(from: NodeId, message: Message): Effect[] {
    return this.step({ kind: "received", from, message });
  }

  propose(...texts: readonly string[]): Effect[] {
    const proposals = texts.map((text, place) => ({
      requestId: place + 1,
      data: new TextEncoder().encode(text),
      traceparent: "",
    }));
    return this.step({ kind: "proposed", proposals });
  }

  /** All that was asked to be written is durable. */
  flush(): Effect[] {
    return this.step({ kind: "persisted", writeId: this.#lastWriteId });
  }

  /** Waits for the election timeout: a pre-candidate, or whatever a sole voter becomes. */
  timeOut(): Effect[] {
    this.nowMs = Math.max(this.nowMs, this.node.electionDeadlineMs);
    return this.tick();
  }

  campaign(): Effect[] {
    const effects = this.timeOut();
    const needed = Math.floor((this.peers.length + 1) / 2);
    for (const peer of this.peers.slice(0, needed)) {
      effects.push(...this.receive(peer, grant(this.node.currentTerm, true)));
    }
    return effects;
  }

  /** Leader, its no-op sent and durable here, acknowledged by nobody. */
  lead(): Effect[] {
    this.campaign();
    const effects = this.flush();
    const needed = Math.floor((this.peers.length + 1) / 2);
    for (const peer of this.peers.slice(0, needed)) {
      effects.push(...this.receive(peer, grant(this.node.currentTerm)));
    }
    effects.push(...this.flush());
    return effects;
  }

  /** All peers acknowledge all of the log. */
  catchUp(): Effect[] {
    const { log, currentTerm: term } = this.node;
    const matchIndex = log.lastIndex;
    return this.peers.flatMap((peer) => this.receive(peer, ack({ term, matchIndex })));
  }
}

/** A leader in term 1 whose no-op is committed and known to all. */
export function settledLeader(size = 3): RaftBench {
  const bench = new RaftBench({ size });
  bench.lead();
  bench.catchUp();
  return bench;
}

export function of<K extends Effect["kind"]>(kind: K, effects: readonly Effect[]): Of<K>[] {
  return effects.filter((effect): effect is Of<K> => effect.kind === kind);
}

export function messages(effects: readonly Effect[]): Message[] {
  return of("send", effects).map(({ message }) => message);
}

export function terms(node: RaftNode): number[] {
  return node.log.range(1, node.log.lastIndex + 1).map(({ term }) => term);
}
