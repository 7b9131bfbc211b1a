// Nodes that form a cluster, on a network that loses, doubles and reorders without bound, with
// disks that are wiped: what founds what is kept, and said when it could have made two clusters.
//
// Guarantees: follows its seed. A disk is alive from its making to its wiping, also while no
// process runs on it. `hasty` is a formation without the round of agreement: the checker has to
// find it out.

import { createPrng, type Prng, uniform } from "../../raft/prng.ts";
import {
  Formation,
  type FormationOptions,
  type FormationOutput,
} from "../../transport/formation.ts";
import type { Hello } from "../../transport/hello.ts";
import { memberId, nameOf } from "../../transport/member-id.ts";

export type FormationLike = Pick<Formation, "tick" | "received" | "formed">;

export interface Disk {
  readonly id: string;
  readonly mayFound: boolean;
  /** The list that it founded, joined; null: blank. */
  founded: string | null;
  /** Disks that had founded the same list while both were alive, itself included. */
  readonly together: Set<string>;
}

interface Node {
  readonly name: string;
  disk: Disk;
  process: FormationLike | null;
  /** A list on its way to the disk. */
  pending: readonly string[] | null;
}

interface Flying {
  readonly from: string;
  readonly toName: string;
  readonly hello: Hello;
}

export interface Faults {
  /** Of 1,000 turns. */
  readonly crashes: number;
  readonly wipes: number;
  /** Turns after which other links are bad. */
  readonly linkTurns: number;
  /** Of 100: links that are bad, which lose all; messages that are delivered once more. */
  readonly badLinks: number;
  readonly kept: number;
  /** Names that may lose their disks. */
  readonly wipedNamesMax: number;
}

const FLYING_MAX = 200;

export class FormationWorld {
  readonly nodes: readonly Node[];
  readonly disks: Disk[] = [];
  readonly wipedNames = new Set<string>();
  /** In the order told: what nodes wait for. */
  readonly waiting: (FormationOutput & { readonly kind: "waiting" })[] = [];
  readonly #names: readonly string[];
  readonly #create: (options: FormationOptions) => FormationLike;
  readonly #prng: Prng;
  readonly #badLinks = new Set<string>();
  #flying: Flying[] = [];
  #nowMs = 0;

  constructor(
    count: number,
    seed: number,
    create: (options: FormationOptions) => FormationLike = (options) => new Formation(options),
  ) {
    this.#names = Array.from({ length: count }, (_, at) => `n${at + 1}`);
    this.#create = create;
    this.#prng = createPrng(seed);
    this.nodes = this.#names.map((name) => ({
      name,
      disk: this.#makeDisk(name, true),
      process: null,
      pending: null,
    }));
  }

  get majority(): number {
    return Math.floor(this.nodes.length / 2) + 1;
  }

  /** Lists of which one disk was together with a majority: one that leads could have committed. */
  listsThatCouldCommit(): readonly string[] {
    const able = this.disks.filter(({ together }) => together.size >= this.majority);
    return [...new Set(able.flatMap(({ founded }) => founded ?? []))];
  }

  run(turns: number, faults: Faults): void {
    for (let turn = 0; turn < turns; turn += 1) {
      if (turn % faults.linkTurns === 0) this.#drawLinks(faults);
      this.#turn(faults);
    }
  }

  /** All up, nothing lost: until nothing changes any more. */
  heal(): void {
    this.#badLinks.clear();
    for (let round = 0; round < 12; round += 1) {
      for (const node of this.nodes) {
        if (node.process === null) this.start(node);
        this.persist(node);
        this.tick(node);
      }
      while (this.#flying.length > 0) this.#deliver(0, true);
    }
  }

  node(name: string): Node {
    const node = this.nodes.find((one) => one.name === name);
    if (node === undefined) throw new Error(`no node ${name}`);
    return node;
  }

  start(node: Node): void {
    const { id, mayFound, founded } = node.disk;
    const members = founded?.split(",") ?? [];
    const formed = founded === null ? null : { members, founding: members };
    node.process = this.#create({ memberId: id, mayFound, founders: this.#names, formed });
  }

  crash(node: Node): void {
    node.process = null;
    node.pending = null;
  }

  wipe(node: Node, mayFound = true): void {
    this.crash(node);
    this.wipedNames.add(node.name);
    node.disk = this.#makeDisk(node.name, mayFound);
  }

  tick(node: Node): void {
    this.#nowMs += 1_000;
    this.#take(node, node.process?.tick(this.#nowMs) ?? []);
  }

  /** What was to be founded is durable now. */
  persist(node: Node): void {
    if (node.pending === null || node.process === null) return;
    const members = node.pending;
    node.pending = null;
    const { disk } = node;
    disk.founded = members.join();
    for (const other of this.nodes.map((one) => one.disk)) {
      if (other.founded !== disk.founded) continue;
      other.together.add(disk.id);
      disk.together.add(other.id);
    }
    this.#take(node, node.process.formed({ members, founding: members }));
  }

  /** Delivers what flies to these nodes, in order; loses all else. */
  carryTo(names: readonly string[]): void {
    const all = this.#flying;
    this.#flying = [];
    for (const flying of all) if (names.includes(flying.toName)) this.#hand(flying);
  }

  /** What flies from one node to another now, to be handed over later. */
  keep(from: string, to: string): () => void {
    const kept = this.#flying.filter((one) => nameOf(one.from) === from && one.toName === to);
    return () => {
      for (const flying of kept) this.#hand(flying);
    };
  }

  #turn(faults: Faults): void {
    const node = this.nodes[uniform(this.#prng, 0, this.nodes.length)];
    if (node === undefined) throw new Error("there are nodes");
    if (this.#isLucky(faults.crashes, 1_000)) this.crash(node);
    const mayWipe = this.wipedNames.has(node.name) || this.wipedNames.size < faults.wipedNamesMax;
    if (mayWipe && this.#isLucky(faults.wipes, 1_000)) this.wipe(node, !this.#isLucky(5, 100));
    const what = uniform(this.#prng, 0, 10);
    if (what === 0) {
      if (node.process === null) this.start(node);
      else this.tick(node);
    } else if (what === 1) {
      this.persist(node);
    } else if (this.#flying.length > 0) {
      const at = uniform(this.#prng, 0, this.#flying.length);
      this.#deliver(at, !this.#isLucky(faults.kept, 100));
    }
    while (this.#flying.length > FLYING_MAX) {
      this.#flying.splice(uniform(this.#prng, 0, this.#flying.length), 1);
    }
  }

  #drawLinks({ badLinks }: Faults): void {
    this.#badLinks.clear();
    for (const from of this.#names) {
      for (const to of this.#names) {
        if (this.#isLucky(badLinks, 100)) this.#badLinks.add(`${from} ${to}`);
      }
    }
  }

  #deliver(at: number, isLast: boolean): void {
    const flying = this.#flying[at];
    if (flying === undefined) return;
    if (isLast) this.#flying.splice(at, 1);
    this.#hand(flying);
  }

  #hand({ from, toName, hello }: Flying): void {
    const node = this.node(toName);
    this.#take(node, node.process?.received(from, hello) ?? []);
  }

  #take(node: Node, outputs: readonly FormationOutput[]): void {
    for (const output of outputs) {
      if (output.kind === "send") this.#send({ from: node.disk.id, ...output });
      else if (output.kind === "found") node.pending = output.members;
      else if (output.kind === "waiting") this.waiting.push(output);
    }
  }

  #send(flying: Flying): void {
    const isBad = this.#badLinks.has(`${nameOf(flying.from)} ${flying.toName}`);
    if (!isBad) this.#flying.push(flying);
  }

  #makeDisk(name: string, mayFound: boolean): Disk {
    const storeId = (this.disks.length + 1).toString(16).padStart(8, "0");
    const id = memberId(name, storeId);
    const disk: Disk = { id, mayFound, founded: null, together: new Set() };
    this.disks.push(disk);
    return disk;
  }

  #isLucky(chances: number, of: number): boolean {
    return uniform(this.#prng, 0, of) < chances;
  }
}

/** Founds as soon as it has heard of all founders: broken, see formation.ts. */
export function hasty({ memberId: id, founders, formed }: FormationOptions): FormationLike {
  const heard = new Map([[nameOf(id), id]]);
  let state = formed;
  let isDecided = formed !== null;
  const others = founders.filter((name) => name !== nameOf(id));
  const sends = (): FormationOutput[] => {
    const hello: Hello = {
      isFormed: state !== null,
      mayFound: true,
      members: state?.members ?? [],
      founding: state?.founding ?? [],
      founders,
    };
    return others.map((toName) => ({ kind: "send", toName, hello }));
  };
  const found = (members: readonly string[]): FormationOutput[] => {
    isDecided = true;
    return [{ kind: "found", members }];
  };
  return {
    tick: () => (isDecided ? [] : sends()),
    received: (from, hello) => {
      if (state !== null) return hello.isFormed ? [] : sends();
      if (isDecided) return [];
      if (hello.isFormed) return hello.founding.includes(id) ? found(hello.founding) : [];
      heard.set(nameOf(from), from);
      if (heard.size < founders.length) return [];
      return found(founders.map((name) => heard.get(name) ?? ""));
    },
    formed: (now) => {
      state = now;
      return sends();
    },
  };
}
