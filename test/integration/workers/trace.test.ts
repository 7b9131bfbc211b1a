// The trace of one job behind the quorum: which spans there are, and whose child each is.

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, test } from "@jest/globals";
import { trace } from "@opentelemetry/api";
import { NodeSDK } from "@opentelemetry/sdk-node";
import {
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace";
import { z } from "zod";
import { defineJob } from "../../../workers/define-job.ts";
import { startPipeline } from "../../support/pipeline.ts";
import { atEnd } from "../../support/teardown.ts";

const exporter = new InMemorySpanExporter();
const sdk = new NodeSDK({
  spanProcessors: [new SimpleSpanProcessor({ exporter })],
  autoDetectResources: false,
  instrumentations: [],
  metricReaders: [],
  logRecordProcessors: [],
});
sdk.start();
atEnd(() => sdk.shutdown());

const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";
const SUBMISSION = "b7ad6b7169203331";
const pipeline = await startPipeline();

const traced = defineJob({
  kind: "traced",
  queue: "traced",
  input: z.object({ id: z.string(), fails: z.boolean() }),
  lock: "traced:{id}",
  retry: { maxAttempts: 1 },
  handler({ fails }, { progress }) {
    progress({ step: 1 });
    trace.getTracer("user").startActiveSpan("user's own", (span) => span.end());
    if (fails) throw new Error("on purpose");
  },
});

async function spansOf(fails: boolean, flags: string): Promise<Map<string, ReadableSpan>> {
  exporter.reset();
  const worker = await pipeline.startWorker([traced]);
  const traceparent = `00-${TRACE_ID}-${SUBMISSION}-${flags}`;
  const jobId = await pipeline.submit("traced", { id: "x", fails }, { traceparent });
  await pipeline.until(jobId, "succeeded", "failed");
  await worker.close();
  return new Map(exporter.getFinishedSpans().map((span) => [span.name, span]));
}

describe("the spans of a job", () => {
  test("hang together, from the submission to the user's own", async () => {
    const spans = await spansOf(false, "01");
    const idOf = (name: string): string | undefined => spans.get(name)?.spanContext().spanId;
    const parents = [...spans].map(([name, span]) => [name, span.parentSpanContext?.spanId]);
    expect(Object.fromEntries(parents)).toEqual({
      "dispatch traced": SUBMISSION,
      "process traced": idOf("dispatch traced"),
      "lock.acquire": idOf("process traced"),
      "handler traced": idOf("process traced"),
      "user's own": idOf("handler traced"),
    });
    const traceIds = new Set([...spans.values()].map((span) => span.spanContext().traceId));
    expect([...traceIds]).toEqual([TRACE_ID]);
    expect(spans.get("handler traced")?.events.map(({ name }) => name)).toEqual(["progress"]);
  });

  test("tell the attempt's number, token and outcome, and never a payload", async () => {
    const spans = await spansOf(false, "01");
    const attributes = spans.get("process traced")?.attributes ?? {};
    expect(attributes).toMatchObject({
      "quorumq.attempt.number": 1,
      "quorumq.attempt.outcome": "succeeded",
      "messaging.system": "bullmq",
      "messaging.destination.name": "traced",
    });
    expect(attributes["quorumq.fencing_token"]).toEqual(expect.any(Number));
    for (const span of spans.values()) {
      expect(JSON.stringify(span.attributes)).not.toContain("fails");
    }
  });

  test("are marked with the error when the handler fails", async () => {
    const spans = await spansOf(true, "01");
    for (const name of ["handler traced", "process traced"]) {
      expect(spans.get(name)?.status).toMatchObject({ code: 2, message: "on purpose" });
    }
  });

  test("can be gone on with in a child process", async () => {
    exporter.reset();
    const parent = defineJob({
      kind: "parent-process",
      queue: "parent-process",
      input: z.object({}),
      async handler(_input, { traceparent }) {
        const words = ["-e", "process.stdout.write(process.env.TRACEPARENT)"];
        const env = { ...process.env, TRACEPARENT: traceparent };
        return (await promisify(execFile)(process.execPath, words, { env })).stdout;
      },
    });
    const worker = await pipeline.startWorker([parent]);
    const traceparent = `00-${TRACE_ID}-${SUBMISSION}-01`;
    const jobId = await pipeline.submit("parent-process", {}, { traceparent });
    const heard = await pipeline.result(jobId);
    await worker.close();
    const span = exporter.getFinishedSpans().find(({ name }) => name.startsWith("handler"));
    expect(heard).toBe(`00-${TRACE_ID}-${span?.spanContext().spanId}-01`);
  });

  test("are none when the submission was not sampled", async () => {
    const spans = await spansOf(false, "00");
    expect([...spans.keys()]).toEqual([]);
  });
});
