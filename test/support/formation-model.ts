// All that can happen to three nodes that form a cluster while one of them loses its disk once.
//
// Guarantees: every order of hearing, forgetting (a restart), founding and the one loss, where
// whatever was said once can be heard at any time, any number of times, or never. What a node does
// is asked of the formation itself; a state is what the nodes heard last and what they founded.

import type { FormationOptions } from "../../transport/formation.ts";
import type { Hello } from "../../transport/hello.ts";
import { nameOf } from "../../transport/member-id.ts";
import type { FormationLike } from "./formation-world.ts";

const NAMES = ["n1", "n2", "n3"];
const DISKS = ["n1#0000000a", "n2#0000000c", "n3#0000000d"];
const SECOND_DISK = "n1#0000000b";
const MAJORITY = 2;
const UNHEARD = -1;
const UNHEARD_ALL = [UNHEARD, UNHEARD];

interface Node {
  readonly id: string;
  /** Joined; "": blank. */
  readonly founded: string;
  /** What was heard last of the others, in the order of names: places in the list of all said. */
  readonly heard: readonly number[];
  readonly key: string;
}

interface State {
  readonly nodes: readonly Node[];
  /** A bit for each place in the list of all said. */
  readonly said: number;
  /** Lists that a majority of living disks had founded at some time. */
  readonly majorities: readonly string[];
}

interface Said {
  readonly from: string;
  readonly hello: Hello;
}

export interface Explored {
  readonly states: number;
  /** The most lists that had a majority in one history. */
  readonly majoritiesMax: number;
}

export function exploreFormation(create: (options: FormationOptions) => FormationLike): Explored {
  return new Explorer(create).explore();
}

function nodeOf(id: string, founded = "", heard: readonly number[] = UNHEARD_ALL): Node {
  return { id, founded, heard, key: `${id} ${founded} ${heard[0]} ${heard[1]}` };
}

function keyOf({ nodes, said, majorities }: State): string {
  const [one, two, three] = nodes;
  return `${one?.key};${two?.key};${three?.key};${said};${majorities.join(" ")}`;
}

function majorityOf(lists: readonly string[]): string | null {
  const isOfMajority = (list: string): boolean =>
    list !== "" && lists.filter((other) => other === list).length >= MAJORITY;
  return lists.find(isOfMajority) ?? null;
}

class Explorer {
  readonly #create: (options: FormationOptions) => FormationLike;
  readonly #all: Said[] = [];
  readonly #placeOf = new Map<string, number>();
  readonly #doings = new Map<string, { readonly says: number; readonly founds: string }>();

  constructor(create: (options: FormationOptions) => FormationLike) {
    this.#create = create;
  }

  explore(): Explored {
    const nodes = DISKS.map((id) => nodeOf(id));
    const seen = new Set<string>();
    const open: State[] = [];
    let majoritiesMax = 0;
    const reach = (state: State): void => {
      const key = keyOf(state);
      if (seen.has(key)) return;
      seen.add(key);
      open.push(state);
      majoritiesMax = Math.max(majoritiesMax, state.majorities.length);
    };
    reach(this.#settled({ nodes, said: 0, majorities: [] }));
    for (let state = open.pop(); state !== undefined; state = open.pop()) {
      for (const next of this.#nextOf(state)) reach(next);
    }
    return { states: seen.size, majoritiesMax };
  }

  *#nextOf(state: State): Iterable<State> {
    for (const [at, node] of state.nodes.entries()) {
      const become = (changed: Node): State =>
        this.#settled({ ...state, nodes: state.nodes.with(at, changed) });
      const { id, founded, heard } = node;
      if (id === DISKS[0]) yield become(nodeOf(SECOND_DISK));
      if (founded !== "") continue;
      if (heard.some((place) => place !== UNHEARD)) yield become(nodeOf(id));
      const { founds } = this.#doingOf(node);
      if (founds !== "") yield become(nodeOf(id, founds));
      const others = NAMES.filter((name) => name !== nameOf(id));
      for (const [place, { from }] of this.#all.entries()) {
        const slot = others.indexOf(nameOf(from));
        const isSaid = (state.said & (1 << place)) !== 0;
        const isNews = slot >= 0 && heard[slot] !== place;
        if (isSaid && isNews) yield become(nodeOf(id, "", heard.with(slot, place)));
      }
    }
  }

  /** With what the nodes say now among what was said, and majorities among what there was. */
  #settled(state: State): State {
    let { said } = state;
    for (const node of state.nodes) {
      const { says } = this.#doingOf(node);
      if (says !== UNHEARD) said |= 1 << says;
    }
    const now = majorityOf(state.nodes.map(({ founded }) => founded));
    const isNew = now !== null && !state.majorities.includes(now);
    const majorities = isNew ? [...state.majorities, now].sort() : state.majorities;
    return { nodes: state.nodes, said, majorities };
  }

  #doingOf(node: Node): { readonly says: number; readonly founds: string } {
    const known = this.#doings.get(node.key);
    if (known !== undefined) return known;
    const doing = node.founded === "" ? this.#blank(node) : this.#formed(node);
    this.#doings.set(node.key, doing);
    return doing;
  }

  #blank({ id, heard }: Node): { readonly says: number; readonly founds: string } {
    const one = this.#create({ memberId: id, mayFound: true, founders: NAMES, formed: null });
    const outputs = heard.flatMap((place) => {
      const said = this.#all[place];
      return said === undefined ? [] : one.received(said.from, said.hello);
    });
    outputs.push(...one.tick(0));
    for (const output of outputs) {
      if (output.kind === "found") return { says: UNHEARD, founds: output.members.join() };
    }
    const last = outputs.findLast(({ kind }) => kind === "send");
    return { says: last?.kind === "send" ? this.#place(id, last.hello) : UNHEARD, founds: "" };
  }

  /** What it answers to a node that is blank. */
  #formed({ id, founded }: Node): { readonly says: number; readonly founds: string } {
    const members = founded.split(",");
    const formed = { members, founding: members };
    const one = this.#create({ memberId: id, mayFound: true, founders: NAMES, formed });
    const asking = NAMES.find((name) => name !== nameOf(id)) ?? "";
    const blank = { isFormed: false, mayFound: true, members: [], founding: [], founders: NAMES };
    const [answer] = one.received(`${asking}#00000009`, blank);
    return { says: answer?.kind === "send" ? this.#place(id, answer.hello) : UNHEARD, founds: "" };
  }

  #place(from: string, hello: Hello): number {
    const key = JSON.stringify({ from, hello });
    const known = this.#placeOf.get(key);
    if (known !== undefined) return known;
    const place = this.#all.push({ from, hello }) - 1;
    if (place > 30) throw new Error("more is said than there are bits");
    this.#placeOf.set(key, place);
    return place;
  }
}
