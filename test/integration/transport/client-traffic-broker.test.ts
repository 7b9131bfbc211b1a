// Calls that are open while RabbitMQ goes away and comes back.

import { randomBytes } from "node:crypto";
import { beforeAll, expect, jest, test } from "@jest/globals";
import { type AmqpQuorum, openQuorum } from "../../../transport/amqp/amqp-quorum.ts";
import type { LeaderView } from "../../../transport/quorum.ts";
import { silentLogger } from "../../../transport/telemetry/logger.ts";
import { BROKER_START_TIMEOUT_MS, type Broker, startBroker } from "../../support/broker.ts";
import { SoloNode } from "../../support/solo-node.ts";
import { SoloQuorum } from "../../support/solo-quorum.ts";
import { atEnd } from "../../support/teardown.ts";

jest.setTimeout(BROKER_START_TIMEOUT_MS);

const cluster = `c${randomBytes(4).toString("hex")}`;
const ledger = new SoloQuorum();
let broker: Broker;
let client: AmqpQuorum;

function untilLeader(isWanted: (view: LeaderView) => boolean): Promise<void> {
  if (isWanted(client.leader())) return Promise.resolve();
  return new Promise((resolve) => {
    const stop = client.onLeader((view) => {
      if (!isWanted(view)) return;
      stop();
      resolve();
    });
  });
}

const register = (queue: string) => ({
  kind: "register-kinds" as const,
  kinds: [
    {
      kind: "greet",
      queue,
      maxAttempts: 1,
      backoff: { initialMs: 1, multiplier: 1, maxMs: 1, jitter: 0.5 },
      attemptTimeoutMs: 0,
      totalTimeoutMs: 0,
      lockTemplates: [],
      concurrencyTemplates: [],
    },
  ],
});

beforeAll(async () => {
  broker = await startBroker();
  const node = new SoloNode({ url: broker.url, cluster, nodeId: "n1", quorum: ledger });
  atEnd(() => node.close());
  atEnd(() => ledger.close());
  node.lead(1);
  client = await openQuorum({
    url: broker.url,
    cluster,
    clientId: "g1",
    role: "gateway",
    logger: silentLogger(),
    follow: {},
  });
  atEnd(() => client.close());
  await untilLeader(({ leader }) => leader === "n1");
}, BROKER_START_TIMEOUT_MS);

test("each call made around a broker's restart ends as its outcome says", async () => {
  const gap = new Promise<void>((resolve) => client.onEventGap(resolve));
  const early = Array.from({ length: 50 }, (_, n) =>
    client.propose(register(`early-${n}`), { timeoutMs: 60_000, traceparent: "" }),
  );
  const lost = untilLeader(({ leader }) => leader === null);
  await broker.kill();
  await lost;
  const hasty = await client.propose(register("hasty"), { timeoutMs: 200, traceparent: "" });
  const patient = client.propose(register("patient"), { timeoutMs: 60_000, traceparent: "" });
  await broker.start();

  expect(hasty).toEqual({ kind: "unavailable", reason: "broker-unavailable" });
  expect((await Promise.all(early)).map(({ kind }) => kind)).toEqual(Array(50).fill("applied"));
  expect(await patient).toMatchObject({ kind: "applied" });
  await gap;
});

test("opening does not wait for a broker that is away, its calls end in time", async () => {
  const away = await openQuorum({
    url: "amqp://127.0.0.1:1",
    cluster,
    clientId: "g2",
    role: "worker",
    logger: silentLogger(),
    follow: null,
  });
  atEnd(() => away.close());
  expect(await away.propose(register("q"), { timeoutMs: 100, traceparent: "" })).toEqual({
    kind: "unavailable",
    reason: "broker-unavailable",
  });
});
