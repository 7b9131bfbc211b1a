// A new cluster is founded once, whatever is lost, late, doubled or wiped.

import { describe, expect, jest, test } from "@jest/globals";
import { createPrng, type Prng, uniform } from "../../../raft/prng.ts";
import {
  Formation,
  type FormationOptions,
  type FormationOutput,
  HELLO_INTERVAL_MS,
} from "../../../transport/formation.ts";
import type { Hello } from "../../../transport/hello.ts";
import { nameOf } from "../../../transport/member-id.ts";
import { exploreFormation } from "../../support/formation-model.ts";
import {
  type Faults,
  type FormationLike,
  FormationWorld,
  hasty,
} from "../../support/formation-world.ts";

// All orders of events of three nodes are a few seconds' work.
jest.setTimeout(60_000);

type Create = (options: FormationOptions) => FormationLike;

const sound: Create = (options) => new Formation(options);
const FOUNDERS = ["n1", "n2", "n3"];
const ONE = "n1#00000001";
const TWO = "n2#00000002";
const THREE = "n3#00000003";
const ALL = [ONE, TWO, THREE];
const LATER_ONE = "n1#00000009";

const BLANK: Hello = {
  isFormed: false,
  mayFound: true,
  members: [],
  founding: [],
  founders: FOUNDERS,
};
const AGREED: Hello = { ...BLANK, founding: ALL };
const FORMED: Hello = { ...BLANK, isFormed: true, members: ALL, founding: ALL };

function blank(changed: Partial<FormationOptions> = {}): Formation {
  return new Formation({
    memberId: ONE,
    mayFound: true,
    founders: FOUNDERS,
    formed: null,
    ...changed,
  });
}

function formed(): Formation {
  return blank({ formed: { members: ALL, founding: ALL } });
}

function kinds(outputs: readonly FormationOutput[]): readonly string[] {
  return outputs.map((output) => {
    if (output.kind === "send") return `send ${output.toName}`;
    if (output.kind === "waiting") return `waiting ${output.reason} ${output.names.join()}`;
    return output.kind;
  });
}

describe("a blank founder", () => {
  test("says hello to the others at once and each interval, and for whom it waits once.", () => {
    const node = blank();
    expect(kinds(node.tick(1_000))).toEqual([
      "waiting founders-missing n2,n3",
      "send n2",
      "send n3",
    ]);
    expect(node.tick(1_000 + HELLO_INTERVAL_MS - 1)).toEqual([]);
    expect(kinds(node.tick(1_000 + HELLO_INTERVAL_MS))).toEqual(["send n2", "send n3"]);
  });

  test("agrees at once when it has heard of all, and founds when all others agree.", () => {
    const node = blank();
    expect(kinds(node.received(TWO, BLANK))).toEqual(["waiting founders-missing n3"]);
    const agreeing = node.received(THREE, AGREED);
    expect(kinds(agreeing)).toEqual(["send n2", "send n3"]);
    expect(agreeing[0]).toMatchObject({ hello: AGREED });
    expect(node.received(TWO, AGREED)).toEqual([{ kind: "found", members: ALL }]);
    expect(node.isFormed).toBe(false);
  });

  test("says nothing from its decision until the list is durable, then that it is formed.", () => {
    const node = blank();
    node.received(TWO, FORMED);
    expect(node.tick(1_000)).toEqual([]);
    expect(node.received(THREE, BLANK)).toEqual([]);
    const told = node.formed({ members: ALL, founding: ALL });
    expect(kinds(told)).toEqual(["send n2", "send n3"]);
    expect(told[0]).toMatchObject({ hello: FORMED });
    expect(node.isFormed).toBe(true);
  });

  test("founds a list that was founded with it, and no other.", () => {
    const others = { ...FORMED, members: [LATER_ONE, TWO], founding: [LATER_ONE, TWO, THREE] };
    expect(kinds(blank().received(TWO, others))).toEqual(["waiting cluster-exists n2"]);
    expect(blank().received(TWO, FORMED)).toEqual([{ kind: "found", members: ALL }]);
  });

  test("founds nothing on members alone: they may have changed since the founding.", () => {
    const grown = { ...FORMED, members: [...ALL, "n4#00000004"], founding: [] };
    const node = blank();
    expect(kinds(node.received(TWO, grown))).toEqual(["waiting cluster-exists n2"]);
    expect(kinds(node.tick(0))).toEqual(["send n2", "send n3", "send n4"]);
  });

  test("takes a founder on a new disk for another one, and takes its agreement back.", () => {
    const node = blank({ memberId: TWO });
    node.received(ONE, BLANK);
    node.received(THREE, AGREED);
    const again = node.received(LATER_ONE, { ...BLANK, founding: ALL });
    expect(again[0]).toMatchObject({ hello: { founding: [LATER_ONE, TWO, THREE] } });
    expect(node.received(THREE, AGREED)).toEqual([]);
  });

  test("hears nothing of a disk that has its own name.", () => {
    expect(blank().received(LATER_ONE, FORMED)).toEqual([]);
  });

  test.each<[string, Partial<FormationOptions>, Partial<Hello>, string]>([
    ["with other founders", {}, { founders: ["n1", "n2"] }, "founders-differ n2"],
    ["with a founder of a damaged disk", {}, { mayFound: false }, "founders-barred n2"],
    ["on a damaged disk of its own", { mayFound: false }, {}, "founders-barred n1"],
    ["where it is none", { founders: ["n2", "n3"] }, { founders: ["n2", "n3"] }, "no-founder "],
  ])("founds nothing %s.", (_what, own, others, waiting) => {
    const node = blank(own);
    const told = [TWO, THREE].flatMap((from) => node.received(from, { ...AGREED, ...others }));
    expect(kinds([...told, ...node.tick(0)])[0]).toBe(`waiting ${waiting}`);
    expect(kinds(node.tick(HELLO_INTERVAL_MS))).toContain("send n2");
  });

  test("that is alone founds by itself.", () => {
    const told = blank({ founders: ["n1"] }).tick(0);
    expect(told).toEqual([{ kind: "found", members: [ONE] }]);
  });

  test("is formed by a snapshot of a cluster, and says no more then.", () => {
    const node = blank();
    expect(node.formed({ members: ALL, founding: [] })).toEqual([]);
    expect(node.tick(1_000)).toEqual([]);
    expect(node.received(TWO, FORMED)).toEqual([]);
  });
});

describe("a formed node", () => {
  test("answers a member that has missed the founding.", () => {
    expect(formed().received(TWO, BLANK)).toEqual([{ kind: "send", toName: "n2", hello: FORMED }]);
  });

  test("answers a blank node that is no member, and says that it wants to join.", () => {
    const told = formed().received(LATER_ONE.replace("n1", "n3"), BLANK);
    expect(told).toEqual([
      { kind: "send", toName: "n3", hello: FORMED },
      { kind: "joining", memberId: "n3#00000009" },
    ]);
  });

  test("tells the members that there are now.", () => {
    const node = formed();
    node.formed({ members: [ONE, TWO], founding: [] });
    const [answer] = node.received(THREE, BLANK);
    expect(answer).toMatchObject({ hello: { members: [ONE, TWO], founding: [] } });
  });
});

describe("two clusters", () => {
  /** One disk is wiped after two of three have founded; the third has one late hello. */
  function lateHello(create: Create): FormationWorld {
    const world = new FormationWorld(3, 1, create);
    const [one, two, three] = FOUNDERS.map((name) => world.node(name));
    if (one === undefined || two === undefined || three === undefined) throw new Error("three");
    for (const node of world.nodes) world.start(node);
    world.tick(two);
    const late = world.keep("n2", "n3");
    // n1 and n2 hear all, n3 hears nobody; then n1 is wiped.
    for (let round = 0; round < 4; round += 1) {
      for (const node of world.nodes) world.tick(node);
      world.carryTo(["n1", "n2"]);
      for (const node of [one, two]) world.persist(node);
    }
    world.carryTo([]);
    world.wipe(one);
    world.start(one);
    late();
    for (let round = 0; round < 4; round += 1) {
      for (const node of [one, three]) world.tick(node);
      world.carryTo(["n1", "n3"]);
      for (const node of [one, three]) world.persist(node);
    }
    return world;
  }

  test("would be made of one lost disk and a late hello, without the round of agreement.", () => {
    expect(lateHello(hasty).listsThatCouldCommit()).toHaveLength(2);
    const world = lateHello(sound);
    expect(world.listsThatCouldCommit()).toEqual([]);
    world.heal();
    expect(world.listsThatCouldCommit()).toHaveLength(1);
  });

  test("come of no order of events on three nodes that lose one disk.", () => {
    const explored = exploreFormation(sound);
    expect(explored.majoritiesMax).toBe(1);
    expect(explored.states).toBeGreaterThan(100_000);
    expect(exploreFormation(hasty).majoritiesMax).toBe(2);
  });
});

describe("random faults", () => {
  function swarm(prng: Prng, wipedNamesMax: number): Faults {
    const pick = (...choices: readonly number[]): number =>
      choices[uniform(prng, 0, choices.length)] ?? 0;
    return {
      crashes: pick(0, 5, 20),
      wipes: pick(2, 10),
      linkTurns: pick(60, 200),
      badLinks: pick(5, 20, 40),
      kept: pick(0, 40),
      wipedNamesMax,
    };
  }

  function run(count: number, seed: number, wiped: number, create: Create): FormationWorld {
    const world = new FormationWorld(count, seed, create);
    world.run(600, swarm(createPrng(seed), wiped));
    return world;
  }

  test.each([
    [3, 800],
    [5, 400],
  ])("of %i nodes: one list, which all of its disks found in the end.", (count, runs) => {
    let committed = 0;
    let wiped = 0;
    for (let seed = 1; seed <= runs; seed += 1) {
      const world = run(count, seed, Math.floor((count - 1) / 2), sound);
      committed += world.listsThatCouldCommit().length;
      wiped += world.wipedNames.size;
      world.heal();
      const lists = world.listsThatCouldCommit();
      if (lists.length > 1) throw new Error(`seed ${seed}: ${lists.join(" and ")}`);
      expect([seed, unfinished(world)]).toEqual([seed, []]);
    }
    // The runs are worth something: most found a cluster amid the faults, disks are lost in many.
    expect(committed).toBeGreaterThan(runs / 5);
    expect(wiped).toBeGreaterThan(runs / 5);
  });

  test("find out a formation without the round of agreement.", () => {
    const seeds = Array.from({ length: 3_000 }, (_, at) => at + 1);
    const isBroken = (seed: number): boolean => {
      const world = run(3, seed, 1, hasty);
      world.heal();
      return world.listsThatCouldCommit().length > 1;
    };
    expect(seeds.some(isBroken)).toBe(true);
  });

  test("that wipe any disks never give two lists a majority at one time.", () => {
    for (let seed = 1; seed <= 500; seed += 1) {
      const world = run(3, seed, 3, sound);
      const living = world.nodes.flatMap(({ disk }) => disk.founded ?? []);
      const counts = Map.groupBy(living, (list) => list).values();
      const majorities = [...counts].filter(({ length }) => length >= world.majority);
      expect(majorities.length).toBeLessThanOrEqual(1);
    }
  });

  /** Disks that could have been formed and are not. */
  function unfinished(world: FormationWorld): readonly string[] {
    const disks = world.nodes.map(({ disk }) => disk);
    const lists = disks.flatMap(({ founded }) => founded ?? []);
    const isBarred = disks.some(({ mayFound }) => !mayFound);
    return disks
      .filter(({ id, founded }) => {
        if (founded !== null) return false;
        const isExpected = lists.length > 0 ? lists.join().includes(id) : !isBarred;
        return isExpected;
      })
      .map(({ id }) => `${nameOf(id)} is blank beside ${lists.join(" and ")}`);
  }
});
