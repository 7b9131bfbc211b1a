// One trace for one job, as an OTLP receiver gets it from six processes.

import { randomBytes } from "node:crypto";
import { beforeAll, describe, expect, jest, test } from "@jest/globals";
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

describe("what nobody traces", () => {
  test("makes no span: no heartbeats, leases or ticks anywhere in what was received", () => {
    const known = /^(quorumq\.v1\.|helloworld\.|propose|raft\.|dispatch|process|lock\.|handler)/;
    const strange = receiver.spans.filter(({ name }) => !known.test(name));
    expect(strange.map(({ name, service }) => [name, service])).toEqual([]);
    const roots = receiver.spans.filter(({ parentSpanId }) => parentSpanId === "");
    const rootNames = new Set(roots.map(({ name }) => name));
    for (const name of rootNames) expect(name).toMatch(/^(helloworld\.Greeter|quorumq\.v1\.)/);
    const commands = receiver.spans.map(({ attributes }) => attributes["quorumq.command"]);
    for (const silent of ["renew-leases", "tick", "open-term", "register-kinds"]) {
      expect(commands).not.toContain(silent);
    }
  });
});
