// Whose hashes are compared, and when those who asked are told.

import { beforeEach, expect, test } from "@jest/globals";
import type { Administered } from "../../../protos/gen/node/v1/exchange.ts";
import type { Caller } from "../../../transport/administer-reply.ts";
import { CheckpointPoll, POLL_TIMEOUT_MS } from "../../../transport/checkpoint-poll.ts";

const MEMBERS = ["n3#00000003", "n1#00000001", "n2#00000002"];
const [ONE, OTHER] = ["00000000000000aa", "00000000000000bb"];
const CALLER = { replyTo: "r", callId: 1 };
let told: [Caller, Administered["outcome"]][];
let poll: CheckpointPoll;

beforeEach(() => {
  told = [];
  poll = new CheckpointPoll((caller, outcome) => told.push([caller, outcome]));
});

function hear(from: string | undefined, hash: string, index = 7): void {
  poll.heard(from ?? "", { index, hash });
}

/** Of the answer: the common hash, and each node's. */
function answer(position = 0): (string | number)[] | null {
  const outcome = told[position]?.[1];
  if (outcome?.$case !== "verifyLedger") return null;
  const { index, hash, nodes } = outcome.value;
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
  return [index, hex(hash), ...nodes.map((node) => `${node.nodeId}:${hex(node.hash)}`)];
}

test("all who asked are told once, as soon as all members have said what they have", () => {
  const second = { replyTo: "r", callId: 2 };
  poll.begin(7, MEMBERS, [CALLER, second], 0);
  for (const member of MEMBERS.slice(1)) hear(member, ONE);
  hear(MEMBERS[1], ONE);
  expect(told).toEqual([]);
  hear(MEMBERS[0], ONE);
  hear(MEMBERS[0], OTHER);
  poll.tick(POLL_TIMEOUT_MS);
  expect(told.map(([caller]) => caller)).toEqual([CALLER, second]);
  expect(answer()).toEqual([7, ONE, `n1:${ONE}`, `n2:${ONE}`, `n3:${ONE}`]);
});

test("one that differs stands out against the others", () => {
  poll.begin(7, MEMBERS, [CALLER], 0);
  hear(MEMBERS[0], OTHER);
  hear(MEMBERS[1], ONE);
  hear(MEMBERS[2], ONE);
  expect(answer()).toEqual([7, ONE, `n1:${ONE}`, `n2:${ONE}`, `n3:${OTHER}`]);
});

test("who says nothing is left open when the time is over, not before", () => {
  poll.begin(7, MEMBERS, [CALLER], 1_000);
  hear(MEMBERS[1], ONE);
  poll.tick(999 + POLL_TIMEOUT_MS);
  expect(told).toEqual([]);
  poll.tick(1_000 + POLL_TIMEOUT_MS);
  expect(answer()).toEqual([7, ONE, `n1:${ONE}`, "n2:", "n3:"]);
  poll.tick(2_000 + POLL_TIMEOUT_MS);
  expect(told).toHaveLength(1);
});

test("those that could not build theirs are left open, and do not outvote one that could", () => {
  poll.begin(7, MEMBERS, [CALLER], 0);
  hear(MEMBERS[0], "");
  hear(MEMBERS[1], ONE);
  hear(MEMBERS[2], "");
  expect(answer()).toEqual([7, ONE, `n1:${ONE}`, "n2:", "n3:"]);
});

test("strangers, and what is said of another entry, count for nothing", () => {
  poll.begin(7, MEMBERS.slice(1), [CALLER], 0);
  hear(MEMBERS[1], ONE);
  hear("n2#0000000f", OTHER);
  hear(MEMBERS[2], OTHER, 6);
  expect(told).toEqual([]);
  hear(MEMBERS[2], ONE);
  expect(answer()).toEqual([7, ONE, `n1:${ONE}`, `n2:${ONE}`]);
});

test("two at a time are kept apart by their entries", () => {
  poll.begin(7, MEMBERS.slice(1), [CALLER], 0);
  poll.begin(9, MEMBERS.slice(1), [{ replyTo: "r", callId: 2 }], 10);
  for (const member of MEMBERS.slice(1)) hear(member, OTHER, 9);
  expect(told.map(([{ callId }]) => callId)).toEqual([2]);
  for (const member of MEMBERS.slice(1)) hear(member, ONE, 7);
  expect([answer(0)?.slice(0, 2), answer(1)?.slice(0, 2)]).toEqual([
    [9, OTHER],
    [7, ONE],
  ]);
});

test("those who are given up are handed back, and not told any more", () => {
  poll.begin(7, MEMBERS, [CALLER], 0);
  expect(poll.giveUp()).toEqual([CALLER]);
  expect(poll.giveUp()).toEqual([]);
  for (const member of MEMBERS) hear(member, ONE);
  poll.tick(POLL_TIMEOUT_MS);
  expect(told).toEqual([]);
});
