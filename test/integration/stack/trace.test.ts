// One trace for one job, as an OTLP receiver gets it from six processes.

import { randomBytes } from "node:crypto";
import { beforeAll, describe, expect, jest, test } from "@jest/globals";
import { Job } from "../../../protos/gen/quorumq/v1/job.ts";
import { Schedule } from "../../../protos/gen/quorumq/v1/schedule.ts";
import { connectJobs, type JobsConnection } from "../../../transport/grpc/client.ts";
import { temporaryFolder } from "../../support/folder.ts";
import { jobSpec } from "../../support/job-spec.ts";
import {
  type OtlpReceiver,
  type ReceivedSpan,
  startOtlpReceiver,
} from "../../support/otlp-receiver.ts";
import { LocalStack } from "../../support/stack.ts";
import { atEnd } from "../../support/teardown.ts";

jest.setTimeout(60_000);

let stack: LocalStack;
let receiver: OtlpReceiver;
let connection: JobsConnection;

beforeAll(async () => {
  receiver = await startOtlpReceiver();
  atEnd(() => receiver.close());
  stack = await LocalStack.start({
    dir: temporaryFolder("trace"),
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint },
  });
  atEnd(async () => {
    await stack.stop();
  });
  connection = connectJobs({ address: stack.address });
  atEnd(() => connection.close());
}, 240_000);

const SECRET = "never-in-an-attribute";

describe("the trace of one charge-order job", () => {
  const traceId = randomBytes(16).toString("hex");
  const callerSpanId = randomBytes(8).toString("hex");
  let spans: readonly ReceivedSpan[];
  const named = (name: string): readonly ReceivedSpan[] =>
    spans.filter((span) => span.name.startsWith(name));

  beforeAll(async () => {
    const payload = { orderId: SECRET, accountId: `a-${SECRET}`, amountCents: 100 };
    await connection.jobs.runJob(
      { job: jobSpec({ kind: "charge-order", payload: Buffer.from(JSON.stringify(payload)) }) },
      { traceparent: `00-${traceId}-${callerSpanId}-01` },
    );
    // Six processes export on their own time: whole is when each part is there.
    const isWhole = (all: readonly ReceivedSpan[]): boolean => {
      const mine = all.filter((span) => span.traceId === traceId);
      const count = (name: string): number =>
        mine.filter((span) => span.name.startsWith(name)).length;
      const commits = count("raft.commit");
      const ids = new Set([callerSpanId, ...mine.map(({ spanId }) => spanId)]);
      return (
        mine.some((span) => span.parentSpanId === callerSpanId) &&
        mine.every((span) => ids.has(span.parentSpanId)) &&
        // One for the submission, the start and the finish, each on two followers as well.
        commits >= 3 &&
        count("raft.append") >= 2 * commits &&
        ["dispatch", "process", "lock.acquire", "handler"].every((name) => count(name) > 0)
      );
    };
    await receiver.until(isWhole, 20_000);
    spans = receiver.spans.filter((span) => span.traceId === traceId);
  }, 40_000);

  test("has its root in the gateway, under the caller's span", () => {
    const roots = spans.filter((span) => span.parentSpanId === callerSpanId);
    expect(roots.map(({ name, service }) => [name, service])).toEqual([
      ["quorumq.v1.JobService/RunJob", "quorumq-gateway"],
    ]);
  });

  test("covers gateway, leader, both followers, dispatch, lock, handler and finish", () => {
    const commits = named("raft.commit");
    const leader = commits[0]?.instance;
    expect(new Set(commits.map(({ instance }) => instance))).toEqual(new Set([leader]));
    const followers = new Set(named("raft.append").map(({ instance }) => instance));
    expect([...followers].sort()).toEqual(["n1", "n2", "n3"].filter((id) => id !== leader));
    expect(commits.map(({ attributes }) => attributes["quorumq.command"])).toEqual(
      expect.arrayContaining(["submit-jobs", "start-attempt", "finish-attempt"]),
    );
    expect(named("dispatch")[0]?.service).toBe("quorumq-node");
    for (const name of ["process", "lock.acquire", "handler"]) {
      expect(named(name)[0]?.service).toBe("quorumq-worker");
    }
  });

  test("has no orphan: every span's parent is in it", () => {
    const ids = new Set([callerSpanId, ...spans.map(({ spanId }) => spanId)]);
    expect(spans.filter(({ parentSpanId }) => !ids.has(parentSpanId))).toEqual([]);
  });

  test("nests as the job flows", () => {
    const byId = new Map(spans.map((span) => [span.spanId, span]));
    const pathTo = (span: ReceivedSpan | undefined): readonly string[] => {
      const path: string[] = [];
      for (let at = span; at !== undefined; at = byId.get(at.parentSpanId)) path.unshift(at.name);
      return path;
    };
    expect(pathTo(named("handler")[0])).toEqual([
      "quorumq.v1.JobService/RunJob",
      expect.stringMatching(/^dispatch/),
      expect.stringMatching(/^process/),
      expect.stringMatching(/^handler/),
    ]);
    const append = named("raft.append").find((span) => pathTo(span).length === 4);
    expect(pathTo(append)).toEqual([
      "quorumq.v1.JobService/RunJob",
      "propose",
      "raft.commit",
      "raft.append",
    ]);
  });

  test("tells the fencing token and the log index, and no payload or key", () => {
    const tokens = named("handler").map(({ attributes }) => attributes["quorumq.fencing_token"]);
    expect(tokens.every((token) => Number(token) > 0)).toBe(true);
    const text = JSON.stringify(spans, (_key, value) =>
      typeof value === "bigint" ? value.toString() : value,
    );
    expect(text).not.toContain(SECRET);
  });
});

describe("the trace of a schedule's slot", () => {
  const creator = { traceId: randomBytes(16).toString("hex"), spanId: "1".repeat(16) };
  let job: Job;
  let spans: readonly ReceivedSpan[];

  beforeAll(async () => {
    const schedule = Schedule.fromPartial({
      ...{ id: "traced", interval: { seconds: 1, nanos: 0 } },
      job: jobSpec({ kind: "greet", payload: Buffer.from('{"name":"slot"}'), idempotencyKey: "" }),
    });
    const traceparent = `00-${creator.traceId}-${creator.spanId}-01`;
    await connection.jobs.createSchedule({ schedule }, { traceparent });
    const isSlot = ({ name }: ReceivedSpan): boolean => name === "schedule.tick";
    await receiver.until((all) => all.some(isSlot), 20_000);
    await connection.jobs.deleteSchedule({ scheduleId: "traced" });
    const root = receiver.spans.find(isSlot);
    const jobId = String(root?.attributes["quorumq.job.id"]);
    await connection.jobs.waitJob({ jobId });
    job = (await connection.jobs.getJob({ jobId })).job ?? Job.fromPartial({});
    const ofIt = (all: readonly ReceivedSpan[]) => all.filter((one) => one.traceId === job.traceId);
    await receiver.until((all) => {
      const mine = ofIt(all);
      const ids = new Set(mine.map(({ spanId }) => spanId));
      const count = (name: string) => mine.filter((one) => one.name.startsWith(name)).length;
      return (
        mine.every((one) => isSlot(one) || ids.has(one.parentSpanId)) &&
        count("raft.commit") >= 2 &&
        ["dispatch", "process", "handler"].every((name) => count(name) > 0)
      );
    }, 20_000);
    spans = ofIt(receiver.spans);
  }, 60_000);

  test("is the job's own: it begins where the slot was decided, and goes on as any job's", () => {
    const roots = spans.filter(({ parentSpanId }) => parentSpanId === "");
    expect(roots).toHaveLength(1);
    expect(roots[0]).toMatchObject({
      ...{ name: "schedule.tick", service: "quorumq-node", traceId: job.traceId },
      attributes: {
        "quorumq.schedule.id": "traced",
        "quorumq.schedule.slot_time": job.slotTime?.toISOString(),
        "quorumq.schedule.outcome": "job",
        "quorumq.job.id": job.id,
        "quorumq.raft.index": job.logIndex,
      },
    });
    const dispatched = spans.find(({ name }) => name.startsWith("dispatch"));
    expect(dispatched?.parentSpanId).toBe(roots[0]?.spanId);
    const processed = spans.find(({ name }) => name.startsWith("process"));
    expect(processed?.parentSpanId).toBe(dispatched?.spanId);
    const handled = spans.find(({ name }) => name.startsWith("handler"));
    expect(handled?.parentSpanId).toBe(processed?.spanId);
  });

  test("points to the call that created the schedule, and is no part of its trace", () => {
    const call = receiver.spans.find(({ parentSpanId }) => parentSpanId === creator.spanId);
    expect(call).toMatchObject({ name: "quorumq.v1.JobService/CreateSchedule" });
    const root = spans.find(({ parentSpanId }) => parentSpanId === "");
    expect(root?.links).toEqual([`${creator.traceId} ${call?.spanId}`]);
    expect(job.traceId).not.toBe(creator.traceId);
  });
});

describe("what nobody traces", () => {
  test("makes no span: no heartbeats, leases or ticks anywhere in what was received", () => {
    const calls = /^(quorumq\.v1\.|helloworld\.|propose|raft\.)/;
    const ofJobs = /^(schedule\.tick$|dispatch|process|lock\.|handler)/;
    const strange = receiver.spans.filter(({ name }) => !calls.test(name) && !ofJobs.test(name));
    expect(strange.map(({ name, service }) => [name, service])).toEqual([]);
    const roots = receiver.spans.filter(({ parentSpanId }) => parentSpanId === "");
    const rootNames = new Set(roots.map(({ name }) => name));
    for (const name of rootNames)
      expect(name).toMatch(/^(helloworld\.Greeter|quorumq\.v1\.|schedule\.tick$)/);
    const commands = receiver.spans.map(({ attributes }) => attributes["quorumq.command"]);
    for (const silent of [
      "renew-leases",
      "tick",
      "open-term",
      "register-kinds",
      "tick-schedules",
    ]) {
      expect(commands).not.toContain(silent);
    }
  });
});
