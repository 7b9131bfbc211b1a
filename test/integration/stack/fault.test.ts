// The whole stack under faults: killed, frozen and restarted processes, real RabbitMQ and Redis.

import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, jest, test } from "@jest/globals";
import { JobState } from "../../../protos/gen/quorumq/v1/job.ts";
import { WorkerKind } from "../../../protos/gen/quorumq/v1/worker_service.ts";
import { openQuorum } from "../../../transport/amqp/amqp-quorum.ts";
import { connectJobs, type JobsConnection } from "../../../transport/grpc/client.ts";
import { PipelineError } from "../../../transport/pipeline-error.ts";
import { silentLogger } from "../../../transport/telemetry/logger.ts";
import { runChaos } from "../../chaos/chaos.ts";
import { leaderOf } from "../../chaos/cluster.ts";
import { damageSnapshot, wipe } from "../../chaos/fault-lost-disk.ts";
import { growAndShrink } from "../../chaos/fault-membership.ts";
import { pauseNode } from "../../chaos/fault-pause.ts";
import { KILLS } from "../../chaos/faults.ts";
import { failuresOf, linesOf } from "../../chaos/report.ts";
import { killLeaders } from "../../chaos/slots/every-second.ts";
import { temporaryFolder } from "../../support/folder.ts";
import { watchHealth } from "../../support/health-watch.ts";
import { jobSpec } from "../../support/job-spec.ts";
import { marksIn, untilMarked } from "../../support/marks.ts";
import { RemoteWorker } from "../../support/remote-worker.ts";
import { LocalStack } from "../../support/stack.ts";
import { atEnd } from "../../support/teardown.ts";

jest.setTimeout(180_000);

const LEASE_MS = 2_000;
const PATIENT = { timeoutMs: 60_000 };

/** Small: snapshots are taken and the log is compacted all the time. */
const NODE_ENV = { QUORUMQ_SNAPSHOT_LOG_BYTES: String(64 * 1024) };
const JOBS_PER_SECOND = 100;
const CHAOS = {
  nodeEnv: NODE_ENV,
  nodes: 3,
  durationMs: Number.POSITIVE_INFINITY,
  jobsPerSecond: JOBS_PER_SECOND,
  // On a machine that is too slow for the rate, the crowd would grow without end.
  callersMax: 3 * JOBS_PER_SECOND,
};

let stack: LocalStack;
let connection: JobsConnection;
let marksDir: string;

beforeAll(async () => {
  marksDir = temporaryFolder("marks");
  stack = await LocalStack.start({
    dir: temporaryFolder("fault"),
    env: NODE_ENV,
    files: [join(import.meta.dirname, "..", "..", "support", "marking-jobs.ts")],
    flags: ["--lease-ms", String(LEASE_MS)],
  });
  atEnd(async () => {
    await stack.stop();
  });
  connection = connectJobs({ address: stack.address });
  atEnd(() => connection.close());
}, 240_000);

const holdSpec = (kind: string, key: string, file: string, holdMs: number) =>
  jobSpec({ kind, payload: Buffer.from(JSON.stringify({ key, file, holdMs })) });

/** Runs jobs until this worker process has run one. */
async function untilTaken(pid: number): Promise<void> {
  const file = join(marksDir, `taken-${pid}`);
  for (let count = 0; !marksIn(file).some((mark) => mark.pid === pid); count += 1) {
    const job = holdSpec("hold-key", `${pid}-${count}`, file, 1);
    await connection.jobs.runJob({ job }, PATIENT);
  }
}

/** The channel waits a while before it tries a gateway again that was away. */
async function untilAnswered(jobId: string): Promise<void> {
  for (;;) {
    try {
      await connection.jobs.getJob({ jobId }, PATIENT);
      return;
    } catch (error) {
      if (PipelineError.from(error).code !== "UNAVAILABLE") throw error;
    }
  }
}

const greetSpec = (idempotencyKey: string) =>
  jobSpec({ kind: "greet", payload: Buffer.from('{"name":"again"}'), idempotencyKey });

describe("a lock key", () => {
  test("is held by one job at a time", async () => {
    const file = join(marksDir, "one-at-a-time");
    const jobs = Array.from({ length: 8 }, () => holdSpec("hold-key", "same", file, 40));
    const ended = await Promise.all(
      jobs.map(async (job) => (await connection.jobs.runJob({ job }, PATIENT)).job),
    );
    expect(ended.map((job) => job?.state)).toEqual(jobs.map(() => JobState.JOB_STATE_SUCCEEDED));
    const marks = marksIn(file);
    expect(marks).toHaveLength(16);
    for (let at = 0; at < marks.length; at += 2) {
      expect([marks[at]?.event, marks[at + 1]?.event]).toEqual(["begin", "end"]);
      expect(marks[at]?.jobId).toBe(marks[at + 1]?.jobId);
    }
    const tokens = marks.filter(({ event }) => event === "begin").map(({ token }) => token);
    expect(tokens).toEqual([...tokens].sort((a, b) => a - b));
  });
});

describe("a worker that is frozen past its lease and woken again", () => {
  test("records nothing; the second attempt has the higher token and the result", async () => {
    const file = join(marksDir, "frozen");
    const { jobId } = await connection.jobs.submitJob({
      job: holdSpec("deaf-hold", "frozen", file, LEASE_MS / 2),
    });
    const first = await untilMarked(file, ({ event }) => event === "begin", 10_000);
    process.kill(first.pid, "SIGSTOP");
    const second = await untilMarked(
      file,
      ({ event, attempt }) => event === "end" && attempt === 2,
      30_000,
    );
    expect(second.token).toBeGreaterThan(first.token);
    const { job: ended } = await connection.jobs.waitJob({ jobId }, PATIENT);
    process.kill(first.pid, "SIGCONT");
    await untilMarked(file, ({ event, attempt }) => event === "end" && attempt === 1, 30_000);
    // Its report, if any, left before the start of whatever job the woken worker takes next.
    await untilTaken(first.pid);
    const { job } = await connection.jobs.getJob({ jobId });
    expect(job?.state).toBe(JobState.JOB_STATE_SUCCEEDED);
    expect(JSON.parse(Buffer.from(job?.result ?? []).toString())).toEqual({ token: second.token });
    expect(job?.changeIndex).toBe(ended?.changeIndex);
    expect(job?.attempts.map(({ token }) => token)).toEqual([first.token, second.token]);
  });

  test("is refused with both tokens, and a receipt, when it reports all the same", async () => {
    const file = join(marksDir, "late");
    const { job } = await connection.jobs.runJob(
      { job: holdSpec("hold-key", "late", file, 1) },
      PATIENT,
    );
    const token = job?.attempts[0]?.token ?? 0;
    const quorum = await openQuorum({
      url: stack.endpoint("amqp"),
      cluster: readFileSync(join(stack.dir, "cluster"), "utf8").trim(),
      clientId: "late-worker",
      role: "worker",
      logger: silentLogger(),
      follow: null,
    });
    const outcome = await quorum.propose(
      {
        kind: "finish-attempt",
        jobId: job?.id ?? "",
        token: token - 1,
        worker: "late-worker",
        outcome: "succeeded",
        result: Buffer.from('{"token":0}'),
        error: null,
      },
      { timeoutMs: 10_000, traceparent: "" },
    );
    await quorum.close();
    expect(outcome.kind === "applied" ? outcome.applied.result?.$case : outcome).toBe("fenced");
    const { job: after } = await connection.jobs.getJob({ jobId: job?.id ?? "" });
    expect(after?.result).toEqual(job?.result);
    expect(after?.receipts.map((receipt) => [receipt.token, receipt.tried])).toEqual([
      [token - 1, "succeeded"],
    ]);
  });
});

describe("an idempotency key used again after the leader was killed", () => {
  test("gives the first job's id", async () => {
    const job = greetSpec(randomUUID());
    const first = await connection.jobs.submitJob({ job });
    const leader = await leaderOf(connection.cluster);
    const pid = stack.kill(leader, "SIGKILL");
    const second = await connection.jobs.submitJob({ job }, PATIENT);
    expect(second.jobId).toBe(first.jobId);
    expect(second.deduplicated).toBe(true);
    expect(await leaderOf(connection.cluster)).not.toBe(leader);
    await stack.restarted(leader, pid);
  });
});

describe("health", () => {
  test("says SERVING only while there is a leader", async () => {
    const health = watchHealth(stack.address, "quorumq.v1.JobService");
    await health.until("SERVING", 30_000);
    const leader = await leaderOf(connection.cluster);
    const followers = stack.processes("node").filter(({ id }) => id !== leader);
    for (const { pid } of followers) process.kill(pid, "SIGSTOP");
    try {
      await health.until("NOT_SERVING", 30_000);
    } finally {
      for (const { pid } of followers) process.kill(pid, "SIGCONT");
    }
    await health.until("SERVING", 30_000);
  });
});

describe("a schedule of every second whose leaders are killed", () => {
  test("has one job for each slot", async () => {
    const say = (line: string) => process.stderr.write(`${line}\n`);
    const run = { stack, connection, say, forMs: 6_000, kills: 2 };
    expect(await killLeaders(run)).toEqual([]);
  });
});

describe("a remote worker whose gateway is killed", () => {
  test("goes on with its attempt through the gateway that comes next", async () => {
    const kinds = [WorkerKind.fromPartial({ kind: "remote", queue: "remote" })];
    const hello = { workerId: "remote-1", kinds, lease: { seconds: 60, nanos: 0 } };
    const before = new RemoteWorker(connection, hello);
    await before.next("welcome");
    const job = jobSpec({ kind: "remote", payload: Buffer.from("{}") });
    const { jobId } = await connection.jobs.submitJob({ job }, PATIENT);
    const { token, traceparent } = await before.next("start");
    const pid = stack.kill("gateway", "SIGKILL");
    expect(await before.ended).toMatchObject({ code: "UNAVAILABLE" });
    await stack.restarted("gateway", pid);
    await untilAnswered(jobId);
    const resume = [{ jobId, token, traceparent }];
    const after = new RemoteWorker(connection, { ...hello, resume });
    await after.next("welcome");
    after.succeed({ jobId, token }, "at another gateway");
    await after.next("finished");
    const ended = (await connection.jobs.waitJob({ jobId }, PATIENT)).job;
    expect(ended?.result.toString()).toBe('"at another gateway"');
    expect(ended?.attempts.map((attempt) => attempt.token)).toEqual([token]);
  });
});

describe("kill -9 of each part under load", () => {
  test("leaves every accepted job with exactly one recorded result", async () => {
    const report = await runChaos({
      ...CHAOS,
      stack,
      seed: 1,
      faults: () => KILLS,
      jobsBetweenFaults: 150,
      report: () => undefined,
    });
    process.stderr.write(`${linesOf(report).join("\n")}\n`);
    expect(failuresOf(report)).toEqual([]);
    expect(report.audit.recordedOnce + report.audit.cancelled).toBe(report.audit.accepted);
    expect(report.audit.accepted).toBeGreaterThan(KILLS.length * 150);
  });
});

describe("a frozen leader, lost and damaged disks, changing members under load", () => {
  test("lose no job, leave equal ledgers, and never let an answer contradict another", async () => {
    const faults = [pauseNode("leader"), wipe("follower"), growAndShrink, damageSnapshot("leader")];
    const report = await runChaos({
      ...CHAOS,
      stack,
      seed: 2,
      faults: () => faults,
      jobsBetweenFaults: 50,
      report: () => undefined,
    });
    process.stderr.write(`${linesOf(report).join("\n")}\n`);
    expect(failuresOf(report)).toEqual([]);
    expect(report.faults.map(({ newDisks }) => newDisks.length)).toEqual([0, 1, 0, 1]);
    expect(report.audit.ledgers).toMatchObject({ nodes: 3, diverged: [], silent: [] });
    expect(report.audit.history).toMatchObject({ kind: "linearizable" });
  });
});

describe("all nodes killed at once", () => {
  test("miss nothing that was accepted, and ids and tokens still rise", async () => {
    const before = await Promise.all(
      Array.from({ length: 20 }, () =>
        connection.jobs.runJob({ job: greetSpec(randomUUID()) }, PATIENT),
      ),
    );
    const late = await connection.jobs.submitJob({
      job: { ...greetSpec(randomUUID()), runAt: new Date(Date.now() + 3_000) },
    });
    const nodes = stack.processes("node");
    for (const { pid } of nodes) process.kill(pid, "SIGKILL");
    await Promise.all(nodes.map(({ id, pid }) => stack.restarted(id, pid)));
    const { job: after } = await connection.jobs.runJob({ job: greetSpec(randomUUID()) }, PATIENT);
    const highest = { index: 0, token: 0 };
    for (const { job } of before) {
      const { job: again } = await connection.jobs.getJob({ jobId: job?.id ?? "" }, PATIENT);
      expect(again).toEqual(job);
      highest.index = Math.max(highest.index, job?.logIndex ?? 0);
      highest.token = Math.max(highest.token, job?.attempts[0]?.token ?? 0);
    }
    expect(after?.logIndex).toBeGreaterThan(highest.index);
    expect(after?.attempts[0]?.token).toBeGreaterThan(highest.token);
    const { job: due } = await connection.jobs.waitJob({ jobId: late.jobId }, PATIENT);
    expect(due?.state).toBe(JobState.JOB_STATE_SUCCEEDED);
  });
});
