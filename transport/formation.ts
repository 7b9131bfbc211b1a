// How a new cluster comes to be, and how a blank node asks one to take it in: a state machine.
//
//   blank ──all founders agreed to one list──▶ founding ──the list is durable──▶ formed
//     └──────────── a cluster's snapshot has come, by Raft ──────────────────────▲
//
// A blank node is one whose store has no snapshot and no entries. It says hello to all founders
// until it is formed. Once a founder has heard of all of them, it agrees to the list of their
// member ids and says so; once it has heard that all others agree to the same list, it founds it.
// So it does on a hello of one that has founded a list with it: hellos get lost.
//
// Guarantees: two lists never both get anything committed, unless half of the names or more lost
// their disks, which is more than Raft bears. A store id is drawn once a disk, and a disk founds
// once, for good. Let L and M be two lists that each of their disks agreed to, W the names that
// have another disk in M than in L. Whoever agrees names ids, so it does after all of these disks
// were made. At one name let L's disk be the older one: all agreed to M after it was gone. Were
// M's the older one at another name, all agreed to L after that one was gone, and neither could
// have been first: so L has the older disks at all of W. Let T be when the last of M's was made.
// Disks that are in both lists agreed to M after T, so they were blank until then.
//   Before T only disks of W can have founded L: a minority, and all of it is gone at T.
//   After T those that answer for L are disks of both lists, and no disk founds both; so of the
//   majorities of L and M, which share a name, at most one can ever answer.
// It takes the round of agreement: if a founder founded as soon as it has heard of all, then one
// lost disk and one late hello would make two clusters (formation.test.ts has a broken one do so).
// Of lists with majorities at the same time there is at most one, whatever was lost.
//
// Relies on: all nodes have the same list of founders (others are not founded with), unchanged
// until the cluster is formed; a blank node's part in Raft is to take a snapshot from a cluster.
// Does not own: making a list durable (driver.ts), taking in a node (an operator, the leader).

import assert from "node:assert/strict";
import type { NodeId } from "../raft/message.ts";
import type { Hello } from "./hello.ts";
import { MEMBERS_MAX } from "./limit.ts";
import { nameOf } from "./member-id.ts";

export const HELLO_INTERVAL_MS = 250;

/** What a formed node knows of its cluster. */
export interface Formed {
  /** Of the newest configuration that it knows. */
  readonly members: readonly NodeId[];
  /** The voters of its snapshot while that is the one at index 0; empty behind it. */
  readonly founding: readonly NodeId[];
}

export interface FormationOptions {
  readonly memberId: NodeId;
  /** False for a store that was made in place of a damaged one. */
  readonly mayFound: boolean;
  /** Names of the nodes that a new cluster starts with, the same on all of them. */
  readonly founders: readonly string[];
  /** Null: this node's store is blank. */
  readonly formed: Formed | null;
}

export type WaitingReason =
  /** These founders have not been heard of. */
  | "founders-missing"
  /** These founders have another list of founders. */
  | "founders-differ"
  /** These founders had a damaged disk, which may have been part of a cluster. */
  | "founders-barred"
  /** This node is no founder: a cluster has to take it in. */
  | "no-founder"
  /** There is a cluster, known by these nodes, and this disk is not a founder of it. */
  | "cluster-exists";

export type FormationOutput =
  | { readonly kind: "send"; readonly toName: string; readonly hello: Hello }
  /** Make this durable as the configuration of the snapshot at index 0, then call formed(). */
  | { readonly kind: "found"; readonly members: readonly NodeId[] }
  /** A blank node that is not among the members wants to be; told at each of its hellos. */
  | { readonly kind: "joining"; readonly memberId: NodeId }
  /** For the log: told when it changes. Names, sorted. */
  | {
      readonly kind: "waiting";
      readonly reason: WaitingReason;
      readonly names: readonly string[];
    };

interface Heard {
  readonly from: NodeId;
  readonly hello: Hello;
}

export class Formation {
  readonly #memberId: NodeId;
  readonly #name: string;
  readonly #mayFound: boolean;
  readonly #founders: readonly string[];
  /** The last hello by name, of founders and of formed nodes. */
  readonly #heard = new Map<string, Heard>();
  #state: "blank" | "founding" | "formed";
  #formed: Formed = { members: [], founding: [] };
  /** The list that this node agrees to; empty: some founders are missing. */
  #agreed: readonly NodeId[] = [];
  #nextHelloMs = Number.NEGATIVE_INFINITY;
  #saidWaiting = "";

  constructor({ memberId, mayFound, founders, formed }: FormationOptions) {
    assert(new Set(founders).size === founders.length, "founders are distinct");
    this.#memberId = memberId;
    this.#name = nameOf(memberId);
    this.#mayFound = mayFound;
    this.#founders = founders.toSorted();
    this.#state = formed === null ? "blank" : "formed";
    if (formed !== null) this.#formed = formed;
  }

  get isFormed(): boolean {
    return this.#state === "formed";
  }

  /** To be called at least once in HELLO_INTERVAL_MS until the node is formed. */
  tick(nowMs: number): readonly FormationOutput[] {
    if (this.#state !== "blank") return [];
    const outputs = this.#decide();
    if (outputs.some(({ kind }) => kind === "found") || nowMs < this.#nextHelloMs) return outputs;
    this.#nextHelloMs = nowMs + HELLO_INTERVAL_MS;
    return [...outputs, ...this.#helloToAll()];
  }

  received(from: NodeId, hello: Hello): readonly FormationOutput[] {
    const name = nameOf(from);
    // Of a disk that had our name before us, or has it after us.
    if (name === this.#name || this.#state === "founding") return [];
    if (this.#state === "formed") return this.#answer(from, hello);
    const isFounder = this.#founders.includes(name);
    const isRoom = this.#heard.has(name) || this.#heard.size < 2 * MEMBERS_MAX;
    if (!isFounder && !(hello.isFormed && isRoom)) return [];
    this.#heard.set(name, { from, hello });
    const before = this.#agreed;
    const outputs = this.#decide();
    const isNews = this.#state === "blank" && this.#agreed !== before;
    return isNews ? [...outputs, ...this.#helloToAll()] : outputs;
  }

  /**
   * The store has a snapshot now: the founded list is durable, or Raft took one over. Also to be
   * called whenever something of it changes.
   */
  formed(formed: Formed): readonly FormationOutput[] {
    const hasFounded = this.#state === "founding";
    this.#state = "formed";
    this.#formed = formed;
    this.#heard.clear();
    if (!hasFounded) return [];
    // Others may have missed that we agreed, and we say it no more.
    return this.#otherFounders().map((name) => this.#hello(name));
  }

  #answer(from: NodeId, { isFormed }: Hello): readonly FormationOutput[] {
    if (isFormed) return [];
    const answer = this.#hello(nameOf(from));
    if (this.#formed.members.includes(from)) return [answer];
    return [answer, { kind: "joining", memberId: from }];
  }

  #decide(): readonly FormationOutput[] {
    const founded = this.#foundedWithUs();
    const list = founded ?? this.#listOfAll();
    if (list.join() !== this.#agreed.join()) this.#agreed = list;
    const isDecided = founded !== null || (list.length > 0 && this.#doOthersAgree());
    if (!isDecided) return this.#waiting();
    this.#state = "founding";
    return [{ kind: "found", members: list }];
  }

  /** A list that was founded: so all of its disks agreed, and this one too, perhaps in vain. */
  #foundedWithUs(): readonly NodeId[] | null {
    if (!this.#mayFound) return null;
    for (const { hello } of this.#heard.values()) {
      if (hello.isFormed && hello.founding.includes(this.#memberId)) return hello.founding;
    }
    return null;
  }

  /** The member ids of all founders, sorted by name; empty while one is missing or unfit. */
  #listOfAll(): readonly NodeId[] {
    if (!this.#mayFound || !this.#founders.includes(this.#name)) return [];
    if (this.#otherFounders().some((name) => this.#unfitness(name) !== null)) return [];
    return this.#founders.map((name) => this.#heard.get(name)?.from ?? this.#memberId);
  }

  #doOthersAgree(): boolean {
    const wanted = this.#agreed.join();
    return this.#otherFounders().every(
      (name) => this.#heard.get(name)?.hello.founding.join() === wanted,
    );
  }

  /** Why nothing can be founded with this founder now. */
  #unfitness(name: string): WaitingReason | null {
    const hello = this.#heard.get(name)?.hello;
    if (hello === undefined) return "founders-missing";
    if (hello.isFormed) return "cluster-exists";
    if (hello.founders.join() !== this.#founders.join()) return "founders-differ";
    return hello.mayFound ? null : "founders-barred";
  }

  #waiting(): readonly FormationOutput[] {
    const [reason, names] = this.#whyWaiting();
    const said = [reason, ...names].join();
    if (reason === null || said === this.#saidWaiting) return [];
    this.#saidWaiting = said;
    return [{ kind: "waiting", reason, names }];
  }

  #whyWaiting(): readonly [WaitingReason | null, readonly string[]] {
    const formed = [...this.#heard].filter(([, { hello }]) => hello.isFormed);
    if (formed.length > 0) return ["cluster-exists", formed.map(([name]) => name).toSorted()];
    if (!this.#founders.includes(this.#name)) return ["no-founder", []];
    if (!this.#mayFound) return ["founders-barred", [this.#name]];
    for (const reason of ["founders-differ", "founders-barred", "founders-missing"] as const) {
      const names = this.#otherFounders().filter((name) => this.#unfitness(name) === reason);
      if (names.length > 0) return [reason, names];
    }
    return [null, []];
  }

  #otherFounders(): readonly string[] {
    return this.#founders.filter((name) => name !== this.#name);
  }

  /** Founders, and the members of clusters that were heard of: they may take us in. */
  #helloToAll(): readonly FormationOutput[] {
    const names = new Set(this.#otherFounders());
    for (const [name, { hello }] of this.#heard) {
      names.add(name);
      for (const member of hello.members) names.add(nameOf(member));
    }
    names.delete(this.#name);
    return [...names].map((name) => this.#hello(name));
  }

  #hello(toName: string): FormationOutput {
    const isFormed = this.#state === "formed";
    const hello: Hello = {
      isFormed,
      mayFound: this.#mayFound,
      members: this.#formed.members,
      founding: isFormed ? this.#formed.founding : this.#agreed,
      founders: this.#founders,
    };
    return { kind: "send", toName, hello };
  }
}
