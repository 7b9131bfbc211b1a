// Cancelled, frozen and retried: what happens to a running job from outside, in real processes.

import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { beforeAll, describe, expect, jest, test } from "@jest/globals";
import { JobState } from "../../../protos/gen/quorumq/v1/job.ts";
import { openQuorum } from "../../../transport/amqp/amqp-quorum.ts";
import { connectJobs, type JobsConnection } from "../../../transport/grpc/client.ts";
import type { Quorum } from "../../../transport/quorum.ts";
import { silentLogger } from "../../../transport/telemetry/logger.ts";
import { raceCancels } from "../../chaos/race/cancel-race.ts";
import { temporaryFolder } from "../../support/folder.ts";
import { jobSpec } from "../../support/job-spec.ts";
import { untilMarked } from "../../support/marks.ts";
import { LocalStack } from "../../support/stack.ts";
import { atEnd } from "../../support/teardown.ts";

jest.setTimeout(120_000);

const SUPPORT = join(import.meta.dirname, "..", "..", "support");
const CALL = { timeoutMs: 20_000, traceparent: "" };
const FROZEN_LEASE_MS = 1_000;

let stack: LocalStack;
let connection: JobsConnection;
let quorum: Quorum;
let cluster: string;

beforeAll(async () => {
  // The default lease: a third of it is longer than the second in which a cancel has to arrive.
  const files = [join(SUPPORT, "marking-jobs.ts")];
  stack = await LocalStack.start({ dir: temporaryFolder("steer"), files });
  atEnd(async () => {
    await stack.stop();
  });
  cluster = readFileSync(join(stack.dir, "cluster"), "utf8").trim();
  connection = connectJobs({ address: stack.address });
  atEnd(() => connection.close());
  const url = stack.endpoint("amqp");
  const logger = silentLogger();
  quorum = await openQuorum({
    ...{ url, cluster, clientId: "steer", role: "worker", logger, follow: {} },
  });
  atEnd(() => quorum.close());
}, 240_000);

/** What the process says, line by line. */
function stubbornWorker(jobId: string) {
  const args = [stack.endpoint("amqp"), cluster, jobId, String(FROZEN_LEASE_MS)];
  const child = spawn(process.execPath, [join(SUPPORT, "stubborn-worker.ts"), ...args], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  atEnd(() => {
    child.kill("SIGKILL");
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    child,
    answer: async (): Promise<{ readonly $case: string; readonly value: { token: number } }> =>
      JSON.parse(String((await lines.next()).value)),
  };
}

async function refusedLate(): Promise<number> {
  const { counts } = await connection.cluster.getCluster({});
  return counts?.refusedLate ?? 0;
}

describe("a worker frozen for three leases, while another takes over", () => {
  test("is refused whatever it says: each sort leaves a receipt, and is counted", async () => {
    const kind = {
      ...{ kind: "frozen", queue: "frozen", maxAttempts: 3, attemptTimeoutMs: 0 },
      ...{ totalTimeoutMs: 0, lockTemplates: [], concurrencyTemplates: [] },
      backoff: { initialMs: 0, multiplier: 1, maxMs: 0, jitter: 0 },
    };
    await quorum.propose({ kind: "register-kinds", kinds: [kind] }, CALL);
    const { jobId } = await connection.jobs.submitJob({ job: jobSpec({ kind: "frozen" }) });
    const frozen = stubbornWorker(jobId);
    const started = await frozen.answer();
    expect(started.$case).toBe("started");
    const oldToken = started.value.token;
    const before = await refusedLate();
    // Lost when its lease is over: queued again, for whoever takes it.
    const lost = new Promise<void>((resolve) => {
      const forget = quorum.onEvent(({ jobId: id, event, index }) => {
        if (id !== jobId || event !== "queued" || index < oldToken) return;
        forget();
        resolve();
      });
    });
    frozen.child.kill("SIGSTOP");
    const frozenMs = performance.now();
    await lost;
    const takeOver = { jobId, worker: "second", startId: randomUUID(), leaseMs: 60_000 };
    const outcome = await quorum.propose({ kind: "start-attempt", ...takeOver }, CALL);
    const taken = outcome.kind === "applied" ? outcome.applied.result : undefined;
    const token = taken?.$case === "started" ? taken.value.token : 0;
    expect(token).toBeGreaterThan(oldToken);
    frozen.child.stdin.write("go\n");
    const leftMs = 3 * FROZEN_LEASE_MS - (performance.now() - frozenMs);
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, leftMs)));
    frozen.child.kill("SIGCONT");
    const answers: string[] = [];
    for (let at = 0; at < 5; at += 1) answers.push((await frozen.answer()).$case);
    expect(answers).toEqual(["reported", "renewed", "renewed", "fenced", "fenced"]);
    await once(frozen.child, "exit");
    const finish = { jobId, token, worker: "second", result: Buffer.from('"kept"'), error: null };
    await quorum.propose({ kind: "finish-attempt", outcome: "succeeded", ...finish }, CALL);
    const { job } = await connection.jobs.getJob({ jobId });
    expect(job).toMatchObject({
      state: JobState.JOB_STATE_SUCCEEDED,
      result: Buffer.from('"kept"'),
      ...{ error: undefined, logLines: [], logLineCount: 0, refusedCount: 5 },
    });
    expect(job?.progress.byteLength).toBe(0);
    const receipts = job?.receipts.map((one) => [one.tried, one.token, one.currentToken]);
    expect(receipts).toEqual(
      ["log", "progress", "heartbeat", "succeeded", "failed"].map((tried) => [
        ...[tried, oldToken, token],
      ]),
    );
    expect(await refusedLate()).toBe(before + 5);
  });
});

describe("a cancel", () => {
  test("reaches the handler in its process within a second", async () => {
    const file = join(temporaryFolder("steer-marks"), "cancelled");
    const payload = Buffer.from(JSON.stringify({ key: "cancelled", file, holdMs: 60_000 }));
    const { jobId } = await connection.jobs.submitJob({
      job: jobSpec({ kind: "hold-key", payload }),
    });
    const begun = await untilMarked(file, ({ event }) => event === "begin", 20_000);
    expect(begun.pid).not.toBe(process.pid);
    await connection.jobs.cancelJob({ jobId, reason: "" });
    await untilMarked(file, ({ event }) => event === "aborted", 1_000);
    const { job } = await connection.jobs.getJob({ jobId });
    expect(job).toMatchObject({ state: JobState.JOB_STATE_CANCELLED, refusedCount: 0 });
  });

  test("that races the end: each job has one, and the caller is told which", async () => {
    const report = await raceCancels({
      ...{ connection, events: quorum, count: 300, inflightMax: 32, seed: 7 },
      specOf: (number) =>
        jobSpec({ kind: "greet", payload: Buffer.from(JSON.stringify({ name: `n${number}` })) }),
    });
    expect(report.failures).toEqual([]);
    expect(report.cancelled + report.succeeded).toBe(300);
    // Else it was no race.
    expect(Math.min(report.cancelled, report.succeeded)).toBeGreaterThan(10);
  });
});
