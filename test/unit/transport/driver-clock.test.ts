// The driver on a machine whose wall clock is set while it leads.

import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import type { CommandBody } from "../../../ledger/command.ts";
import { getJob } from "../../../ledger/ledger.ts";
import {
  DriverCluster,
  type Member,
  REGISTRATION,
  submission,
  submittedIds,
} from "../../support/driver-cluster.ts";

const HOUR_MS = 3_600_000;
const LEASE_MS = 60_000;
let cluster: DriverCluster;
let leader: Member;
const now = Date.now;

function setClock(byMs: number): void {
  jest.spyOn(Date, "now").mockImplementation(() => now() + byMs);
}

beforeEach(async () => {
  cluster = new DriverCluster(["n1"]);
  leader = await cluster.startAll().leader();
  await cluster.answerTo(leader, cluster.propose(leader, REGISTRATION));
});

afterEach(() => {
  cluster.stop();
  jest.restoreAllMocks();
});

async function submitted(runAtMs: number): Promise<string> {
  const body = submission();
  if (body.kind !== "submit-jobs") throw new Error("a submission");
  const jobs = body.jobs.map((job) => ({ ...job, runAtMs }));
  const answer = await cluster.answerTo(leader, cluster.propose(leader, { ...body, jobs }));
  return submittedIds(answer)?.[0] ?? "";
}

function stateOf(jobId: string): string | undefined {
  return getJob(leader.driver.ledger, jobId)?.state;
}

test("a job falls due although the clock was set back by an hour", async () => {
  const jobId = await submitted(now() + 100);
  setClock(-HOUR_MS);
  await cluster.until(() => stateOf(jobId) === "queued");
});

test("a clock that is set forward by an hour ends no lease", async () => {
  const running = await submitted(0);
  const start = { kind: "start-attempt", jobId: running, worker: "w1", startId: "s" } as const;
  const body: CommandBody = { ...start, leaseMs: LEASE_MS };
  await cluster.answerTo(leader, cluster.propose(leader, body));
  expect(stateOf(running)).toBe("running");
  const due = await submitted(now() + HOUR_MS / 2);
  setClock(HOUR_MS);
  await cluster.until(() => stateOf(due) === "queued");
  expect(stateOf(running)).toBe("running");
});
