// Each row of the error table, provoked through the public API: its code, its one ErrorInfo with
// every value that the message quotes, and the time to try again where that can help.

import { beforeAll, describe, expect, jest, test } from "@jest/globals";
import { RUNS_MAX } from "../../../ledger/history-limit.ts";
import { ErrorInfo } from "../../../protos/gen/google/rpc/error_details.ts";
import { Status } from "../../../protos/gen/google/rpc/status.ts";
import { connectJobs } from "../../../transport/grpc/client.ts";
import { DETAILS_KEY, type GrpcFailure } from "../../../transport/grpc/status.ts";
import { httpStatusOf } from "../../../transport/http/error-answer.ts";
import { PAYLOAD_BYTES_MAX } from "../../../transport/limit.ts";
import type { PipelineError } from "../../../transport/pipeline-error.ts";
import type { Unanswered } from "../../../transport/quorum.ts";
import { REASONS, type Reason } from "../../../transport/reason.ts";
import { all, type Edge, failureOf, startEdge } from "../../support/edge.ts";
import { type HttpEdge, type Json, startHttpEdge } from "../../support/http-edge.ts";
import { jobSpec } from "../../support/job-spec.ts";
import { SoloQuorum } from "../../support/solo-quorum.ts";
import { registerKinds, runTinyExecutor } from "../../support/tiny-executor.ts";

jest.setTimeout(30_000);

let edge: Edge;
let http: HttpEdge;

beforeAll(async () => {
  const quorum = new SoloQuorum();
  edge = await startEdge(quorum);
  http = await startHttpEdge(quorum);
  await registerKinds(quorum, ["idle"]);
  await runTinyExecutor(quorum, { echo: (input) => ({ result: input }) });
});

/** A job that waits, and one that has ended well. */
async function waiting(): Promise<string> {
  return (await edge.jobs.submitJob({ job: jobSpec({ kind: "idle" }) })).jobId;
}

async function ended(): Promise<string> {
  return (await edge.jobs.runJob({ job: jobSpec() })).job?.id ?? "";
}

async function interrupted(outcome: Unanswered): Promise<PipelineError> {
  edge.quorum.interrupt(outcome);
  try {
    return await failureOf(edge.jobs.submitJob({ job: jobSpec() }, { timeoutMs: 1_000 }));
  } finally {
    edge.quorum.restore();
  }
}

function absent(reason: "no-leader" | "broker-unavailable" | "shutting-down" | "overloaded") {
  return () => interrupted({ kind: "unavailable", reason });
}

const lockOf = (keys: string[]) => ({
  keys,
  ttl: undefined,
  wait: undefined,
  owner: "me",
  requestId: "",
});

const OVER_GRPC: Partial<Readonly<Record<Reason, () => Promise<PipelineError>>>> = {
  INVALID_FIELD: () => failureOf(edge.jobs.submitJob({ job: jobSpec({ kind: "no such" }) })),
  PAYLOAD_TOO_LARGE: () => {
    const payload = Buffer.from(JSON.stringify("x".repeat(PAYLOAD_BYTES_MAX)));
    return failureOf(edge.jobs.submitJob({ job: jobSpec({ payload }) }));
  },
  NO_LEADER: absent("no-leader"),
  BROKER_UNAVAILABLE: absent("broker-unavailable"),
  SHUTTING_DOWN: absent("shutting-down"),
  BACKLOG_FULL: absent("overloaded"),
  NO_WORKER_RAN_IT: () => failureOf(edge.greeter.sayHello({ name: "nobody" })),
  UNREACHABLE: async () => {
    const { jobs, close } = connectJobs({ address: "127.0.0.1:9" });
    const failure = await failureOf(jobs.getJob({ jobId: "j-1" }, { timeoutMs: 10_000 }));
    close();
    return failure;
  },
  OUTCOME_UNKNOWN: () => interrupted({ kind: "unknown" }),
  FENCED: async () => {
    const { lockId, fencingToken } = await edge.locks.acquireLock(lockOf(["fenced"]));
    return failureOf(edge.locks.releaseLock({ lockId, fencingToken: fencingToken + 1 }));
  },
  LOCK_HELD: async () => {
    await edge.locks.acquireLock(lockOf(["held"]));
    return failureOf(edge.locks.acquireLock(lockOf(["held"])));
  },
  MESSAGE_TOO_LARGE: () => {
    const payload = Buffer.alloc(5 * 1024 * 1024, 0x20);
    return failureOf(edge.jobs.submitJob({ job: jobSpec({ payload }) }));
  },
  IDEMPOTENCY_KEY_REUSED: async () => {
    const job = jobSpec({ kind: "idle", idempotencyKey: "reused" });
    await edge.jobs.submitJob({ job });
    return failureOf(edge.jobs.submitJob({ job: { ...job, payload: Buffer.from("1") } }));
  },
  JOB_FINISHED: async () => failureOf(edge.jobs.cancelJob({ jobId: await ended(), reason: "" })),
  JOB_NOT_FINISHED: async () =>
    failureOf(edge.jobs.retryJob({ jobId: await waiting(), requestId: "" })),
  JOB_SUCCEEDED: async () => failureOf(edge.jobs.retryJob({ jobId: await ended(), requestId: "" })),
  JOB_SPENT: async () => {
    const [jobId, call] = [await waiting(), { timeoutMs: 1_000, traceparent: "" }];
    await edge.quorum.propose({ kind: "cancel-job", jobId, reason: "" }, call);
    for (let run = 2; run <= RUNS_MAX; run += 1) {
      await edge.quorum.propose({ kind: "retry-job", jobId, requestId: `r${run}` }, call);
      await edge.quorum.propose({ kind: "cancel-job", jobId, reason: "" }, call);
    }
    return failureOf(edge.jobs.retryJob({ jobId, requestId: "" }));
  },
  JOB_NOT_FOUND: () => failureOf(edge.jobs.getJob({ jobId: "j-999999" })),
  NODE_UNKNOWN: () => failureOf(edge.cluster.addNode({ nodeIds: ["n9"] })),
  NODE_UNFIT: () => failureOf(edge.cluster.removeNode({ nodeIds: ["solo"] })),
  LOG_COMPACTED: async () => {
    await edge.cluster.takeSnapshot({});
    return failureOf(all(edge.cluster.tailLog({ fromIndex: 1, follow: false })));
  },
  METHOD_NOT_IMPLEMENTED: () => failureOf(all(edge.cluster.backup({}))),
};

type Asked = Parameters<HttpEdge["call"]>;

const OVER_HTTP: Partial<Readonly<Record<Reason, Asked>>> = {
  INVALID_FIELD: ["POST", "/v1/jobs", { kind: "no such" }],
  MALFORMED_REQUEST: ["POST", "/v1/jobs", "{"],
  UNSUPPORTED_MEDIA_TYPE: ["POST", "/v1/jobs", "{}", { "content-type": "text/csv" }],
  PATH_UNKNOWN: ["GET", "/v2/jobs"],
  VERB_NOT_ALLOWED: ["DELETE", "/v1/jobs"],
  ORIGIN_REFUSED: ["GET", "/v1/jobs", undefined, { origin: "https://elsewhere.example" }],
  DEADLINE_EXPIRED: ["GET", "/v1/jobs", undefined, { "x-timeout-ms": "0" }],
  JOB_NOT_FOUND: ["GET", "/v1/jobs/j-999999"],
};

/** As the design has them, but for credentials, which this version does not ask for. */
const TABLE: readonly Reason[] = [
  ...(["INVALID_FIELD", "PAYLOAD_TOO_LARGE", "NO_LEADER", "BROKER_UNAVAILABLE"] as const),
  ...(["SHUTTING_DOWN", "OUTCOME_UNKNOWN", "FENCED", "BACKLOG_FULL"] as const),
  ...(["IDEMPOTENCY_KEY_REUSED", "JOB_FINISHED", "JOB_NOT_FOUND"] as const),
];

test("the whole table is provoked", () => {
  expect(TABLE.filter((reason) => OVER_GRPC[reason] === undefined)).toEqual([]);
});

/** The strings that a message quotes; what is cut is not held to anything. */
function quotedIn(message: string): string[] {
  return Array.from(message.matchAll(/"((?:[^"\\]|\\.)*)"/g), (match) => match[1] ?? "").filter(
    (text) => !text.endsWith("…"),
  );
}

describe("over gRPC", () => {
  test.each(Object.entries(OVER_GRPC))("%s", async (reason, provoke) => {
    const failure = await provoke();
    const row: { code: string; retry: string; retryDelayMs?: number } = REASONS[reason as Reason];
    expect(failure).toMatchObject({ reason, code: row.code });
    const bytes = (failure.cause as GrpcFailure | undefined)?.metadata?.get(DETAILS_KEY)[0];
    // Told by gRPC itself, on either side: there is no trailer of ours.
    if (!Buffer.isBuffer(bytes)) {
      expect(["UNREACHABLE", "MESSAGE_TOO_LARGE"]).toContain(reason);
      return;
    }
    const { details } = Status.decode(bytes);
    const infos = details.filter(({ typeUrl }) => typeUrl.endsWith(".ErrorInfo"));
    expect(infos.map(({ value }) => ErrorInfo.decode(value).domain)).toEqual(["quorumq.v1"]);
    expect(failure.retryDelayMs).toBe(row.retryDelayMs);
    expect(failure.violations.length > 0).toBe(row.code === "INVALID_ARGUMENT");
    const values = Object.values(failure.metadata).join("\n");
    for (const value of quotedIn(failure.rawMessage)) expect(values).toContain(value);
  });
});

describe("over HTTP", () => {
  test.each(Object.entries(OVER_HTTP))("%s", async (reason, asked) => {
    const { status, json } = await http.call(...asked);
    const { code } = REASONS[reason as Reason];
    expect([status, json["error"]?.["status"]]).toEqual([httpStatusOf({ code, reason }), code]);
    const details = json["error"]?.["details"] as unknown as readonly Json[];
    const infos = details.filter((detail) => String(detail["@type"]).endsWith(".ErrorInfo"));
    expect(infos).toEqual([expect.objectContaining({ reason, domain: "quorumq.v1" })]);
    const values = Object.values(infos[0]?.["metadata"] ?? {}).join("\n");
    for (const value of quotedIn(String(json["error"]?.["message"])))
      expect(values).toContain(value);
  });
});
