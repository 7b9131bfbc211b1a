// The driver with the real core and ledger: what clients are told when leaders change, disks stand
// still or fail, and nodes come back.

import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { counts, getJob, hash } from "../../../ledger/ledger.ts";
import { type Answer, Refused_Reason } from "../../../protos/gen/node/v1/exchange.ts";
import { encodeCommand } from "../../../transport/command-codec.ts";
import { BATCH_JOBS_MAX, PAYLOAD_BYTES_MAX } from "../../../transport/limit.ts";
import {
  DriverCluster,
  type Member,
  REGISTRATION,
  submission,
  submittedIds,
} from "../../support/driver-cluster.ts";
import { entry } from "../../support/log-entry.ts";

const NODES = ["n1", "n2", "n3"];
let cluster: DriverCluster;

beforeEach(() => {
  cluster = new DriverCluster(NODES);
});

afterEach(() => {
  cluster.stop();
});

function reasonOf(answer: Answer["answer"]): Refused_Reason | null {
  return answer?.$case === "refused" ? answer.value.reason : null;
}

/** A cluster whose leader knows the kind of the jobs to come. */
async function ready(): Promise<{ leader: Member; followers: Member[] }> {
  const leader = await cluster.startAll().leader();
  await cluster.answerTo(leader, cluster.propose(leader, REGISTRATION));
  const followers = [...cluster.members.values()].filter((member) => member !== leader);
  return { leader, followers };
}

function applied({ driver }: Member): number {
  return driver.status().lastApplied;
}

describe("a leader that changes", () => {
  test("leaves open proposals unknown, and its entries take no effect when overwritten", async () => {
    const { leader } = await ready();
    cluster.cut.add(leader.id);
    const lost = cluster.propose(leader, submission());
    const next = await cluster.leader(({ id }) => id !== leader.id);
    const kept = submittedIds(await cluster.answerTo(next, cluster.propose(next, submission())));
    const outcome = await cluster.answerTo(leader, lost);
    expect(reasonOf(outcome)).toBe(Refused_Reason.REASON_OUTCOME_UNKNOWN);
    expect(leader.announced.at(-1)).toBe(0);
    expect(leader.leading).toEqual([true, false]);

    cluster.cut.clear();
    await cluster.until(() => applied(leader) === applied(next));
    expect(counts(leader.driver.ledger).accepted).toBe(1);
    expect(getJob(leader.driver.ledger, kept?.[0] ?? "")).toBeDefined();
    expect(hash(leader.driver.ledger)).toBe(hash(next.driver.ledger));
  });

  test("announces each term that it leads, after all before is applied", async () => {
    const { leader } = await ready();
    const { term } = leader.driver.status();
    expect(leader.announced).toEqual([term]);
    cluster.cut.add(leader.id);
    const next = await cluster.leader(({ id }) => id !== leader.id);
    expect(next.announced).toEqual([next.driver.status().term]);
    expect(next.driver.status().term).toBeGreaterThan(term);
    expect(counts(next.driver.ledger)).toEqual(counts(leader.driver.ledger));
  });

  test("answers no read that it cannot confirm any more", async () => {
    const { leader } = await ready();
    cluster.cut.add(leader.id);
    const stale = cluster.read(leader);
    const next = await cluster.leader(({ id }) => id !== leader.id);
    const fresh = cluster.read(next);
    expect(await cluster.answerTo(next, fresh)).toMatchObject({ $case: "read" });
    const refused = reasonOf(await cluster.answerTo(leader, stale));
    expect(refused).toBe(Refused_Reason.REASON_NOT_LEADER);
  });

  test("gives a read what was answered before it was asked", async () => {
    const { leader } = await ready();
    const submitted = await cluster.answerTo(leader, cluster.propose(leader, submission(3)));
    const jobIds = [...(submittedIds(submitted) ?? [])];
    cluster.crash(leader);
    const next = await cluster.leader();
    const read = cluster.read(next, { read: { $case: "jobs", value: { jobIds } } });
    const answer = await cluster.answerTo(next, read);
    if (answer?.$case !== "read") throw new Error(`answered ${answer?.$case}`);
    expect(answer.value.jobs.map(({ id }) => id)).toEqual(jobIds);
  });

  test("is not asked by those who follow: they name it instead", async () => {
    const { leader, followers } = await ready();
    const [follower] = followers;
    if (follower === undefined) throw new Error("three nodes");
    await cluster.until(() => follower.driver.status().leader === leader.id);
    const answer = await cluster.answerTo(follower, cluster.propose(follower, submission()));
    expect(answer).toEqual({
      $case: "refused",
      value: { reason: Refused_Reason.REASON_NOT_LEADER, leaderId: leader.id },
    });
  });
});

describe("a disk that stands still", () => {
  test("at a majority of followers keeps a proposal from being answered, until it moves", async () => {
    const { leader, followers } = await ready();
    for (const { store } of followers) store.hold();
    const callId = cluster.propose(leader, submission());
    await cluster.until(() => followers.every(({ store }) => store.waitingCount > 0));
    const heartbeats = cluster.sent.length + 40;
    await cluster.until(() => cluster.sent.length > heartbeats);
    expect(leader.answers.has(callId)).toBe(false);
    for (const { store } of followers) store.release();
    expect(submittedIds(await cluster.answerTo(leader, callId))).toHaveLength(1);
  });

  test("at the leader alone does not keep the others from committing", async () => {
    const { leader } = await ready();
    leader.store.hold();
    const answer = await cluster.answerTo(leader, cluster.propose(leader, submission()));
    expect(submittedIds(answer)).toHaveLength(1);
    expect(leader.store.waitingCount).toBeGreaterThan(0);
  });

  test("at a voter keeps its vote back: what is said is on the disk", async () => {
    for (const id of NODES) {
      const store = cluster.foundersDisk();
      store.hold();
      cluster.start(id, store);
    }
    const [first] = cluster.members.values();
    const isVote = ({ message }: (typeof cluster.sent)[number]): boolean =>
      (message.kind === "request-vote" || message.kind === "request-vote-result") &&
      !message.preVote;
    await cluster.until(() => [...cluster.members.values()].some((m) => m.store.waitingCount > 0));
    const later = (first?.driver.status().term ?? 0) + cluster.sent.length;
    expect(later).toBeGreaterThan(0);
    expect(cluster.sent.filter(isVote)).toEqual([]);
    for (const { store } of cluster.members.values()) store.release();
    const leader = await cluster.leader();
    expect(leader.store.hardState.votedFor).toBe(leader.id);
  });

  test("sends nothing that waited for it once the node has stopped", async () => {
    const { leader, followers } = await ready();
    const [follower] = followers;
    if (follower === undefined) throw new Error("three nodes");
    follower.store.hold();
    cluster.propose(leader, submission());
    await cluster.until(() => follower.store.waitingCount > 0);
    follower.driver.stop();
    const said = (): number => cluster.sent.filter(({ from }) => from === follower.id).length;
    const before = said();
    follower.store.release();
    const later = cluster.sent.length + 10;
    await cluster.until(() => cluster.sent.length > later);
    expect(said()).toBe(before);
  });
});

describe("a disk that fails", () => {
  test("stops a leader for good, once, with open proposals unknown", async () => {
    const { leader } = await ready();
    leader.store.hold();
    for (const { id } of cluster.members.values()) if (id !== leader.id) cluster.cut.add(id);
    const callId = cluster.propose(leader, submission());
    await cluster.until(() => leader.store.waitingCount > 0);
    const cause = new Error("EIO");
    leader.store.fail(cause);
    const outcome = await cluster.answerTo(leader, callId);
    expect(reasonOf(outcome)).toBe(Refused_Reason.REASON_OUTCOME_UNKNOWN);
    await cluster.until(() => leader.fatal.length > 0);
    expect(leader.fatal).toEqual([cause]);
    expect(leader.announced.at(-1)).toBe(0);

    cluster.cut.clear();
    await cluster.leader(({ id }) => id !== leader.id);
    expect(leader.fatal).toEqual([cause]);
  });

  test("keeps a follower from acknowledging what it could not write", async () => {
    const { leader, followers } = await ready();
    const [follower] = followers;
    if (follower === undefined) throw new Error("three nodes");
    follower.store.hold();
    const answer = await cluster.answerTo(leader, cluster.propose(leader, submission()));
    expect(submittedIds(answer)).toHaveLength(1);
    await cluster.until(() => follower.store.waitingCount > 0);
    const written = follower.store.entries.length;
    follower.store.fail(new Error("EIO"));
    await cluster.until(() => follower.fatal.length > 0);
    for (const { from, message } of cluster.sent) {
      if (from !== follower.id || message.kind !== "append-entries-result") continue;
      expect(message.matchIndex).toBeLessThanOrEqual(written);
    }
  });
});

describe("a restart", () => {
  test("of the whole cluster keeps every answered job, and nothing twice", async () => {
    const { leader } = await ready();
    const calls = Array.from({ length: 50 }, () => cluster.propose(leader, submission(2)));
    const ids = new Set<string>();
    for (const callId of calls) {
      for (const id of submittedIds(await cluster.answerTo(leader, callId)) ?? []) ids.add(id);
    }
    expect(ids.size).toBe(100);
    const stores = [...cluster.members.values()].map((member) => {
      return [member.id, cluster.crash(member)] as const;
    });
    for (const [id, store] of stores) cluster.start(id, store);
    const next = await cluster.leader();
    expect(counts(next.driver.ledger).accepted).toBe(100);
    for (const id of ids) expect(getJob(next.driver.ledger, id)).toBeDefined();
  });

  test("of a follower that lost what was not durable catches up", async () => {
    const { leader, followers } = await ready();
    const [follower] = followers;
    if (follower === undefined) throw new Error("three nodes");
    follower.store.hold();
    for (let count = 0; count < 10; count += 1) {
      await cluster.answerTo(leader, cluster.propose(leader, submission()));
    }
    const store = cluster.crash(follower);
    expect(store.recovered.entries.length).toBeLessThan(leader.store.entries.length);
    const back = cluster.start(follower.id, store);
    await cluster.until(() => applied(back) === applied(leader));
    expect(hash(back.driver.ledger)).toBe(hash(leader.driver.ledger));
  });
});

describe("what is applied", () => {
  test("is told entry by entry: an event shows the job as that entry left it", async () => {
    cluster = new DriverCluster(["n1"]);
    const { leader } = await ready();
    const [jobId = ""] =
      submittedIds(await cluster.answerTo(leader, cluster.propose(leader, submission()))) ?? [];
    const token = applied(leader) + 1;
    const worker = "w1";
    leader.store.hold();
    const start = { kind: "start-attempt", jobId, worker, leaseMs: 60_000 } as const;
    cluster.propose(leader, { ...start, startId: "a" });
    const handedBack = { outcome: "handed-back", result: null, error: null } as const;
    cluster.propose(leader, { kind: "finish-attempt", jobId, token, worker, ...handedBack });
    const last = cluster.propose(leader, { ...start, startId: "b" });
    await cluster.until(() => leader.store.waitingCount > 0);
    leader.store.release();
    expect(await cluster.answerTo(leader, last)).toMatchObject({ $case: "applied" });
    await cluster.until(() => leader.events.length >= 4);
    expect(leader.events.map(({ event, attempt }) => [event, attempt])).toEqual([
      ["queued", 0],
      ["running", 1],
      ["queued", 1],
      ["running", 2],
    ]);
  });

  test("may be far more jobs that fall due at once than one entry lets in", async () => {
    const dueMs = Date.now() + 500;
    const random = 0;
    const bodies = [REGISTRATION, ...Array.from({ length: 130 }, () => submission(1_000, dueMs))];
    const entries = bodies.map((body, position) => ({
      ...entry(position + 1, 1),
      data: encodeCommand({ timeMs: dueMs - 500, random, body }),
    }));
    cluster = new DriverCluster(["n1"]);
    const hardState = { currentTerm: 1, votedFor: "n1" };
    const { driver } = cluster.start("n1", cluster.foundersDisk({ hardState, entries }));
    await cluster.until(() => counts(driver.ledger).queued === 130_000);
  }, 30_000);
});

test("a command that no message could carry to the others is refused", async () => {
  const { leader } = await ready();
  const payload = Buffer.from(JSON.stringify("x".repeat(PAYLOAD_BYTES_MAX - 2)), "utf8");
  const count = 40;
  expect(count).toBeLessThan(BATCH_JOBS_MAX);
  const callId = cluster.propose(leader, submission(count, 0, payload));
  const refused = reasonOf(await cluster.answerTo(leader, callId));
  expect(refused).toBe(Refused_Reason.REASON_MALFORMED);
});
