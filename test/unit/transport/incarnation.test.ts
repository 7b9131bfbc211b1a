// What is remembered of peers and strangers.

import { expect, test } from "@jest/globals";
import { PeerIncarnations } from "../../../transport/amqp/incarnation.ts";
import { STRANGERS_MAX } from "../../../transport/limit.ts";

const TWO = "n2#00000002";
const LATER_TWO = "n2#00000003";

function strangerOf(number: number): string {
  return `s${number}#0000000a`;
}

test("An earlier life of a peer is not heard; a later one is written to.", () => {
  const known = new PeerIncarnations([TWO]);
  expect(known.heard(TWO, 5)).toBe(true);
  expect(known.heard(TWO, 4)).toBe(false);
  expect(known.heard(TWO, 6)).toBe(true);
  expect([known.addressOf(TWO), known.newestOf(TWO)]).toEqual([6, 6]);
});

test("A name without a mailbox loses the addresses of all its disks, but no floor.", () => {
  const known = new PeerIncarnations([TWO]);
  known.heard(TWO, 5);
  known.heard(LATER_TWO, 1);
  expect(known.forgetAddresses("n2")).toEqual([TWO, LATER_TWO]);
  expect([known.addressOf(TWO), known.addressOf(LATER_TWO)]).toEqual([0, 0]);
  expect(known.heard(TWO, 4)).toBe(false);
  expect(known.forgetAddresses("n9")).toEqual([]);
});

test("The same name on another disk is another peer: its lives are counted anew.", () => {
  const known = new PeerIncarnations([TWO]);
  known.heard(TWO, 5);
  expect(known.heard(LATER_TWO, 1)).toBe(true);
  expect([known.newestOf(TWO), known.newestOf(LATER_TWO)]).toEqual([5, 1]);
});

test("Of strangers only so many are remembered, those heard last; asking remembers none.", () => {
  const known = new PeerIncarnations([TWO]);
  known.heard(TWO, 5);
  for (let number = 0; number < STRANGERS_MAX; number += 1) known.heard(strangerOf(number), 7);
  known.heard(strangerOf(0), 8);
  expect(known.addressOf(strangerOf(999))).toBe(0);
  known.heard(strangerOf(STRANGERS_MAX), 7);
  const newest = [0, 1, 2, STRANGERS_MAX].map((number) => known.newestOf(strangerOf(number)));
  expect(newest).toEqual([8, 0, 7, 7]);
  expect(known.newestOf(TWO)).toBe(5);
});

test("A stranger that becomes a peer, and a peer that is none any more, keep their lives.", () => {
  const known = new PeerIncarnations([TWO]);
  known.heard(TWO, 5);
  known.heard(LATER_TWO, 2);
  known.setPeers([LATER_TWO]);
  for (let number = 0; number < STRANGERS_MAX - 1; number += 1) known.heard(strangerOf(number), 7);
  expect([known.newestOf(TWO), known.newestOf(LATER_TWO)]).toEqual([5, 2]);
  known.heard(strangerOf(STRANGERS_MAX), 7);
  expect([known.newestOf(TWO), known.newestOf(LATER_TWO)]).toEqual([0, 2]);
});

test("Messages to one member are numbered from 1.", () => {
  const known = new PeerIncarnations([]);
  const numbers = [TWO, TWO, LATER_TWO, TWO].map((id) => known.nextSequence(id));
  expect(numbers).toEqual([1, 2, 1, 3]);
});
