// Drivers that take snapshots, compact their logs and catch each other up, with the real thread.

import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";
import {
  type Configuration,
  decodeConfiguration,
  NO_MEMBERS,
} from "../../../raft/configuration.ts";
import { EntryKind } from "../../../raft/message.ts";
import { nameOf } from "../../../transport/member-id.ts";
import {
  DriverCluster,
  type Member,
  PATIENT,
  REGISTRATION,
  submission,
  submittedIds,
} from "../../support/driver-cluster.ts";
import { checksumOf, outcomeOf, submitLarge } from "../../support/driver-load.ts";
import type { MemoryLogStore } from "../../support/memory-log-store.ts";

jest.setTimeout(150_000);

const NODES = ["n1#00000001", "n2#00000002", "n3#00000003"];
const MIB = 1024 * 1024;
let cluster: DriverCluster;

beforeEach(() => {
  cluster = new DriverCluster(NODES);
  cluster.timing = PATIENT;
});

afterEach(() => {
  cluster.stop();
});

async function ready(): Promise<{ leader: Member; follower: Member; other: Member }> {
  const leader = await cluster.startAll().leader();
  await cluster.answerTo(leader, cluster.propose(leader, REGISTRATION));
  const [follower, other] = [...cluster.members.values()].filter((one) => one !== leader);
  if (follower === undefined || other === undefined) throw new Error("three nodes");
  return { leader, follower, other };
}

function applied({ driver }: Member): number {
  return driver.status().lastApplied;
}

async function caughtUp(member: Member, leader: Member): Promise<void> {
  await cluster.until(() => applied(member) === applied(leader));
  expect(checksumOf(member.driver.ledger)).toBe(checksumOf(leader.driver.ledger));
}

/** The newest one on its disk. */
function configuration({ store }: Member): Configuration {
  const entry = store.entries.findLast(({ kind }) => kind === EntryKind.Configuration);
  const decoded = entry === undefined ? null : decodeConfiguration(entry.data);
  return decoded ?? store.snapshot?.configuration ?? NO_MEMBERS;
}

function voters(leader: Member): string[] {
  return configuration(leader).voters.toSorted();
}

async function untilVoters(leader: Member, wanted: readonly string[]): Promise<void> {
  await cluster.until(() => voters(leader).join() === wanted.toSorted().join());
}

describe("a log that has grown", () => {
  test("is compacted behind a snapshot on each node, and both together are the ledger", async () => {
    cluster.snapshotLogBytes = 4 * MIB;
    let leader = (await ready()).leader;
    const { members } = cluster;
    while ([...members.values()].some(({ store }) => store.offset.index === 0)) {
      leader = await submitLarge(cluster, leader, 1);
    }
    leader = await submitLarge(cluster, leader, 3);
    const [follower = leader] = [...members.values()].filter((one) => one !== leader);
    await caughtUp(follower, leader);
    const disk = cluster.crash(follower);
    const { snapshot, offset, entries } = disk.recovered;
    expect(snapshot?.bytes).toBeGreaterThan(MIB);
    expect(offset.index).toBeGreaterThan(0);
    expect(offset.index + entries.length).toBeGreaterThan(snapshot?.index ?? 0);
    for (const other of [leader, ...members.values()]) cluster.cut.add(other.id);
    const back = await cluster.revive(follower.id, disk);
    // What its disk gives, before the leader says a word; the rest is not known to be committed.
    expect(applied(back)).toBe(snapshot?.index);
    cluster.cut.clear();
    // Against a ledger that was never loaded: if the cut took long, there is a new term's entry.
    await caughtUp(back, leader);
  });

  test("is behind a snapshot that is taken when an operator asks for one, twice as well", async () => {
    const { leader } = await ready();
    const first = cluster.administer(leader, { $case: "takeSnapshot", value: {} });
    const write = cluster.propose(leader, submission());
    await cluster.answerTo(leader, write);
    const second = cluster.administer(leader, { $case: "takeSnapshot", value: {} });
    const answers = [await cluster.answerTo(leader, first), await cluster.answerTo(leader, second)];
    expect(answers.map(outcomeOf)).toEqual(["takeSnapshot", "takeSnapshot"]);
    await cluster.until(() => leader.store.snapshot?.index === applied(leader));
  });
});

describe("a follower that was away for long", () => {
  async function away(): Promise<{
    leader: Member;
    id: string;
    disk: MemoryLogStore;
    last: number;
  }> {
    cluster.snapshotLogBytes = 4 * MIB;
    const { leader: first, follower } = await ready();
    await caughtUp(follower, first);
    const disk = cluster.crash(follower);
    const last = disk.recovered.entries.length;
    let leader = first;
    while (leader.store.offset.index <= last) leader = await submitLarge(cluster, leader, 1);
    return { leader, id: follower.id, disk, last: leader.store.offset.index };
  }

  test("is caught up by a snapshot, while the others go on", async () => {
    const { leader, id, disk, last } = await away();
    const back = await cluster.revive(id, disk);
    let [isFetching, answered] = [true, 0];
    const load = async (): Promise<void> => {
      while (isFetching) {
        const answer = await cluster.answerTo(leader, cluster.propose(leader, submission()));
        if (submittedIds(answer) === null) throw new Error(`answered ${outcomeOf(answer)}`);
        answered += 1;
      }
    };
    const loading = load();
    await cluster.until(() => applied(back) > last);
    isFetching = false;
    await loading;
    await caughtUp(back, leader);
    expect(answered).toBeGreaterThan(0);
    expect(leader.leading.at(-1)).toBe(true);
    expect(back.store.snapshot?.bytes).toBeGreaterThan(MIB);
    const offers = cluster.sent.filter(({ message }) => message.kind === "install-snapshot");
    expect(offers.map(({ to }) => to)).toContain(id);
  });

  test("fetches it again when a byte was damaged on the way, and serves none of it", async () => {
    const { leader, id, disk, last } = await away();
    let damaged = 0;
    cluster.passes = ({ from, to, message }) => {
      if (message.kind !== "snapshot-chunk" || damaged > 0) return true;
      damaged += 1;
      const data = new Uint8Array(message.data);
      data[data.length >> 1] = (data[data.length >> 1] ?? 0) ^ 1;
      cluster.members.get(to)?.driver.received(from, { ...message, data });
      return false;
    };
    const back = await cluster.revive(id, disk);
    await cluster.until(() => applied(back) > last);
    await caughtUp(back, leader);
    expect(damaged).toBe(1);
    const beginnings = cluster.sent.filter(
      ({ message }) => message.kind === "snapshot-request" && message.offset === 0,
    );
    expect(beginnings.length).toBeGreaterThan(1);
  });

  test("goes on with the next leader's when the one that it fetched from is gone", async () => {
    const { leader, id, disk, last } = await away();
    const chunks = (): number =>
      cluster.sent.filter(({ to, message }) => to === id && message.kind === "snapshot-chunk")
        .length;
    const back = await cluster.revive(id, disk);
    await cluster.until(() => chunks() > 2);
    cluster.crash(leader);
    // It has not all yet, and the one node that is left needs its vote.
    const next = await cluster.leader();
    expect(next.id).not.toBe(id);
    await cluster.until(() => applied(back) > last);
    await caughtUp(back, next);
  });
});

describe("a blank node", () => {
  test("is fed a snapshot as a learner, and votes when it has caught up", async () => {
    const leader = await submitLarge(cluster, (await ready()).leader, 20);
    const joiner = cluster.startBlank("n4", "00000004");
    await cluster.untilHeard(leader, "n4");
    expect((await cluster.view(leader)).waitingNodeIds).toEqual(["n4"]);
    const callId = cluster.administer(leader, { $case: "addNode", value: { nodeIds: ["n4"] } });
    expect(outcomeOf(await cluster.answerTo(leader, callId))).toBe("addNode");
    await untilVoters(leader, [...NODES, joiner.id]);
    await caughtUp(joiner, leader);
    expect(joiner.store.snapshot?.bytes).toBeGreaterThan(MIB);
    expect((await cluster.view(leader)).waitingNodeIds).toEqual([]);

    // Two of the four are not enough any more: it counts.
    cluster.crash(leader);
    const [one] = [...cluster.members.values()].filter(({ id }) => id !== joiner.id);
    if (one === undefined) throw new Error("three are left");
    cluster.cut.add(one.id);
    const heard = cluster.sent.length + 20;
    await cluster.until(() => cluster.sent.length > heard);
    expect([...cluster.members.values()].some(({ driver }) => driver.status().isLeading)).toBe(
      false,
    );
    cluster.cut.clear();
    await cluster.leader();
  });
});

describe("a wiped disk under an old name", () => {
  test("is taken in by itself, as another member, and the old one never counts again", async () => {
    const { leader, follower, other } = await ready();
    const name = nameOf(follower.id);
    const old = cluster.crash(follower);
    const wiped = cluster.startBlank(name, "0000000f");
    const wanted = [leader.id, other.id, wiped.id].sort();
    await untilVoters(leader, wanted);
    await caughtUp(wiped, leader);
    // The old disk comes back beside it: whatever it says, the new one is what counts.
    cluster.start(follower.id, old);
    cluster.cut.add(other.id);
    await cluster.answerTo(leader, cluster.propose(leader, submission()));
    cluster.cut.add(wiped.id);
    await cluster.until(() => leader.leading.at(-1) === false);
    const heard = cluster.sent.length + 20;
    await cluster.until(() => cluster.sent.length > heard);
    expect([...cluster.members.values()].some(({ driver }) => driver.status().isLeading)).toBe(
      false,
    );
    cluster.cut.clear();
    const next = await cluster.leader(({ id }) => id !== follower.id);
    expect(voters(next)).toEqual(wanted);
  });

  test("is not taken in while the old disk answers: then the hello is an old one", async () => {
    const { leader, follower } = await ready();
    const stale = `${nameOf(follower.id)}#0000000e`;
    const founders = NODES.map(nameOf);
    const hello = { isFormed: false, mayFound: true, members: [], founding: [], founders };
    for (let count = 0; count < 20; count += 1) {
      leader.driver.hello(stale, hello);
      await cluster.answerTo(leader, cluster.propose(leader, submission()));
    }
    expect(voters(leader)).toEqual(NODES);
  });

  test("is taken in again when it is wiped once more before it could vote", async () => {
    const { leader, follower, other } = await ready();
    const name = nameOf(follower.id);
    cluster.crash(follower);
    cluster.passes = ({ message }) => message.kind !== "snapshot-chunk";
    const first = cluster.startBlank(name, "0000000a");
    await cluster.until(() => configuration(leader).learners.includes(first.id));
    cluster.crash(first);
    cluster.passes = () => true;
    const second = cluster.startBlank(name, "0000000b");
    await untilVoters(leader, [leader.id, other.id, second.id].sort());
    await caughtUp(second, leader);
  });
});

describe("the disk of a node", () => {
  test("that fails while a snapshot is written ends the node", async () => {
    const { leader } = await ready();
    const cause = new Error("ENOSPC");
    const callId = cluster.administer(leader, { $case: "takeSnapshot", value: {} });
    leader.store.fail(cause);
    expect(outcomeOf(await cluster.answerTo(leader, callId))).toBe("NOT_LEADER");
    expect(leader.fatal).toEqual([cause]);
  });
});
