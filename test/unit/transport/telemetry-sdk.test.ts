// Trace ids in a process whose spans nobody collects.

import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { startTelemetry, type Telemetry } from "../../../transport/telemetry/sdk.ts";
import {
  isTraced,
  SpanKind,
  startRootSpan,
  startSpan,
  traceIdOf,
  traceparentOf,
} from "../../../transport/telemetry/trace.ts";

let telemetry: Telemetry;

beforeEach(() => {
  for (const name of Object.keys(process.env)) {
    if (name.startsWith("OTEL_")) delete process.env[name];
  }
  telemetry = startTelemetry({ serviceName: "quorumq-test", instanceId: "t1", version: "0.0.0" });
});
afterEach(() => telemetry.shutdown());

test("without a collector a new trace has an id and is not sampled", () => {
  const traceparent = traceparentOf(startRootSpan({ name: "x", kind: SpanKind.SERVER }));
  expect(traceIdOf(traceparent)).toMatch(/^[0-9a-f]{32}$/);
  expect(isTraced(traceparent)).toBe(false);
  // A caller that samples is passed on as it decided.
  const parent = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`;
  const child = traceparentOf(startSpan({ name: "y", kind: SpanKind.INTERNAL, parent }));
  expect(traceIdOf(child)).toBe("a".repeat(32));
  expect(isTraced(child)).toBe(true);
  expect(child).not.toBe(parent);
});
