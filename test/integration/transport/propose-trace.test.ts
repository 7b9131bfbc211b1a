// The trace of a proposal, from the caller's span over RabbitMQ to an OTLP collector.

import { randomBytes } from "node:crypto";
import { expect, jest, test } from "@jest/globals";
import { AmqpQuorum } from "../../../transport/amqp/amqp-quorum.ts";
import { silentLogger } from "../../../transport/telemetry/logger.ts";
import { startTelemetry } from "../../../transport/telemetry/sdk.ts";
import { SpanKind, startRootSpan, traceparentOf } from "../../../transport/telemetry/trace.ts";
import { BROKER_START_TIMEOUT_MS, sharedBroker } from "../../support/broker.ts";
import { startOtlpReceiver } from "../../support/otlp-receiver.ts";
import { SoloNode } from "../../support/solo-node.ts";
import { SoloQuorum } from "../../support/solo-quorum.ts";
import { atEnd } from "../../support/teardown.ts";

jest.setTimeout(BROKER_START_TIMEOUT_MS);

const REGISTER = {
  kind: "register-kinds" as const,
  kinds: [
    {
      kind: "greet",
      queue: "main",
      maxAttempts: 1,
      backoff: { initialMs: 1, multiplier: 1, maxMs: 1, jitter: 0.5 },
      attemptTimeoutMs: 0,
      totalTimeoutMs: 0,
      lockTemplates: [],
      concurrencyTemplates: [],
    },
  ],
};

test("a traced proposal is one PRODUCER span, child of the caller's, with each sending", async () => {
  const receiver = await startOtlpReceiver();
  atEnd(() => receiver.close());
  process.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = receiver.endpoint;
  const identity = { serviceName: "quorumq-gateway", instanceId: "g1", version: "0.0.0" };
  const telemetry = startTelemetry(identity);
  const { url } = await sharedBroker();
  const cluster = `c${randomBytes(4).toString("hex")}`;
  const ledger = new SoloQuorum();
  atEnd(() => ledger.close());
  const node = new SoloNode({ url, cluster, nodeId: "n1", quorum: ledger });
  atEnd(() => node.close());
  const client = new AmqpQuorum({
    url,
    cluster,
    clientId: "g1",
    role: "gateway",
    logger: silentLogger(),
    follow: null,
  });
  atEnd(() => client.close());
  await client.connected();
  node.lead(1);
  // The first sending gets no answer: the second is an event of the same span.
  node.intercept = () => {
    node.intercept = null;
    return null;
  };

  const root = startRootSpan({ name: "caller", kind: SpanKind.SERVER });
  await client.propose(REGISTER, { timeoutMs: 10_000, traceparent: traceparentOf(root) });
  await client.propose(REGISTER, { timeoutMs: 10_000, traceparent: "" });
  root.end();
  await telemetry.shutdown();

  expect(receiver.spans.map(({ name }) => name)).toEqual(["propose", "caller"]);
  const [propose, caller] = receiver.spans;
  expect(propose).toMatchObject({
    service: "quorumq-gateway",
    instance: "g1",
    traceId: caller?.traceId,
    parentSpanId: caller?.spanId,
    // PRODUCER, in OTLP's numbers.
    kind: 4,
    events: ["resend"],
    statusCode: 0,
    attributes: {
      "messaging.system": "rabbitmq",
      "messaging.destination.name": `quorumq.${cluster}.clients`,
      "messaging.operation.type": "send",
      "quorumq.command": "register-kinds",
    },
  });
  // The leader's span will be a child of this one, also after a repetition.
  const sent = node.requests.map(([call]) => call?.traceparent);
  const own = `00-${propose?.traceId}-${propose?.spanId}-01`;
  expect(sent).toEqual([own, own, ""]);
});
