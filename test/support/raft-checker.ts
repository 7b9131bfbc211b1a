// What an observer of all nodes and disks checks, after every single event (Raft's Figure 3 and
// what durability adds to it).
//
// Guarantees: each property is checked against the whole history, not just the present: a leader of
// term 7 that is long gone still forbids another one. Entries are told apart by object identity,
// which is stronger than comparing bytes: only one leader ever made each.
// Does not own: how events come about (raft-cluster.ts).

import type { Effect, HardState } from "../../raft/effect.ts";
import type { Entry, Message, NodeId } from "../../raft/message.ts";
import type { RaftNode } from "../../raft/node.ts";

export type Property =
  | "election-safety"
  | "leader-append-only"
  | "log-matching"
  | "leader-completeness"
  | "state-machine-safety"
  | "committed-is-durable"
  | "committed-is-kept"
  | "own-term-commit"
  | "vote-is-durable"
  | "one-vote-a-term"
  | "ack-is-durable"
  | "ack-is-proved"
  | "monotonic"
  | "linearizable-read";

export class PropertyViolation extends Error {
  readonly property: Property;

  constructor(property: Property, message: string) {
    super(`${property}: ${message}`);
    this.name = "PropertyViolation";
    this.property = property;
  }
}

export interface Disk {
  hardState: HardState;
  readonly entries: Entry[];
}

/** A node as the checker sees it: its memory, its disk, and whom it is. */
export interface Observed {
  readonly id: NodeId;
  readonly node: RaftNode;
  readonly disk: Disk;
}

type Send = Extract<Effect, { kind: "send" }>;
type Persist = Extract<Effect, { kind: "persist" }>;

function demand(condition: boolean, property: Property, text: string): asserts condition {
  if (!condition) throw new PropertyViolation(property, text);
}

export class RaftChecker {
  /** Every entry that was ever committed, in order. */
  readonly committed: Entry[] = [];
  readonly #leaders = new Map<number, NodeId>();
  readonly #votes = new Map<string, NodeId>();
  readonly #entries = new Map<
    string,
    { readonly entry: Entry; readonly prevTerm: number | null }
  >();
  readonly #seen = new Map<NodeId, { term: number; commitIndex: number; appliedIndex: number }>();
  readonly #toldTerm = new Map<NodeId, number>();
  readonly #reads = new Map<number, number>();
  readonly #majority: number;

  constructor(size: number) {
    this.#majority = Math.floor(size / 2) + 1;
  }

  started({ id, node }: Observed): void {
    const told = this.#toldTerm.get(id) ?? 0;
    demand(node.currentTerm >= told, "monotonic", `${id} told term ${told}, has it no more`);
    this.#seen.set(id, { term: node.currentTerm, commitIndex: 0, appliedIndex: 0 });
  }

  readAsked(requestId: number): void {
    this.#reads.set(requestId, this.committed.length);
  }

  stepped(all: readonly Observed[], one: Observed, effects: readonly Effect[]): void {
    const { id, node } = one;
    const seen = this.#seen.get(id);
    demand(seen !== undefined, "monotonic", `${id} was started`);
    demand(node.currentTerm >= seen.term, "monotonic", `${id}'s term fell`);
    demand(node.commitIndex >= seen.commitIndex, "monotonic", `${id}'s commit index fell`);
    seen.term = node.currentTerm;
    for (const effect of effects) {
      if (effect.kind === "persist") this.#persistAsked(one, effect);
      if (effect.kind === "role-changed" && node.role === "leader") this.#elected(one);
      if (effect.kind === "read-ready") this.#readReady(effect.requestId, effect.readIndex);
    }
    if (node.commitIndex > seen.commitIndex) this.#commitMoved(all, one, seen.commitIndex);
    seen.commitIndex = node.commitIndex;
    for (const effect of effects) {
      if (effect.kind !== "apply") continue;
      for (const entry of effect.entries) {
        seen.appliedIndex += 1;
        const isNext = entry.index === seen.appliedIndex;
        demand(isNext, "state-machine-safety", `${id} applies ${entry.index} out of order`);
        const isSame = this.committed[entry.index - 1] === entry;
        demand(isSame, "state-machine-safety", `${id} applies another entry at ${entry.index}`);
      }
    }
  }

  #persistAsked({ id, node }: Observed, { truncateFrom, entries }: Persist): void {
    const isLeader = node.role === "leader";
    demand(!isLeader || truncateFrom === undefined, "leader-append-only", `${id} cuts its log`);
    for (const entry of entries) {
      const prevTerm = node.log.termAt(entry.index - 1);
      const key = `${entry.index}/${entry.term}`;
      const known = this.#entries.get(key);
      if (known === undefined) this.#entries.set(key, { entry, prevTerm });
      const isMatch = known === undefined || (known.entry === entry && known.prevTerm === prevTerm);
      demand(isMatch, "log-matching", `${id} has another entry at ${key}`);
    }
  }

  #elected({ id, node }: Observed): void {
    const leader = this.#leaders.get(node.currentTerm);
    demand(leader === undefined || leader === id, "election-safety", `term ${node.currentTerm}`);
    this.#leaders.set(node.currentTerm, id);
    const hasAll =
      node.log.lastIndex >= this.committed.length &&
      node.log.range(1, this.committed.length + 1).every((e, i) => e === this.committed[i]);
    demand(hasAll, "leader-completeness", `${id} leads without all that is committed`);
  }

  #commitMoved(all: readonly Observed[], { id, node }: Observed, from: number): void {
    const isOwn = node.log.termAt(node.commitIndex) === node.currentTerm;
    demand(node.role !== "leader" || isOwn, "own-term-commit", `${id} at ${node.commitIndex}`);
    for (const entry of node.log.range(from + 1, node.commitIndex + 1)) {
      const place = entry.index - 1;
      const known = this.committed[place];
      if (known === undefined) {
        const holders = all.filter(({ disk }) => disk.entries[place] === entry).length;
        const where = `${entry.index} committed by ${id}, on ${holders} disks`;
        demand(holders >= this.#majority, "committed-is-durable", where);
        this.committed.push(entry);
      } else {
        demand(known === entry, "state-machine-safety", `${id} commits another ${entry.index}`);
      }
    }
  }

  #readReady(requestId: number, readIndex: number): void {
    const floor = this.#reads.get(requestId) ?? 0;
    demand(
      readIndex >= floor,
      "linearizable-read",
      `read at ${readIndex}, ${floor} were committed`,
    );
  }

  /** The write has reached the disk; `removed` is what it cut off there. */
  written(id: NodeId, removed: readonly Entry[]): void {
    for (const entry of removed) {
      const isLost = this.committed[entry.index - 1] === entry;
      demand(!isLost, "committed-is-kept", `${id} cuts off ${entry.index}, which is committed`);
    }
  }

  /** The message leaves the node: all that it says must be on the disk. */
  released(all: readonly Observed[], one: Observed, { to, message }: Send): void {
    this.#toldTerm.set(one.id, Math.max(this.#toldTerm.get(one.id) ?? 0, message.term));
    const { kind } = message;
    if (kind === "request-vote" && !message.preVote) this.#voted(one, message, one.id);
    if (kind === "request-vote-result" && message.voteGranted && !message.preVote) {
      this.#voted(one, message, to);
    }
    if (kind !== "append-entries-result" || !message.success || message.matchIndex === 0) return;
    const { matchIndex, term } = message;
    const stored = one.disk.entries[matchIndex - 1];
    const isDurable = stored !== undefined && one.disk.hardState.currentTerm >= term;
    demand(isDurable, "ack-is-durable", `${one.id} acknowledges ${matchIndex} in term ${term}`);
    const leader = all.find(({ id }) => id === to)?.node;
    if (leader === undefined || leader.role !== "leader" || leader.currentTerm !== term) return;
    const isProved = leader.log.range(matchIndex, matchIndex + 1)[0] === stored;
    demand(isProved, "ack-is-proved", `${one.id} acknowledges another ${matchIndex}`);
  }

  #voted({ id, disk }: Observed, { term }: Message, candidate: NodeId): void {
    const { currentTerm, votedFor } = disk.hardState;
    const isDurable = currentTerm > term || (currentTerm === term && votedFor === candidate);
    demand(isDurable, "vote-is-durable", `${id} votes for ${candidate} in term ${term}`);
    const key = `${term}/${id}`;
    const earlier = this.#votes.get(key);
    const isOnly = earlier === undefined || earlier === candidate;
    demand(isOnly, "one-vote-a-term", `${id} votes for ${earlier} and ${candidate} in ${term}`);
    this.#votes.set(key, candidate);
  }
}
