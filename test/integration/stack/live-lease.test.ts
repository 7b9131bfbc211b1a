// Attempts that are alive although their worker's event loop is blocked, or the quorum's leader and
// the gateway are gone: real processes, RabbitMQ and Redis.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { beforeAll, describe, expect, jest, test } from "@jest/globals";
import { AttemptOutcome, type Job, JobState } from "../../../protos/gen/quorumq/v1/job.ts";
import { connectJobs, type JobsConnection } from "../../../transport/grpc/client.ts";
import { leaderOf } from "../../chaos/cluster.ts";
import { temporaryFolder } from "../../support/folder.ts";
import { jobSpec } from "../../support/job-spec.ts";
import type { Mark } from "../../support/marking-jobs.ts";
import { untilMarked } from "../../support/marks.ts";
import { LocalStack } from "../../support/stack.ts";
import { atEnd } from "../../support/teardown.ts";

jest.setTimeout(120_000);

const LEASE_MS = 2_000;
const BLOCKED_MS_MAX = 7_000;
const PATIENT = { timeoutMs: 60_000 };
const LOOK_MS = 50;

interface Blocked {
  readonly jobId: string;
  readonly file: string;
  readonly first: Mark;
}

let stack: LocalStack;
let connection: JobsConnection;
let marksDir: string;
let threeLeases: Blocked;
let tooLong: Blocked;

async function begin(kind: string, name: string, holdMs: number): Promise<Blocked> {
  const file = join(marksDir, name);
  const payload = Buffer.from(JSON.stringify({ key: name, file, holdMs }));
  const { jobId } = await connection.jobs.submitJob({ job: jobSpec({ kind, payload }) }, PATIENT);
  const first = await untilMarked(file, ({ event }) => event === "begin", 30_000);
  return { jobId, file, first };
}

async function ended(jobId: string): Promise<Job> {
  for (;;) {
    // Its gateway may have been killed.
    const answer = await connection.jobs.waitJob({ jobId }, PATIENT).catch(() => null);
    if (answer?.job !== undefined) return answer.job;
    await delay(LOOK_MS);
  }
}

interface Line {
  readonly id: string;
  readonly msg: string;
  readonly jobs: readonly string[];
}

/** What the worker process has logged of a blocked loop and this job. */
function saidOf({ jobId, first }: Blocked): readonly string[] {
  const worker = stack.processes("worker").find(({ pid }) => pid === first.pid);
  const lines = readFileSync(worker?.log ?? "", "utf8")
    .split("\n")
    .filter((line) => line.startsWith("{") && line.includes("event loop"))
    .map((line) => JSON.parse(line) as Line)
    .filter(({ id, jobs }) => id === worker?.id && jobs.includes(jobId));
  return [...new Set(lines.map(({ msg }) => msg))];
}

beforeAll(async () => {
  marksDir = temporaryFolder("marks");
  stack = await LocalStack.start({
    dir: temporaryFolder("live-lease"),
    files: [join(import.meta.dirname, "..", "..", "support", "marking-jobs.ts")],
    flags: [
      ...["--lease-ms", String(LEASE_MS), "--blocked-ms-max", String(BLOCKED_MS_MAX)],
      ...["--shutdown-grace-ms", "500"],
    ],
  });
  atEnd(async () => {
    await stack.stop();
  });
  connection = connectJobs({ address: stack.address });
  atEnd(() => connection.close());
  // One worker each, at the same time, to save the suite's.
  threeLeases = await begin("block-loop", "three-leases", 3 * LEASE_MS);
  tooLong = await begin("block-loop", "too-long", BLOCKED_MS_MAX + 2.5 * LEASE_MS);
}, 240_000);

describe("a worker whose event loop is blocked", () => {
  test("for three leases keeps its job, which runs once, and says so", async () => {
    const job = await ended(threeLeases.jobId);
    expect(job.state).toBe(JobState.JOB_STATE_SUCCEEDED);
    expect(job.attempts.map(({ token }) => token)).toEqual([threeLeases.first.token]);
    expect(saidOf(threeLeases)).toEqual([
      "the event loop is blocked: a thread keeps its leases",
      "the event loop was blocked",
    ]);
  });

  test("for longer than it may loses its job to another, and its late result is refused", async () => {
    const { jobId, file, first } = tooLong;
    const job = await ended(jobId);
    expect(job.state).toBe(JobState.JOB_STATE_SUCCEEDED);
    const [lost, second] = job.attempts;
    expect(lost).toMatchObject({ token: first.token, error: { code: "LEASE_EXPIRED" } });
    expect(second?.worker).not.toBe(lost?.worker);
    await untilMarked(file, ({ event, attempt }) => event === "end" && attempt === 1, 30_000);
    let after = job;
    while (after.receipts.length === 0) {
      await delay(LOOK_MS);
      after = (await connection.jobs.getJob({ jobId }, PATIENT)).job ?? after;
    }
    // One or two: it may be sent again before it is answered.
    const tried = new Set(after.receipts.map((receipt) => `${receipt.token} ${receipt.tried}`));
    expect([...tried]).toEqual([`${first.token} succeeded`]);
    expect(after.result).toEqual(job.result);
    expect(saidOf(tooLong)).toEqual([
      "the event loop is blocked: a thread keeps its leases",
      "the event loop is blocked for too long: leases end",
      "the event loop was blocked",
    ]);
  });
});

describe("an attempt that runs", () => {
  test("is handed back, not counted and not waited for, when its worker is told to stop", async () => {
    const { jobId, first } = await begin("deaf-hold", "told", 30 * LEASE_MS);
    process.kill(first.pid, "SIGTERM");
    const { attempts, state } = await ended(jobId);
    expect(state).toBe(JobState.JOB_STATE_SUCCEEDED);
    expect(attempts.map(({ outcome }) => outcome)).toEqual([
      AttemptOutcome.ATTEMPT_OUTCOME_HANDED_BACK,
      AttemptOutcome.ATTEMPT_OUTCOME_SUCCEEDED,
    ]);
    expect(attempts[0]?.token).toBe(first.token);
  });

  test("is not given out again when the leader and the gateway are killed", async () => {
    const held = await begin("hold-key", "held", 2.5 * LEASE_MS);
    const leader = await leaderOf(connection.cluster);
    const dead = [leader, "gateway"].map((id) => ({ id, pid: stack.kill(id, "SIGKILL") }));
    await Promise.all(dead.map(({ id, pid }) => stack.restarted(id, pid)));
    const job = await ended(held.jobId);
    expect(job.state).toBe(JobState.JOB_STATE_SUCCEEDED);
    expect(job.attempts.map(({ token }) => token)).toEqual([held.first.token]);
  });
});
