// Finished jobs are forgotten on every node alike, by whoever leads, also by its successor and by
// a node that comes back from a snapshot.

import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { hash } from "../../../ledger/ledger.ts";
import type { Retention } from "../../../transport/retention-keeper.ts";
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
const KEPT = 2;
/** Beyond so many at once, since nothing here takes a minute. */
const RETENTION: Retention = { ageMs: 1e12, jobsMax: KEPT, spareMs: -1_000, keyMs: 1e9 };
let cluster: DriverCluster;

beforeEach(() => {
  cluster = new DriverCluster(NODES);
  cluster.retention = RETENTION;
});

afterEach(() => {
  cluster.stop();
});

async function cancelled(leader: Member, idempotencyKey: string): Promise<string> {
  const body = submission();
  if (body.kind !== "submit-jobs") throw new Error("a submission submits");
  const jobs = body.jobs.map((job) => ({ ...job, idempotencyKey }));
  const answer = await cluster.answerTo(leader, cluster.propose(leader, { ...body, jobs }));
  const [jobId] = submittedIds(answer) ?? [];
  if (jobId === undefined) throw new Error(`answered ${outcomeOf(answer)}`);
  const cancel = cluster.propose(leader, { kind: "cancel-job", jobId, reason: "" });
  await cluster.answerTo(leader, cancel);
  return jobId;
}

/** Resolves when all have forgotten so many, and nothing is under way. */
async function allForgot(count: number): Promise<void> {
  const members = () => [...cluster.members.values()];
  await cluster.until(() => {
    const applied = new Set(members().map(({ driver }) => driver.status().lastApplied));
    const isAll = members().every(({ driver }) => driver.ledger.counters.forgotten === count);
    return isAll && applied.size === 1;
  });
  expect(new Set(members().map(({ driver }) => hash(driver.ledger))).size).toBe(1);
}

test("beyond so many, the first go; their keys stay; the next leader goes on", async () => {
  const leader = await cluster.startAll().leader();
  await cluster.answerTo(leader, cluster.propose(leader, REGISTRATION));
  const ids: string[] = [];
  for (const key of ["a", "b", "c", "d"]) ids.push(await cancelled(leader, key));
  await allForgot(ids.length - KEPT);
  expect([...leader.driver.ledger.jobs].map(({ id }) => id)).toEqual(ids.slice(-KEPT));
  const disk = cluster.crash(leader);
  const next = await cluster.leader((one) => one !== leader);
  // The first one's key is known, though its job is not; there is nothing left to cancel.
  expect(await cancelled(next, "a")).toBe(ids[0]);
  ids.push(await cancelled(next, "e"));
  await allForgot(ids.length - KEPT);
  await cluster.revive(leader.id, disk);
  await allForgot(ids.length - KEPT);
});
