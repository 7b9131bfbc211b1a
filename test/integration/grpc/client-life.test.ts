// The public client at its edges: times and values that nothing can be sent with, its end, and what
// is left of its calls.

import { credentials, Client as GrpcClient, type ServiceError, status } from "@grpc/grpc-js";
import { beforeAll, describe, expect, jest, test } from "@jest/globals";
import { z } from "zod";
import { JobSpec } from "../../../protos/gen/quorumq/v1/job.ts";
import { ListJobsRequest, SubmitJobsRequest } from "../../../protos/gen/quorumq/v1/job_service.ts";
import { connectJobs } from "../../../transport/grpc/client.ts";
import { REQUEST_FIELDS_MAX } from "../../../transport/limit.ts";
import { silentLogger } from "../../../transport/telemetry/logger.ts";
import {
  type CallOptions,
  type Client,
  createClient,
  type JobHandle,
} from "../../../workers/client.ts";
import { defineJob } from "../../../workers/define-job.ts";
import { createGateway, type Gateway } from "../../../workers/gateway.ts";
import { all, type Edge, failureOf, startEdge } from "../../support/edge.ts";
import { atEnd } from "../../support/teardown.ts";
import { registerKinds } from "../../support/tiny-executor.ts";

jest.setTimeout(30_000);

const idle = defineJob({ kind: "idle", input: z.any(), handler: () => null });
const CLOSED = { code: "CANCELLED", reason: "CALL_CANCELLED", retry: "never" };

const SUBMIT = "/quorumq.v1.JobService/SubmitJob";
const asIs = (bytes: Buffer): Buffer => bytes;

let edge: Edge;
let client: Client;
let job: JobHandle<null>;

beforeAll(async () => {
  edge = await startEdge();
  await registerKinds(edge.quorum, ["idle"]);
  client = createClient({ address: edge.address });
  atEnd(() => client.close());
  job = await client.submit(idle, {});
});

describe("a time that is none", () => {
  test("is refused for a submission, a wait and a lock, and nothing is sent", async () => {
    const before = edge.quorum.proposed.length;
    const failures = await Promise.all([
      failureOf(client.submit(idle, {}, { deadlineMs: Number.NaN })),
      failureOf(job.result({ deadlineMs: Number.NaN })),
      failureOf(client.run(idle, {}, { deadlineMs: Number.NaN })),
      failureOf(client.locks.acquire("key", { ttlMs: Number.NaN })),
      failureOf(client.locks.acquire("key", { waitMs: Number.POSITIVE_INFINITY })),
    ]);
    for (const failure of failures) expect(failure).toMatchObject({ reason: "INVALID_FIELD" });
    expect(edge.quorum.proposed).toHaveLength(before);
  });

  test("is not what a very long one is: that means no deadline", async () => {
    const deadlineMs = Number.MAX_SAFE_INTEGER;
    expect(await client.submit(idle, {}, { deadlineMs })).toMatchObject({ deduplicated: false });
  });
});

test.each([
  ["runAt", { runAt: new Date(Number.NaN) }],
  ["delayMs", { delayMs: Number.POSITIVE_INFINITY }],
  ["priority", { priority: 1.5 }],
  ["totalTimeoutMs", { totalTimeoutMs: 0.0001234 }],
  ["concurrencyKeys[0].limit", { concurrencyKeys: [{ key: "a", limit: 1.5 }] }],
  ["lockKeys[0]", { lockKeys: ["\ud800"] }],
  ["idempotency_key", { idempotencyKey: "\udfff" }],
])("%s that no message can carry is named", async (field, options) => {
  const failure = await failureOf(client.submit(idle, {}, options));
  expect(failure).toMatchObject({
    code: "INVALID_ARGUMENT",
    reason: "INVALID_FIELD",
    retry: "never",
    violations: [{ field: `job.${field}` }],
  });
});

describe("a deadline and a signal", () => {
  const calls: readonly [string, (options: CallOptions) => Promise<unknown>][] = [
    ["submit", (options) => client.submit(idle, {}, options)],
    ["submitAll", (options) => client.submitAll(idle, [{}], options)],
    ["get", (options) => client.get(job.id, options)],
    ["list", (options) => client.list({}, options)],
    ["cancel", (options) => client.cancel(job.id, "", options)],
    ["retry", (options) => client.retry(job.id, options)],
    ["retryAll", (options) => client.retryAll(options)],
    ["cluster", (options) => client.cluster(options)],
    ["queues.list", (options) => client.queues.list(options)],
    ["queues.pause", (options) => client.queues.pause("default", options)],
    ["queues.resume", (options) => client.queues.resume("default", options)],
    ["queues.configure", (options) => client.queues.configure("default", {}, options)],
    ["queues.drain", (options) => client.queues.drain("default", options)],
    [
      "schedules.create",
      (options) => client.schedules.create(idle, {}, { everyMs: 60_000, ...options }),
    ],
    ["schedules.get", (options) => client.schedules.get("s", options)],
    ["schedules.list", (options) => client.schedules.list({}, options)],
    ["schedules.delete", (options) => client.schedules.delete("s", options)],
    ["schedules.pause", (options) => client.schedules.pause("s", options)],
    ["schedules.resume", (options) => client.schedules.resume("s", options)],
    ["schedules.trigger", (options) => client.schedules.trigger("s", options)],
  ];

  test.each(calls)("are those of %s, too", async (_name, call) => {
    const before = edge.quorum.proposed.length;
    const failures = await Promise.all([
      failureOf(call({ signal: AbortSignal.abort() })),
      failureOf(call({ deadlineMs: Number.NaN })),
    ]);
    expect(failures).toMatchObject([{ reason: "CALL_CANCELLED" }, { reason: "INVALID_FIELD" }]);
    expect(edge.quorum.proposed).toHaveLength(before);
  });

  test("no call of the client is left out", () => {
    const unlike = ["submitFlow", "run", "wait", "watch", "close", "locks.acquire", "locks.run"];
    const names = Object.entries(client).flatMap(([name, value]) =>
      typeof value === "function" ? name : Object.keys(value).map((inner) => `${name}.${inner}`),
    );
    expect(names.toSorted()).toEqual([...calls.map(([name]) => name), ...unlike].toSorted());
  });
});

test("an input that is no JSON is named", async () => {
  const failure = await failureOf(client.submit(idle, { amount: 1n }));
  expect(failure).toMatchObject({ violations: [{ field: "job.payload" }] });
});

test("a raw call with a value that does not fit is the caller's fault", async () => {
  const failure = await failureOf(
    edge.jobs.listJobs(ListJobsRequest.fromPartial({ pageSize: 1.5 })),
  );
  expect(failure).toMatchObject({ code: "INVALID_ARGUMENT", reason: "MALFORMED_REQUEST" });
});

test("a key that is not UTF-8 is not read as another one", async () => {
  const raw = new GrpcClient(edge.address, credentials.createInsecure());
  atEnd(() => raw.close());
  const kind = Buffer.from("0a0469646c65", "hex");
  const refusal = (key: Buffer): Promise<ServiceError | null> => {
    const job = Buffer.concat([kind, Buffer.from([0x52, key.length]), key]);
    const request = Buffer.concat([Buffer.from([0x0a, job.length]), job]);
    return new Promise((resolve) => {
      raw.makeUnaryRequest(SUBMIT, asIs, asIs, request, (error) => resolve(error));
    });
  };
  expect(await refusal(Buffer.from("k\u{1f511}"))).toBeNull();
  // Both would be U+FFFD, and so one job.
  for (const byte of [0xfe, 0xff]) {
    expect(await refusal(Buffer.from([byte]))).toMatchObject({ code: status.INVALID_ARGUMENT });
  }
});

test("a message of more fields than any request has is refused as that", async () => {
  const lockKeys = Array.from({ length: REQUEST_FIELDS_MAX + 1 }, () => "");
  const job = JobSpec.fromPartial({ kind: "idle", lockKeys });
  const failure = await failureOf(edge.jobs.submitJob({ job }));
  expect(failure).toMatchObject({ reason: "MALFORMED_REQUEST", retry: "never" });
  expect(failure.rawMessage).toContain(`more than ${REQUEST_FIELDS_MAX} fields`);
});

test("a submission outlasts a gateway that starts anew", async () => {
  const open = (port: number): Promise<Gateway> => {
    const logger = silentLogger();
    return createGateway({ quorum: edge.quorum, host: "127.0.0.1", port, logger });
  };
  const first = await open(0);
  const address = `127.0.0.1:${first.port}`;
  const restarted = createClient({ address });
  const probe = connectJobs({ address });
  atEnd(() => restarted.close());
  atEnd(() => probe.close());
  await restarted.submit(idle, {});
  await first.close(0);
  const submitting = restarted.submit(idle, {});
  // The channel's own tries are over when another's are, begun later.
  await failureOf(probe.jobs.getJob({ jobId: job.id }));
  await failureOf(probe.jobs.getJob({ jobId: job.id }));
  const second = await open(first.port);
  atEnd(() => second.close(0));
  expect(await submitting).toMatchObject({ deduplicated: false });
});

describe("close", () => {
  test("ends what is open, refuses what comes later, and renews no lock", async () => {
    const closing = createClient({ address: edge.address });
    const handle = await closing.submit(idle, {});
    const lock = await closing.locks.acquire("held");
    const open = [handle.result(), closing.locks.acquire("held", { waitMs: 60_000 })];
    const ended = open.map((call) => failureOf(call));
    // Both have reached the gateway when the second is in line.
    await edge.quorum.untilProposed("acquire-lock", 2);
    closing.close();
    closing.close();
    for (const failure of ended) expect(await failure).toMatchObject(CLOSED);
    expect(await failureOf(closing.submit(idle, {}))).toMatchObject(CLOSED);
    expect(lock.signal.reason).toMatchObject({ why: "client-closed" });
    await lock.release();
  });
});

test("a stream that waits to be written many times keeps no listener of each wait", async () => {
  const added = jest.spyOn(EventTarget.prototype, "addEventListener");
  const removed = jest.spyOn(EventTarget.prototype, "removeEventListener");
  const payload = Buffer.from(JSON.stringify("x".repeat(1_000)));
  async function* requests(): AsyncGenerator<SubmitJobsRequest> {
    for (let count = 0; count < 1_000; count += 1) {
      yield SubmitJobsRequest.fromPartial({ job: { kind: "idle", payload } });
    }
  }
  const answers = await all(edge.jobs.submitJobs(requests()));
  const waits = added.mock.calls.filter(([type]) => type === "abort").length;
  const ends = removed.mock.calls.filter(([type]) => type === "abort").length;
  added.mockRestore();
  removed.mockRestore();
  expect(answers).toHaveLength(1_000);
  expect(waits).toBeGreaterThan(10);
  expect(ends).toBeGreaterThanOrEqual(waits - 10);
});
