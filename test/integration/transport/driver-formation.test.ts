// Drivers on empty disks that become a cluster: the rules are formation.test.ts's, here is that a
// driver carries them out, durably.

import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { counts } from "../../../ledger/ledger.ts";
import { nameOf } from "../../../transport/member-id.ts";
import {
  DriverCluster,
  type Member,
  REGISTRATION,
  submission,
  submittedIds,
} from "../../support/driver-cluster.ts";
import { MemoryLogStore } from "../../support/memory-log-store.ts";

jest.setTimeout(30_000);

const NODES = ["n1#00000001", "n2#00000002", "n3#00000003"];
let cluster: DriverCluster;

beforeEach(() => {
  cluster = new DriverCluster(NODES);
});

afterEach(() => {
  cluster.stop();
});

function startBlanks(...ids: readonly string[]): Member[] {
  return ids.map((id) => cluster.startBlank(nameOf(id), id.slice(-8)));
}

async function submit(leader: Member): Promise<void> {
  await cluster.answerTo(leader, cluster.propose(leader, REGISTRATION));
  const answer = await cluster.answerTo(leader, cluster.propose(leader, submission()));
  expect(submittedIds(answer)).toHaveLength(1);
}

test("three empty disks found a cluster of all three, and it is one after a power cut too", async () => {
  const members = startBlanks(...NODES);
  const leader = await cluster.leader();
  await submit(leader);
  await cluster.until(() => members.every(({ store }) => store.snapshot !== null));
  for (const { store } of members) {
    expect(store.snapshot).toMatchObject({ index: 0, configuration: { voters: NODES } });
  }
  const disks = members.map((member) => [member.id, cluster.crash(member)] as const);
  for (const [id, disk] of disks) await cluster.revive(id, disk);
  const next = await cluster.leader();
  expect(counts(next.driver.ledger).accepted).toBe(1);
});

test("a founder whose disk stands still is no part of it before it has it in writing", async () => {
  const [slow, ...others] = startBlanks(...NODES);
  if (slow === undefined) throw new Error("three nodes");
  slow.store.hold();
  const leader = await cluster.leader();
  expect(others).toContain(leader);
  await submit(leader);
  expect(slow.store.snapshot).toBeNull();
  const isWord = ({ from, message }: (typeof cluster.sent)[number]): boolean =>
    from === slow.id && message.kind !== "request-vote";
  expect(cluster.sent.filter(isWord)).toEqual([]);
  slow.store.release();
  await cluster.until(
    () => slow.driver.status().lastApplied === leader.driver.status().lastApplied,
  );
});

test("one that is no founder waits to be added, and is told apart by its disk", async () => {
  startBlanks(...NODES);
  const [stranger] = startBlanks("n4#00000004");
  const leader = await cluster.leader();
  // What it was told while it was blank itself does not count.
  cluster.hellos.length = 0;
  await cluster.untilHeard(leader, "n4");
  const { nodes, waitingNodeIds } = await cluster.view(leader);
  expect(nodes.map(({ id, storeId }) => `${id}#${storeId}`)).toEqual(NODES);
  expect(waitingNodeIds).toEqual(["n4"]);
  expect(stranger?.store.snapshot).toBeNull();
});

test("nothing is founded with a disk that took a damaged one's place", async () => {
  startBlanks("n1#00000001", "n2#00000002");
  cluster.start("n3#00000003", new MemoryLogStore({ storeId: "00000003", mayFound: false }));
  const heard = (): number => cluster.hellos.filter(({ from }) => from === NODES[2]).length;
  await cluster.until(() => heard() >= 6);
  for (const { store } of cluster.members.values()) expect(store.snapshot).toBeNull();
  expect(cluster.sent).toEqual([]);
});

test("a founder that has stopped answers no hello any more", async () => {
  const members = startBlanks(...NODES);
  const leader = await cluster.leader();
  const stopped = members.find((member) => member !== leader);
  if (stopped === undefined) throw new Error("three nodes");
  stopped.driver.stop();
  const said = (): number => cluster.hellos.filter(({ from }) => from === stopped.id).length;
  const before = said();
  startBlanks("n4#00000004");
  await cluster.untilHeard(stopped, "n4");
  await cluster.untilHeard(leader, "n4");
  const answered = (): boolean =>
    cluster.hellos.some(({ from, toName }) => from === leader.id && toName === "n4");
  await cluster.until(answered);
  expect(said()).toBe(before);
});
