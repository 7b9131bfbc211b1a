// Configurations as values, and as the bytes of an entry.

import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import {
  createConfiguration,
  decodeConfiguration,
  encodeConfiguration,
  isJoint,
  isMember,
  isSoleVoter,
  isVoter,
  membersOf,
  peersOf,
  voterDifference,
  votingPeersOf,
} from "../../../raft/configuration.ts";

const id = fc.oneof(
  fc.stringMatching(/^[a-z][a-z0-9-]{0,12}#[0-9a-f]{8}$/),
  fc.string({ minLength: 1 }),
);
const idSet = (minLength: number) => fc.uniqueArray(id, { minLength, maxLength: 5 });
const configuration = fc.tuple(idSet(1), idSet(0), idSet(0)).map(([voters, outgoing, learners]) =>
  createConfiguration(
    voters,
    learners.filter((one) => !voters.includes(one)),
    outgoing,
  ),
);

function bytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

describe("a configuration", () => {
  test("has distinct voters, at least one, and learners that do not vote", () => {
    expect(() => createConfiguration([])).toThrow(/^I24\./);
    expect(() => createConfiguration(["a", "a"])).toThrow(/^I24\./);
    expect(() => createConfiguration(["a"], ["b", "b"])).toThrow(/^I24\./);
    expect(() => createConfiguration(["a"], [], ["b", "b"])).toThrow(/^I24\./);
    expect(() => createConfiguration(["a"], ["a"])).toThrow(/^I24\./);
  });

  test("is not changed by what it was made of", () => {
    const voters = ["a", "b"];
    const made = createConfiguration(voters);
    voters.pop();
    expect(made.voters).toEqual(["a", "b"]);
  });

  test("tells apart who votes, who is a member, and who is alone", () => {
    const it = createConfiguration(["a", "b"], ["c", "d"], ["a", "c"]);
    expect(isJoint(it)).toBe(true);
    expect(["a", "b", "c", "d", "e"].map((one) => isVoter(it, one))).toEqual([
      true,
      true,
      true,
      false,
      false,
    ]);
    expect(["c", "d", "e"].map((one) => isMember(it, one))).toEqual([true, true, false]);
    expect(membersOf(it)).toEqual(["a", "b", "c", "d"]);
    expect(peersOf(it, "b")).toEqual(["a", "c", "d"]);
    expect(votingPeersOf(it, "b")).toEqual(["a", "c"]);
    // One that is no member has all as its peers.
    expect(peersOf(it, "e")).toEqual(["a", "b", "c", "d"]);
  });

  test("has a sole voter only if no other set has a say", () => {
    expect(isSoleVoter(createConfiguration(["a"], ["b"]), "a")).toBe(true);
    expect(isSoleVoter(createConfiguration(["a"], ["b"]), "b")).toBe(false);
    expect(isSoleVoter(createConfiguration(["a"], [], ["a", "b"]), "a")).toBe(false);
    expect(isSoleVoter(createConfiguration(["a", "b"]), "a")).toBe(false);
  });

  test("differs from another one by the voters that are in one of them only", () => {
    fc.assert(
      fc.property(idSet(0), idSet(0), (one, other) => {
        const all = new Set([...one, ...other]);
        let difference = 0;
        for (const member of all) {
          if (one.includes(member) !== other.includes(member)) difference += 1;
        }
        expect(voterDifference(one, other)).toBe(difference);
      }),
    );
  });
});

describe("the bytes of a configuration", () => {
  test("come back as they went, whatever its members are called", () => {
    fc.assert(
      fc.property(configuration, (it) => {
        expect(decodeConfiguration(encodeConfiguration(it))).toEqual(it);
      }),
    );
  });

  test("are the same for equal configurations: every member writes the same entry", () => {
    const one = encodeConfiguration({ voters: ["a"], outgoing: [], learners: ["b"] });
    const other = encodeConfiguration({ learners: ["b"], outgoing: [], voters: ["a"] });
    expect(other).toEqual(one);
  });

  test("are never a reason to throw", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (data) => {
        expect(decodeConfiguration(data)).toBeNull();
      }),
      { numRuns: 2000 },
    );
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(() => decodeConfiguration(new TextEncoder().encode(text))).not.toThrow();
      }),
      { numRuns: 2000 },
    );
  });

  test("with a bit turned are still a configuration or none", () => {
    fc.assert(
      fc.property(configuration, fc.nat(), fc.nat({ max: 7 }), (it, at, bit) => {
        const data = encodeConfiguration(it);
        const place = at % data.length;
        data[place] = (data[place] ?? 0) ^ (1 << bit);
        const decoded = decodeConfiguration(data);
        if (decoded === null) return;
        for (const set of [decoded.voters, decoded.outgoing, decoded.learners]) {
          expect(set.every((one) => typeof one === "string" && one !== "")).toBe(true);
        }
      }),
      { numRuns: 2000 },
    );
  });

  const none: readonly [string, unknown][] = [
    ["null", null],
    ["a list", []],
    ["a number", 1],
    ["without voters", { outgoing: [], learners: [] }],
    ["without outgoing", { voters: ["a"], learners: [] }],
    ["without learners", { voters: ["a"], outgoing: [] }],
    ["with a voter that is a number", { voters: [1], outgoing: [], learners: [] }],
    ["with a voter without a name", { voters: [""], outgoing: [], learners: [] }],
    ["with a text for a list", { voters: "ab", outgoing: [], learners: [] }],
  ];
  test.each(none)("that are %s are none", (_, value) => {
    expect(decodeConfiguration(bytes(value))).toBeNull();
  });

  test("may say more than this version knows", () => {
    const later = { voters: ["a"], outgoing: [], learners: ["b"], witnesses: ["c"] };
    expect(decodeConfiguration(bytes(later))).toEqual({
      voters: ["a"],
      outgoing: [],
      learners: ["b"],
    });
  });
});
