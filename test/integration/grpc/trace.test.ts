// What a call leaves in a trace: its SERVER span, the parent it gives to a job, x-trace-id.

import { Client, credentials, status as GrpcCode, type Metadata } from "@grpc/grpc-js";
import { beforeAll, beforeEach, describe, expect, jest, test } from "@jest/globals";
import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import { NodeSDK } from "@opentelemetry/sdk-node";
import { InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace";
import { GreeterService } from "../../../protos/gen/helloworld.ts";
import { all, type Edge, each, failureOf, startEdge } from "../../support/edge.ts";
import { startHttpEdge } from "../../support/http-edge.ts";
import { jobSpec } from "../../support/job-spec.ts";
import { atEnd } from "../../support/teardown.ts";
import { registerKinds, runTinyExecutor } from "../../support/tiny-executor.ts";

jest.setTimeout(30_000);

const exporter = new InMemorySpanExporter();
const sdk = new NodeSDK({
  spanProcessors: [new SimpleSpanProcessor({ exporter })],
  autoDetectResources: false,
  instrumentations: [],
  metricReaders: [],
  logRecordProcessors: [],
});
const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";
const traceparent = `00-${TRACE_ID}-b7ad6b7169203331-01`;
let edge: Edge;

beforeAll(async () => {
  sdk.start();
  atEnd(() => sdk.shutdown());
  edge = await startEdge();
  await registerKinds(edge.quorum, ["idle"]);
  await runTinyExecutor(edge.quorum, {
    greet: () => ({ result: { message: "Hello" } }),
    echo: (input) => ({ result: input }),
  });
});

beforeEach(() => exporter.reset());

function theSpan() {
  const spans = exporter.getFinishedSpans();
  expect(spans).toHaveLength(1);
  const [span] = spans;
  if (span === undefined) throw new Error("no span");
  return span;
}

describe("the SERVER span", () => {
  test("is a child of the caller's, and the parent of all that the job causes", async () => {
    const { jobId, traceId } = await edge.jobs.submitJob({ job: jobSpec() }, { traceparent });
    const span = theSpan();
    expect(span.name).toBe("quorumq.v1.JobService/SubmitJob");
    expect(span.kind).toBe(SpanKind.SERVER);
    expect(span.parentSpanContext?.spanId).toBe("b7ad6b7169203331");
    expect(span.attributes).toEqual({
      "rpc.system.name": "grpc",
      "rpc.method": "quorumq.v1.JobService/SubmitJob",
      "rpc.status_code": "OK",
      "quorumq.job.id": jobId,
    });
    expect(traceId).toBe(TRACE_ID);
    const spanId = span.spanContext().spanId;
    const job = edge.quorum.ledger.jobs.get(jobId);
    expect(job?.traceparent).toBe(`00-${TRACE_ID}-${spanId}-01`);
  });

  test("over HTTP is the same, named after the path, with the status of HTTP", async () => {
    const http = await startHttpEdge(edge.quorum);
    const { json } = await http.call("POST", "/v1/jobs", { kind: "idle" }, { traceparent });
    const span = theSpan();
    expect([span.name, span.kind]).toEqual(["POST /v1/jobs", SpanKind.SERVER]);
    expect(span.parentSpanContext?.spanId).toBe("b7ad6b7169203331");
    expect(span.attributes).toEqual({
      "http.request.method": "POST",
      "http.route": "/v1/jobs",
      "http.response.status_code": 200,
      "rpc.method": "quorumq.v1.JobService/SubmitJob",
      "rpc.status_code": "OK",
      "quorumq.job.id": json["jobId"],
    });
    exporter.reset();
    await http.call("GET", "/v1/jobs/j-999999");
    expect(theSpan().attributes).toMatchObject({
      "http.response.status_code": 404,
      "rpc.status_code": "NOT_FOUND",
    });
  });

  test.each(["", "not-a-traceparent"])("is a root for a caller who sends %p", async (parent) => {
    const { traceId } = await edge.jobs.submitJob({ job: jobSpec() }, { traceparent: parent });
    const span = theSpan();
    expect(span.parentSpanContext).toBeUndefined();
    expect(traceId).toBe(span.spanContext().traceId);
  });

  test("is not recorded for a caller who does not sample", async () => {
    const unsampled = traceparent.replace(/01$/, "00");
    const { traceId } = await edge.jobs.submitJob({ job: jobSpec() }, { traceparent: unsampled });
    expect(traceId).toBe(TRACE_ID);
    expect(exporter.getFinishedSpans().map((span) => span.spanContext().traceFlags)).not.toContain(
      1,
    );
  });

  test("of a caller's mistake is no failure of the server", async () => {
    await failureOf(edge.jobs.submitJob({ job: jobSpec({ kind: "" }) }));
    expect(theSpan().attributes["rpc.status_code"]).toBe("INVALID_ARGUMENT");
    expect(theSpan().status.code).toBe(SpanStatusCode.UNSET);
  });

  test("of a failure of the server says its reason", async () => {
    edge.quorum.interrupt({ kind: "unavailable", reason: "overloaded" });
    await failureOf(edge.jobs.submitJob({ job: jobSpec() }));
    edge.quorum.interrupt({ kind: "unknown" });
    await failureOf(edge.jobs.submitJob({ job: jobSpec() }, { timeoutMs: 1_000 }));
    edge.quorum.restore();
    const [refused, late] = exporter.getFinishedSpans();
    expect(refused?.attributes["rpc.status_code"]).toBe("RESOURCE_EXHAUSTED");
    expect(late?.attributes).toMatchObject({
      "rpc.status_code": "DEADLINE_EXCEEDED",
      "error.type": "OUTCOME_UNKNOWN",
    });
    expect(late?.status.code).toBe(SpanStatusCode.ERROR);
  });

  test("covers a stream from its first to its last message", async () => {
    await all(edge.greeter.sayHelloBidiStream(each([{ name: "a" }, { name: "b" }])));
    expect(theSpan().name).toBe("helloworld.Greeter/SayHelloBidiStream");
    expect(theSpan().attributes["rpc.status_code"]).toBe("OK");
  });

  test("ends when the caller goes away", async () => {
    const { jobId } = await edge.jobs.submitJob({ job: jobSpec({ kind: "idle" }) });
    exporter.reset();
    const abort = new AbortController();
    const waiting = failureOf(edge.jobs.waitJob({ jobId }, { signal: abort.signal }));
    setTimeout(() => abort.abort(), 100);
    expect((await waiting).code).toBe("CANCELLED");
    while (exporter.getFinishedSpans().length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(theSpan().attributes["rpc.status_code"]).toBe("CANCELLED");
  });
});

describe("x-trace-id", () => {
  function trailerOf(name: string): Promise<{ code: number; metadata: Metadata }> {
    const client = new Client(edge.address, credentials.createInsecure());
    const { path, requestSerialize, responseDeserialize } = GreeterService.sayHello;
    return new Promise((resolve) => {
      const call = client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        { name },
        () => undefined,
      );
      call.on("status", (status) => {
        client.close();
        resolve(status);
      });
    });
  }

  test("is in the trailer of an answer and of an error", async () => {
    const answered = await trailerOf("x");
    const refused = await trailerOf("x".repeat(300_000));
    expect([answered.code, refused.code]).toEqual([GrpcCode.OK, GrpcCode.INVALID_ARGUMENT]);
    const traceIds = exporter.getFinishedSpans().map((span) => span.spanContext().traceId);
    expect([answered, refused].map(({ metadata }) => metadata.get("x-trace-id")[0])).toEqual(
      traceIds,
    );
  });
});
