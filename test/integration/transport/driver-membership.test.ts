// What operators ask of a cluster of drivers: each call is answered once, with what is true.

import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";
import type { Answer } from "../../../protos/gen/node/v1/exchange.ts";
import { type Configuration, decodeConfiguration } from "../../../raft/configuration.ts";
import { EntryKind } from "../../../raft/message.ts";
import { nameOf } from "../../../transport/member-id.ts";
import {
  DriverCluster,
  type Member,
  REGISTRATION,
  submission,
  submittedIds,
} from "../../support/driver-cluster.ts";
import { outcomeOf } from "../../support/driver-load.ts";

jest.setTimeout(30_000);

const NODES = ["n1#00000001", "n2#00000002", "n3#00000003"];
const NAMES = NODES.map(nameOf);
let cluster: DriverCluster;

beforeEach(() => {
  cluster = new DriverCluster(NODES);
});

afterEach(() => {
  cluster.stop();
});

async function ready(): Promise<{ leader: Member; follower: Member; other: Member }> {
  const leader = await cluster.startAll().leader();
  await cluster.answerTo(leader, cluster.propose(leader, REGISTRATION));
  const [follower, other] = [...cluster.members.values()].filter((one) => one !== leader);
  if (follower === undefined || other === undefined) throw new Error("three nodes");
  await cluster.until(() => follower.driver.status().leader === nameOf(leader.id));
  await cluster.until(() => other.driver.status().leader === nameOf(leader.id));
  return { leader, follower, other };
}

const add = (member: Member, ...nodeIds: string[]): number =>
  cluster.administer(member, { $case: "addNode", value: { nodeIds } });

const remove = (member: Member, ...nodeIds: string[]): number =>
  cluster.administer(member, { $case: "removeNode", value: { nodeIds } });

const transfer = (member: Member, nodeId = ""): number =>
  cluster.administer(member, { $case: "transferLeadership", value: { nodeId } });

async function outcome(member: Member, callId: number): Promise<string> {
  return outcomeOf(await cluster.answerTo(member, callId));
}

/** Of the node that a refusal is about, or that leads now. */
function nodeIn(answer: Answer["answer"]): string | null {
  if (answer?.$case !== "administered") return null;
  const { outcome: what } = answer.value;
  if (what?.$case === "refused") return what.value.nodeId;
  return what?.$case === "transferLeadership" ? what.value.leaderId : null;
}

function configurations({ store }: Member): Configuration[] {
  return store.entries
    .filter(({ kind }) => kind === EntryKind.Configuration)
    .map(({ data }) => decodeConfiguration(data))
    .filter((one) => one !== null);
}

async function commits(leader: Member): Promise<boolean> {
  const answer = await cluster.answerTo(leader, cluster.propose(leader, submission()));
  return submittedIds(answer) !== null;
}

/** How often a follower has said that it would like to lead, unasked. */
function campaigns(): number {
  return cluster.sent.filter(({ message }) => message.kind === "request-vote" && !message.transfer)
    .length;
}

describe("an addition", () => {
  test("of several that wait is one change, and they vote in the end", async () => {
    const { leader } = await ready();
    const joiners = [
      cluster.startBlank("n4", "00000004"),
      cluster.startBlank("n5", "00000005"),
    ].map(({ id }) => id);
    await cluster.untilHeard(leader, "n4");
    await cluster.untilHeard(leader, "n5");
    expect((await cluster.view(leader)).waitingNodeIds).toEqual(["n4", "n5"]);
    expect(await outcome(leader, add(leader, "n4", "n5"))).toBe("addNode");
    expect(configurations(leader)[0]).toEqual({ voters: NODES, outgoing: [], learners: joiners });
    await cluster.until(() => {
      const last = configurations(leader).at(-1);
      return last?.outgoing.length === 0 && last.voters.length === 5;
    });
    expect(await commits(leader)).toBe(true);
  });

  test("of a name that nobody has, or that a member has, is refused with the name", async () => {
    const { leader } = await ready();
    const unknown = await cluster.answerTo(leader, add(leader, "n9"));
    expect([outcomeOf(unknown), nodeIn(unknown)]).toEqual(["NODE_UNKNOWN", "n9"]);
    const member = await cluster.answerTo(leader, add(leader, "n9", "n2"));
    expect([outcomeOf(member), nodeIn(member)]).toEqual(["NODE_UNFIT", "n2"]);
    expect(configurations(leader)).toEqual([]);
  });

  test("of one that has stopped saying hello is refused: it has gone", async () => {
    const { leader } = await ready();
    const joiner = cluster.startBlank("n4", "00000004");
    await cluster.untilHeard(leader, "n4");
    cluster.crash(joiner);
    const laterMs = performance.now() + 3_001;
    // Only what the calls themselves look at: the core's own time would depose the leader.
    const clock = jest.spyOn(performance, "now").mockReturnValue(laterMs);
    const callId = add(leader, "n4");
    clock.mockRestore();
    expect(await outcome(leader, callId)).toBe("NODE_UNKNOWN");
  });
});

describe("a removal", () => {
  test("of a follower is done, and those who are left go on without it", async () => {
    const { leader, follower, other } = await ready();
    expect(await outcome(leader, remove(leader, nameOf(follower.id)))).toBe("removeNode");
    expect(configurations(leader).at(-1)?.voters).toEqual(NODES.filter((id) => id !== follower.id));
    cluster.crash(follower);
    expect(await commits(leader)).toBe(true);
    // Two of two: who was removed does not stand in for one of them.
    other.store.hold();
    const callId = cluster.propose(leader, submission());
    await cluster.until(() => other.store.waitingCount > 0);
    expect(leader.answers.has(callId)).toBe(false);
    other.store.release();
    await cluster.answerTo(leader, callId);
  });

  test("of the leader is done, not unknown, and another one leads", async () => {
    const { leader } = await ready();
    expect(await outcome(leader, remove(leader, nameOf(leader.id)))).toBe("removeNode");
    const next = await cluster.leader(({ id }) => id !== leader.id);
    expect(leader.leading).toEqual([true, false]);
    expect(configurations(next)[0]?.voters).toEqual(NODES.filter((id) => id !== leader.id));
    expect(await commits(next)).toBe(true);
  });

  test("of a removed node that is started again troubles nobody", async () => {
    const { leader, follower } = await ready();
    await cluster.answerTo(leader, remove(leader, nameOf(follower.id)));
    await cluster.until(() => configurations(follower).length > 0);
    const disk = cluster.crash(follower);
    const before = leader.driver.status().term;
    const back = await cluster.revive(follower.id, disk);
    for (let count = 0; count < 20; count += 1) expect(await commits(leader)).toBe(true);
    expect(leader.driver.status().term).toBe(before);
    expect(back.driver.status()).toMatchObject({ role: "follower", isLeading: false });
    // Its disk has a history: only an empty one is taken in.
    expect(await outcome(leader, add(leader, nameOf(follower.id)))).toBe("NODE_UNKNOWN");
  });

  test("of a stranger, or of all voters, is refused", async () => {
    const { leader } = await ready();
    const stranger = await cluster.answerTo(leader, remove(leader, "n1", "n9"));
    expect([outcomeOf(stranger), nodeIn(stranger)]).toEqual(["NODE_UNKNOWN", "n9"]);
    expect(await outcome(leader, remove(leader, ...NAMES))).toBe("NODE_UNFIT");
    expect(configurations(leader)).toEqual([]);
  });

  test("while another one is not over is refused as busy", async () => {
    const { leader, follower, other } = await ready();
    for (const { store } of [follower, other]) store.hold();
    const first = remove(leader, nameOf(follower.id));
    const second = remove(leader, nameOf(other.id));
    expect(await outcome(leader, second)).toBe("BUSY");
    expect(leader.answers.has(first)).toBe(false);
    for (const { store } of [follower, other]) store.release();
    expect(await outcome(leader, first)).toBe("removeNode");
  });

  test("that was in the log of a deposed leader is unknown", async () => {
    const { leader, follower } = await ready();
    cluster.cut.add(leader.id);
    const callId = remove(leader, nameOf(follower.id));
    await cluster.until(() => configurations(leader).length > 0);
    expect(await outcome(leader, callId)).toBe("OUTCOME_UNKNOWN");
    const next = await cluster.leader(({ id }) => id !== leader.id);
    cluster.cut.clear();
    await cluster.until(() => leader.driver.status().leader === nameOf(next.id));
    await cluster.until(() => configurations(leader).length === 0);
  });
});

describe("a transfer", () => {
  test("to a voter by name ends when that one leads", async () => {
    const { leader, follower } = await ready();
    const before = campaigns();
    const answer = await cluster.answerTo(leader, transfer(leader, nameOf(follower.id)));
    expect([outcomeOf(answer), nodeIn(answer)]).toEqual([
      "transferLeadership",
      nameOf(follower.id),
    ]);
    expect((await cluster.leader()).id).toBe(follower.id);
    expect(campaigns()).toBe(before);
  });

  test("to nobody by name ends when another one leads", async () => {
    const { leader } = await ready();
    const answer = await cluster.answerTo(leader, transfer(leader));
    const next = await cluster.leader(({ id }) => id !== leader.id);
    expect(nodeIn(answer)).toBe(nameOf(next.id));
  });

  test("to the leader itself is done already, to a stranger refused", async () => {
    const { leader } = await ready();
    const own = await cluster.answerTo(leader, transfer(leader, nameOf(leader.id)));
    expect(nodeIn(own)).toBe(nameOf(leader.id));
    const stranger = await cluster.answerTo(leader, transfer(leader, "n9"));
    expect([outcomeOf(stranger), nodeIn(stranger)]).toEqual(["NODE_UNKNOWN", "n9"]);
    expect(leader.leading).toEqual([true]);
  });

  test("to one that does not take over is aborted: the leader leads, and takes calls again", async () => {
    const { leader, follower } = await ready();
    cluster.passes = ({ message }) => message.kind !== "timeout-now";
    const callId = transfer(leader, nameOf(follower.id));
    const during = [
      remove(leader, nameOf(follower.id)),
      cluster.administer(leader, { $case: "verifyLedger", value: {} }),
      transfer(leader),
    ];
    for (const one of during) expect(await outcome(leader, one)).toBe("BUSY");
    const proposal = cluster.propose(leader, submission());
    expect(await outcome(leader, proposal)).toBe("NOT_LEADER");
    expect(await outcome(leader, callId)).toBe("TRANSFER_ABORTED");
    expect(await commits(leader)).toBe(true);
  });

  test("whose heir loses to the old leader is answered: it still leads", async () => {
    const { leader, follower, other } = await ready();
    cluster.passes = ({ from, to, message }) => {
      // The heir gets no vote, and the third one does not campaign.
      if (to === follower.id && message.kind === "request-vote-result") return false;
      if (from === follower.id && message.kind === "request-vote" && to === other.id) return false;
      return !(from === other.id && message.kind === "request-vote");
    };
    const callId = transfer(leader, nameOf(follower.id));
    await cluster.until(() => leader.leading.at(-1) === false);
    cluster.cut.add(follower.id);
    await cluster.leader(({ id }) => id === leader.id);
    expect(await outcome(leader, callId)).toBe("TRANSFER_ABORTED");
  });

  test("after which nobody leads for long is unknown", async () => {
    const { leader, follower, other } = await ready();
    cluster.passes = ({ message }) => message.kind !== "request-vote-result";
    const callId = transfer(leader, nameOf(follower.id));
    await cluster.until(() => leader.leading.at(-1) === false);
    cluster.cut.add(follower.id).add(other.id);
    expect(await outcome(leader, callId)).toBe("OUTCOME_UNKNOWN");
  });
});

describe("a wish that is put to", () => {
  test("a follower is refused with the leader's name, and nothing is done", async () => {
    const { leader, follower, other } = await ready();
    const wishes = [remove(follower, nameOf(other.id)), transfer(follower), add(follower, "n9")];
    for (const callId of wishes) {
      expect(await cluster.answerTo(follower, callId)).toMatchObject({
        $case: "refused",
        value: { reason: 1, leaderId: nameOf(leader.id) },
      });
    }
  });

  test("a node that stops is answered with what is known of it", async () => {
    const { leader, follower, other } = await ready();
    for (const { store } of [follower, other]) store.hold();
    const change = remove(leader, nameOf(follower.id));
    await cluster.until(() => configurations(leader).length > 0);
    const handing = transfer(leader, nameOf(other.id));
    const verifying = cluster.administer(leader, { $case: "verifyLedger", value: {} });
    const snapshot = cluster.administer(leader, { $case: "takeSnapshot", value: {} });
    leader.driver.stop();
    const after = [remove(leader, "n9"), cluster.propose(leader, submission())];
    expect(await outcome(leader, change)).toBe("OUTCOME_UNKNOWN");
    expect(await outcome(leader, handing)).toBe("OUTCOME_UNKNOWN");
    for (const callId of [verifying, snapshot, ...after]) {
      expect(await outcome(leader, callId)).toBe("NOT_LEADER");
    }
  });
});

describe("a node that hands over before it stops", () => {
  test("has another one lead without an election timeout", async () => {
    const { leader } = await ready();
    const before = campaigns();
    await leader.driver.handOver();
    const { role, leader: next } = leader.driver.status();
    expect(role).toBe("follower");
    expect(NAMES.filter((name) => name !== nameOf(leader.id))).toContain(next);
    leader.driver.stop();
    expect(await commits(await cluster.leader())).toBe(true);
    expect(campaigns()).toBe(before);
  });

  test("waits for nothing if it follows, is alone or has stopped", async () => {
    const { follower } = await ready();
    await follower.driver.handOver();
    follower.driver.stop();
    await follower.driver.handOver();
    const alone = new DriverCluster(["n1#00000001"]);
    const sole = await alone.startAll().leader();
    await sole.driver.handOver();
    expect(sole.driver.status().isLeading).toBe(true);
    alone.stop();
  });

  test("waits no longer than an election timeout for one that does not take over", async () => {
    const { leader } = await ready();
    cluster.passes = ({ message }) => message.kind !== "timeout-now";
    await leader.driver.handOver();
    expect(leader.driver.status().isLeading).toBe(true);
  });

  test("does not wait for the others when they are gone as well", async () => {
    // Longer than the test may take; new founders do not wait for it.
    cluster.timing = {
      electionTimeoutMinMs: 60_000,
      electionTimeoutMaxMs: 120_000,
      heartbeatIntervalMs: 20,
    };
    for (const id of NODES) cluster.startBlank(nameOf(id), id.slice(-8));
    const leader = await cluster.leader();
    for (const member of [...cluster.members.values()]) {
      if (member !== leader) cluster.crash(member);
    }
    await leader.driver.handOver();
    expect(leader.driver.status().isLeading).toBe(true);
  });

  test("waits for what an operator's transfer comes to", async () => {
    const { leader, follower } = await ready();
    const callId = transfer(leader, nameOf(follower.id));
    await leader.driver.handOver();
    expect(leader.driver.status().leader).toBe(nameOf(follower.id));
    expect(await outcome(leader, callId)).toBe("transferLeadership");
  });
});
