// Every row of the error table, provoked through the public API of a real stack.
//
// Rows that a healthy stack gives come first; those that need it broken come last, the worst at the
// end. Each has its code and its one reason, the values that its message names, and what helps.

import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, jest, test } from "@jest/globals";
import type { JobSpec } from "../../../protos/gen/quorumq/v1/job.ts";
import { QueueLimits } from "../../../protos/gen/quorumq/v1/job_service.ts";
import { openQuorum } from "../../../transport/amqp/amqp-quorum.ts";
import { connectJobs, type JobsConnection } from "../../../transport/grpc/client.ts";
import { GATEWAY_TAILS_MAX, PAYLOAD_BYTES_MAX } from "../../../transport/limit.ts";
import type { PipelineError } from "../../../transport/pipeline-error.ts";
import { durationOf } from "../../../transport/result-codec.ts";
import { silentLogger } from "../../../transport/telemetry/logger.ts";
import { createGateway } from "../../../workers/gateway.ts";
import { leaderOf } from "../../chaos/cluster.ts";
import { failureOf } from "../../support/edge.ts";
import { temporaryFolder } from "../../support/folder.ts";
import { jobSpec } from "../../support/job-spec.ts";
import { openRelay } from "../../support/relay.ts";
import { LocalStack } from "../../support/stack.ts";
import { atEnd } from "../../support/teardown.ts";

jest.setTimeout(120_000);

let stack: LocalStack;
let connection: JobsConnection;

beforeAll(async () => {
  const files = [join(import.meta.dirname, "..", "..", "support", "marking-jobs.ts")];
  stack = await LocalStack.start({ dir: temporaryFolder("errors"), files });
  atEnd(async () => {
    await stack.stop();
  });
  connection = connectJobs({ address: stack.address });
  atEnd(() => connection.close());
}, 240_000);

const greetSpec = (change: Partial<JobSpec> = {}): JobSpec =>
  jobSpec({ kind: "greet", payload: Buffer.from('{"name":"you"}'), ...change });

/** A job whose worker holds it until it is cancelled. */
function held(): JobSpec {
  const file = join(temporaryFolder("held"), "marks");
  const payload = { key: randomUUID(), file, holdMs: 600_000 };
  return jobSpec({ kind: "hold-key", payload: Buffer.from(JSON.stringify(payload)) });
}

/** What every error has, whatever the row. */
function told(error: PipelineError): Record<string, unknown> {
  expect(error.message.startsWith(`${error.code}: `)).toBe(true);
  expect(error.rawMessage).not.toBe("");
  const { code, reason, retry, metadata } = error;
  const fields = error.violations.map(({ field }) => field);
  return { code, reason, retry, metadata, fields, isRetryTold: error.retryDelayMs !== undefined };
}

async function untilEnd(stream: AsyncIterator<unknown>): Promise<void> {
  while ((await stream.next()).done !== true);
}

/** A gateway of its own, in this process, whose way to RabbitMQ can be cut. */
async function ownGateway() {
  const relay = await openRelay(stack.endpoint("amqp"));
  const cluster = readFileSync(join(stack.dir, "cluster"), "utf8").trim();
  const logger = silentLogger();
  const client = { url: relay.url, cluster, clientId: randomUUID(), role: "gateway" } as const;
  const quorum = await openQuorum({ ...client, logger, follow: {} });
  const gateway = await createGateway({ quorum, host: "127.0.0.1", port: 0, logger });
  const own = connectJobs({ address: `127.0.0.1:${gateway.port}` });
  atEnd(async () => {
    own.close();
    await gateway.close(0);
    await quorum.close();
  });
  await own.jobs.runJob({ job: greetSpec() });
  return { relay, gateway, own };
}

describe("INVALID_ARGUMENT names the field, the value and the limit", () => {
  test.each<[string, Partial<JobSpec>, string]>([
    ["a bad field", { priority: 1_001 }, "job.priority"],
    ["an unknown kind", { kind: "nobody-knows-it" }, "job.kind"],
    ["an unknown queue", { queue: "nobody-serves-it" }, "job.queue"],
    ["a payload that is not JSON", { payload: Buffer.from("{") }, "job.payload"],
  ])("%s: INVALID_FIELD", async (_what, change, field) => {
    const failure = await failureOf(connection.jobs.submitJob({ job: greetSpec(change) }));
    expect(told(failure)).toMatchObject({
      ...{ code: "INVALID_ARGUMENT", reason: "INVALID_FIELD", retry: "never" },
      metadata: { field },
      fields: [field],
    });
  });

  test("a payload over the limit: PAYLOAD_TOO_LARGE", async () => {
    const job = greetSpec({ payload: Buffer.alloc(PAYLOAD_BYTES_MAX + 1, 0x31) });
    const failure = await failureOf(connection.jobs.submitJob({ job }));
    expect(told(failure)).toMatchObject({
      ...{ code: "INVALID_ARGUMENT", reason: "PAYLOAD_TOO_LARGE", retry: "never" },
      metadata: { limit: expect.stringContaining(`${PAYLOAD_BYTES_MAX} bytes`) },
      fields: ["job.payload"],
    });
  });

  test("a result over the limit fails its job, which is not tried again", async () => {
    const { job } = await connection.jobs.runJob({ job: jobSpec({ kind: "boast" }) });
    const sizes = [String(PAYLOAD_BYTES_MAX + 2), String(PAYLOAD_BYTES_MAX)];
    expect(job?.error).toMatchObject({ code: "RESULT_REFUSED", retryable: false });
    for (const size of sizes) expect(job?.error?.message).toContain(`${size}`);
    expect(job?.attempts).toHaveLength(1);
  });
});

describe("what the ledger refuses", () => {
  test("the same idempotency key with another job: ALREADY_EXISTS", async () => {
    const idempotencyKey = randomUUID();
    const { jobId } = await connection.jobs.submitJob({ job: greetSpec({ idempotencyKey }) });
    const other = greetSpec({ idempotencyKey, priority: 1 });
    expect(told(await failureOf(connection.jobs.submitJob({ job: other })))).toMatchObject({
      ...{ code: "ALREADY_EXISTS", reason: "IDEMPOTENCY_KEY_REUSED", retry: "never" },
      metadata: { job_id: jobId, idempotency_key: idempotencyKey },
    });
  });

  test("cancel and retry in the wrong state: FAILED_PRECONDITION", async () => {
    const { job: done } = await connection.jobs.runJob({ job: greetSpec() });
    const jobId = done?.id ?? "";
    const finished = await failureOf(connection.jobs.cancelJob({ jobId, reason: "" }));
    const metadata = { job_id: jobId, state: "SUCCEEDED" };
    expect(told(finished)).toMatchObject({
      ...{ code: "FAILED_PRECONDITION", reason: "JOB_FINISHED", retry: "never", metadata },
    });
    const succeeded = await failureOf(connection.jobs.retryJob({ jobId, requestId: "" }));
    expect(told(succeeded)).toMatchObject({
      ...{ code: "FAILED_PRECONDITION", reason: "JOB_SUCCEEDED", retry: "never", metadata },
    });
    const { jobId: live } = await connection.jobs.submitJob({ job: held() });
    const unfinished = await failureOf(connection.jobs.retryJob({ jobId: live, requestId: "" }));
    expect(told(unfinished)).toMatchObject({
      ...{ code: "FAILED_PRECONDITION", reason: "JOB_NOT_FINISHED", retry: "never" },
      metadata: { job_id: live },
    });
    await connection.jobs.cancelJob({ jobId: live, reason: "" });
  });

  test("an unknown job: NOT_FOUND", async () => {
    const jobId = "j-999999999";
    const calls = [
      connection.jobs.getJob({ jobId }),
      connection.jobs.waitJob({ jobId }),
      connection.jobs.cancelJob({ jobId, reason: "" }),
      connection.jobs.retryJob({ jobId, requestId: "" }),
    ];
    for (const failure of await Promise.all(calls.map(failureOf))) {
      expect(told(failure)).toMatchObject({
        ...{ code: "NOT_FOUND", reason: "JOB_NOT_FOUND", retry: "never" },
        metadata: { job_id: jobId },
      });
    }
  });

  test("a stale token: ABORTED, with the presented and the current one", async () => {
    const keys = [randomUUID()];
    const lost = await connection.locks.acquireLock({
      ...{ keys, ttl: durationOf(100), wait: undefined, owner: "first", requestId: "" },
    });
    // The one whose time is over gives way to who waits.
    const taken = await connection.locks.acquireLock({
      ...{ keys, ttl: undefined, wait: durationOf(20_000), owner: "second", requestId: "" },
    });
    expect(taken.fencingToken).toBeGreaterThan(lost.fencingToken);
    const { lockId, fencingToken } = lost;
    const failure = await failureOf(connection.locks.keepLockAlive({ lockId, fencingToken }));
    expect(told(failure)).toMatchObject({ code: "ABORTED", reason: "FENCED", retry: "never" });
    expect(Object.values(failure.metadata)).toEqual(
      expect.arrayContaining([lost.fencingToken, taken.fencingToken].map(String)),
    );
  });
});

describe("limits and time", () => {
  test("a backlog that is full: RESOURCE_EXHAUSTED, with when to try again", async () => {
    const job = jobSpec({ kind: "boast" });
    const queue = "marking";
    await connection.jobs.pauseQueue({ queue });
    const limits = QueueLimits.fromPartial({ maxWaiting: 1 });
    await connection.jobs.configureQueue({ queue, limits });
    const { jobId } = await connection.jobs.submitJob({ job });
    const failure = await failureOf(connection.jobs.submitJob({ job }));
    expect(told(failure)).toMatchObject({
      ...{ code: "RESOURCE_EXHAUSTED", reason: "BACKLOG_FULL", retry: "safe", isRetryTold: true },
    });
    await connection.jobs.cancelJob({ jobId, reason: "" });
    const none = QueueLimits.fromPartial({ maxWaiting: 0 });
    await connection.jobs.configureQueue({ queue, limits: none });
    await connection.jobs.resumeQueue({ queue });
  });

  test("too much at once: RESOURCE_EXHAUSTED, with when to try again", async () => {
    const streams = Array.from({ length: GATEWAY_TAILS_MAX + 1 }, () => {
      const entries = connection.cluster.tailLog({ fromIndex: 0, follow: true });
      return entries[Symbol.asyncIterator]();
    });
    const firsts = await Promise.allSettled(streams.map((stream) => stream.next()));
    const failures = firsts.flatMap((one) => (one.status === "rejected" ? [one.reason] : []));
    for (const stream of streams) await stream.return?.();
    expect(failures.map(told)).toMatchObject([
      {
        ...{ code: "RESOURCE_EXHAUSTED", reason: "BACKLOG_FULL", retry: "safe", isRetryTold: true },
      },
    ]);
  });

  test("the deadline passed before the outcome was known: DEADLINE_EXCEEDED", async () => {
    const job = { ...held(), idempotencyKey: randomUUID() };
    const failure = await failureOf(connection.jobs.runJob({ job }, { timeoutMs: 1_500 }));
    expect(told(failure)).toMatchObject({
      ...{ code: "DEADLINE_EXCEEDED", reason: "OUTCOME_UNKNOWN", retry: "same-key" },
    });
    // What the caller is to do: ask again with the same key, and get the same job.
    const { jobId, deduplicated } = await connection.jobs.submitJob({ job });
    expect(deduplicated).toBe(true);
    await connection.jobs.cancelJob({ jobId, reason: "" });
  });
});

describe("credentials", () => {
  // Calls need none in this version. The day they do, this fails: then the rows UNAUTHENTICATED,
  // CREDENTIAL_MISSING and PERMISSION_DENIED, SCOPE_MISSING are to be provoked here.
  test("are not asked for yet", async () => {
    process.stderr.write("error table: no credentials in this version, two rows not provoked\n");
    expect((await connection.jobs.runJob({ job: greetSpec() })).job?.error).toBeUndefined();
  });
});

describe("UNAVAILABLE says when to try again, and that nothing happened", () => {
  test("a gateway that shuts down: SHUTTING_DOWN", async () => {
    const { own, gateway } = await ownGateway();
    const { jobId } = await own.jobs.submitJob({ job: held() });
    const watch = own.jobs.watchJob({ jobId, afterIndex: 0 })[Symbol.asyncIterator]();
    await watch.next();
    await gateway.close(5_000);
    expect(told(await failureOf(untilEnd(watch)))).toMatchObject({
      ...{ code: "UNAVAILABLE", reason: "SHUTTING_DOWN", retry: "safe", isRetryTold: true },
    });
    await connection.jobs.cancelJob({ jobId, reason: "" });
  });

  test("RabbitMQ away: BROKER_UNAVAILABLE", async () => {
    const { own, relay } = await ownGateway();
    relay.refuse();
    relay.cut();
    await relay.refused(2);
    const failure = await failureOf(own.jobs.submitJob({ job: greetSpec() }, { timeoutMs: 3_000 }));
    expect(told(failure)).toMatchObject({
      ...{ code: "UNAVAILABLE", reason: "BROKER_UNAVAILABLE", retry: "safe", isRetryTold: true },
    });
  });

  test("no majority: NO_LEADER", async () => {
    const leader = await leaderOf(connection.cluster);
    const followers = stack.processes("node").filter(({ id }) => id !== leader);
    for (const { pid } of followers) process.kill(pid, "SIGSTOP");
    try {
      // A call that is on its way when the leader goes may have happened: only later ones are sure.
      const calls: Record<string, unknown>[] = [];
      while (calls.at(-1)?.["reason"] !== "NO_LEADER" && calls.length < 10) {
        const call = connection.jobs.submitJob({ job: greetSpec() }, { timeoutMs: 3_000 });
        calls.push(told(await failureOf(call)));
      }
      expect(calls.at(-1)).toMatchObject({
        ...{ code: "UNAVAILABLE", reason: "NO_LEADER", retry: "safe", isRetryTold: true },
      });
    } finally {
      for (const { pid } of followers) process.kill(pid, "SIGCONT");
    }
  });
});
