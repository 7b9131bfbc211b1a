// The OpenTelemetry SDK of a process.
//
// Guarantees: every process makes real trace ids, whether or not anybody collects spans; spans
// leave only where OTEL_* says so; a caller's sampling decision is kept; shutdown flushes, within
// a bound. Metrics and logs are exported only when OTEL_* asks for them by name.
// Does not own: which spans there are (name.ts, trace.ts).
//
// No automatic instrumentation, on purpose: instrumentation-amqplib makes a root span of every
// consumed message, so that each Raft heartbeat would be a trace, cannot leave queues out, and
// halves the rate of messages. Our spans are made by hand where a job passes.

import { setTimeout as delay } from "node:timers/promises";
import { diag } from "@opentelemetry/api";
import { defaultResource, envDetector, resourceFromAttributes } from "@opentelemetry/resources";
import { NodeSDK } from "@opentelemetry/sdk-node";
import { AlwaysOffSampler, NoopSpanProcessor, ParentBasedSampler } from "@opentelemetry/sdk-trace";

/** The SDK's own 5 s would hide a stuck job from who looks for it. */
const EXPORT_DELAY_MS = 500;
const SHUTDOWN_TIMEOUT_MS = 3_000;

export interface TelemetryOptions {
  /** Such as quorumq-node; OTEL_SERVICE_NAME goes before it. */
  readonly serviceName: string;
  readonly instanceId: string;
  readonly version: string;
}

export interface Telemetry {
  /** Flushes what is not exported yet. Never rejects, and takes three seconds at most. */
  shutdown(): Promise<void>;
}

export function startTelemetry({ serviceName, instanceId, version }: TelemetryOptions): Telemetry {
  const resource = defaultResource().merge(
    resourceFromAttributes({
      "service.name": serviceName,
      "service.namespace": "quorumq",
      "service.instance.id": instanceId,
      "service.version": version,
    }),
  );
  // The SDK has no option for it beside the variable, as long as it is to read the exporters.
  process.env["OTEL_BSP_SCHEDULE_DELAY"] ??= String(EXPORT_DELAY_MS);
  const sdk = new NodeSDK({
    resource,
    // What the user says of the resource (OTEL_RESOURCE_ATTRIBUTES) is merged over ours.
    resourceDetectors: [envDetector],
    instrumentations: [],
    ...(isSet("OTEL_METRICS_EXPORTER") ? {} : { metricReaders: [] }),
    ...(isSet("OTEL_LOGS_EXPORTER") ? {} : { logRecordProcessors: [] }),
    ...(isCollected() ? {} : uncollected()),
  });
  sdk.start();
  return { shutdown: () => shutDown(sdk) };
}

/** Whether somebody has said where spans go. */
function isCollected(): boolean {
  if (process.env["OTEL_TRACES_EXPORTER"]?.trim() === "none") return false;
  return (
    isSet("OTEL_TRACES_EXPORTER") ||
    isSet("OTEL_EXPORTER_OTLP_ENDPOINT") ||
    isSet("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
  );
}

/** Ids without spans: a new trace is not sampled, so nothing is recorded for nobody. */
function uncollected() {
  return {
    spanProcessors: [new NoopSpanProcessor()],
    sampler: new ParentBasedSampler({ root: new AlwaysOffSampler() }),
  };
}

function isSet(name: string): boolean {
  const value = process.env[name];
  return value !== undefined && value.trim() !== "";
}

async function shutDown(sdk: NodeSDK): Promise<void> {
  const tooLate = new AbortController();
  const flushed = sdk.shutdown().catch((error: unknown) => {
    diag.error("the last spans could not be exported", error);
  });
  const bound = delay(SHUTDOWN_TIMEOUT_MS, undefined, { signal: tooLate.signal });
  // Aborted when the flush was quicker.
  await Promise.race([flushed, bound.catch(() => undefined)]);
  tooLate.abort();
}
