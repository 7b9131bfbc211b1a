// Reads that a follower serves: what it may say, and what becomes of them when leaders change.

import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";
import type { Answer } from "../../../protos/gen/node/v1/exchange.ts";
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
let cluster: DriverCluster;

beforeEach(() => {
  cluster = new DriverCluster(NODES);
});

afterEach(() => {
  cluster.stop();
});

async function follows(member: Member, leader: Member): Promise<void> {
  await cluster.until(() => member.driver.status().leader === nameOf(leader.id));
}

async function ready(): Promise<{ leader: Member; follower: Member; other: Member }> {
  const leader = await cluster.startAll().leader();
  await cluster.answerTo(leader, cluster.propose(leader, REGISTRATION));
  const [follower, other] = [...cluster.members.values()].filter((one) => one !== leader);
  if (follower === undefined || other === undefined) throw new Error("three nodes");
  await follows(follower, leader);
  await follows(other, leader);
  return { leader, follower, other };
}

async function submitted(leader: Member): Promise<string> {
  const answer = await cluster.answerTo(leader, cluster.propose(leader, submission()));
  const [id] = submittedIds(answer) ?? [];
  if (id === undefined) throw new Error(`answered ${outcomeOf(answer)}`);
  return id;
}

function ask(member: Member, ...jobIds: string[]): number {
  return cluster.read(member, { read: { $case: "jobs", value: { jobIds } } });
}

function jobsIn(answer: Answer["answer"]): string[] {
  if (answer?.$case !== "read") throw new Error(`answered ${outcomeOf(answer)}`);
  return answer.value.jobs.map(({ id }) => id);
}

/** Appends to this one are held back from now on. */
function lag(member: Member): void {
  cluster.passes = ({ to, message }) =>
    !(to === member.id && message.kind === "append-entries" && message.entries.length > 0);
}

describe("a follower", () => {
  test("shows what the leader has answered, also when it has not got it yet itself", async () => {
    const { leader, follower } = await ready();
    lag(follower);
    const jobId = await submitted(leader);
    const callId = ask(follower, jobId);
    const isConfirmed = (): boolean =>
      cluster.sent.some(
        ({ to, message }) => to === follower.id && message.kind === "read-index-result",
      );
    await cluster.until(isConfirmed);
    const beats = cluster.sent.length + 20;
    await cluster.until(() => cluster.sent.length > beats);
    expect(follower.answers.has(callId)).toBe(false);
    cluster.passes = () => true;
    expect(jobsIn(await cluster.answerTo(follower, callId))).toEqual([jobId]);
  });

  test("leaves the cluster, the log and all that changes something to its leader", async () => {
    const { leader, follower } = await ready();
    const calls = [
      cluster.read(follower),
      cluster.read(follower, { read: { $case: "log", value: { fromIndex: 0, entriesMax: 1 } } }),
      cluster.propose(follower, submission()),
    ];
    for (const callId of calls) {
      expect(await cluster.answerTo(follower, callId)).toEqual({
        $case: "refused",
        value: { reason: 1, leaderId: nameOf(leader.id) },
      });
    }
  });

  test("that hears no leader says so at once", async () => {
    const { follower } = await ready();
    cluster.cut.add(follower.id);
    await cluster.until(() => follower.driver.status().leader === null);
    expect(outcomeOf(await cluster.answerTo(follower, ask(follower, "j")))).toBe("NOT_LEADER");
  });

  test("whose leader is gone leaves no reader waiting", async () => {
    const { leader, follower } = await ready();
    cluster.passes = ({ message }) => message.kind !== "read-index";
    const lost = ask(follower, "j");
    expect(outcomeOf(await cluster.answerTo(follower, lost))).toBe("NOT_LEADER");
    cluster.passes = () => true;
    cluster.cut.add(leader.id);
    const cutOff = ask(follower, "j");
    expect(outcomeOf(await cluster.answerTo(follower, cutOff))).toBe("NOT_LEADER");
  });

  test("that becomes the leader refuses what it had asked of the last one, and reads for itself", async () => {
    const { leader, follower } = await ready();
    const jobId = await submitted(leader);
    cluster.passes = ({ message }) => message.kind !== "read-index-result";
    const asked = ask(follower, jobId);
    const handed = cluster.administer(leader, {
      $case: "transferLeadership",
      value: { nodeId: nameOf(follower.id) },
    });
    await cluster.answerTo(leader, handed);
    expect(outcomeOf(await cluster.answerTo(follower, asked))).toBe("NOT_LEADER");
    expect(jobsIn(await cluster.answerTo(follower, ask(follower, jobId)))).toEqual([jobId]);
    // And the one before reads as a follower, with the others' confirmation.
    cluster.passes = () => true;
    await follows(leader, follower);
    expect(jobsIn(await cluster.answerTo(leader, ask(leader, jobId)))).toEqual([jobId]);
  });

  test("keeps a read that was confirmed until it has applied as much, whoever leads by then", async () => {
    const { leader, follower, other } = await ready();
    lag(follower);
    const jobId = await submitted(leader);
    const callId = ask(follower, jobId);
    const results = (): number =>
      cluster.sent.filter(({ message }) => message.kind === "read-index-result").length;
    await cluster.until(() => results() > 0);
    const beats = cluster.sent.length + 4;
    await cluster.until(() => cluster.sent.length > beats);
    cluster.crash(leader);
    cluster.passes = () => true;
    expect(jobsIn(await cluster.answerTo(follower, callId))).toEqual([jobId]);
    expect((await cluster.leader()).id).toBe(other.id);
  });

  test("that stops refuses what is open, and what comes after", async () => {
    const { leader, follower } = await ready();
    lag(follower);
    const jobId = await submitted(leader);
    const open = ask(follower, jobId);
    await cluster.until(() => cluster.sent.some(({ message }) => message.kind === "read-index"));
    follower.driver.stop();
    for (const callId of [open, ask(follower, jobId)]) {
      expect(outcomeOf(await cluster.answerTo(follower, callId))).toBe("NOT_LEADER");
    }
  });
});
