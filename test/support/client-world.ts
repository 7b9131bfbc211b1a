// Clients and nodes on the run's RabbitMQ, for tests of the traffic between them: a cluster name
// of its own for each ledger, and all of it closed after each test.

import { randomBytes } from "node:crypto";
import { afterEach, beforeAll, jest } from "@jest/globals";
import amqp from "amqplib";
import type { CommandBody } from "../../ledger/command.ts";
import { AmqpQuorum, type OpenQuorumOptions } from "../../transport/amqp/amqp-quorum.ts";
import { leaderExchange } from "../../transport/amqp/topology.ts";
import { encodeBeacon } from "../../transport/call-codec.ts";
import type { LeaderView } from "../../transport/quorum.ts";
import { silentLogger } from "../../transport/telemetry/logger.ts";
import { BROKER_START_TIMEOUT_MS, sharedBroker } from "./broker.ts";
import { ledgerSpec } from "./ledger-spec.ts";
import { SoloNode } from "./solo-node.ts";
import { SoloQuorum } from "./solo-quorum.ts";

jest.setTimeout(BROKER_START_TIMEOUT_MS);

export const KIND: CommandBody = {
  kind: "register-kinds",
  kinds: [
    {
      kind: "greet",
      queue: "main",
      maxAttempts: 3,
      backoff: { initialMs: 100, multiplier: 2, maxMs: 1_000, jitter: 0.5 },
      attemptTimeoutMs: 0,
      totalTimeoutMs: 0,
      lockTemplates: [],
      concurrencyTemplates: [],
    },
  ],
};
export const CALL = { timeoutMs: 10_000, traceparent: "" };

export let url = "";
export let cluster = "";
export const closers: (() => Promise<void>)[] = [];

beforeAll(async () => {
  ({ url } = await sharedBroker());
});

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

export function submission(idempotencyKey: string): CommandBody {
  const payload = Buffer.from('{"name":"Ada"}');
  const job = ledgerSpec({ kind: "greet", payload, idempotencyKey });
  return { kind: "submit-jobs", jobs: [job] };
}

export function startLedger(): SoloQuorum {
  cluster = `c${randomBytes(4).toString("hex")}`;
  const ledger = new SoloQuorum();
  ledger.apply(KIND);
  closers.push(() => ledger.close());
  return ledger;
}

export async function startNode(nodeId: string, quorum: SoloQuorum): Promise<SoloNode> {
  const node = new SoloNode({ url, cluster, nodeId, quorum });
  closers.push(() => node.close());
  await node.mailbox.connected();
  return node;
}

export async function startClient(options: Partial<OpenQuorumOptions> = {}): Promise<AmqpQuorum> {
  const client = new AmqpQuorum({
    url,
    cluster,
    clientId: "g1",
    role: "gateway",
    logger: silentLogger(),
    follow: null,
    ...options,
  });
  closers.push(() => client.close());
  await client.connected();
  return client;
}

export function untilLeader(
  client: AmqpQuorum,
  isWanted: (view: LeaderView) => boolean,
): Promise<void> {
  if (isWanted(client.leader())) return Promise.resolve();
  return new Promise((resolve) => {
    const stop = client.onLeader((view) => {
      if (!isWanted(view)) return;
      stop();
      resolve();
    });
  });
}

/** One beacon, as from a node that is silent afterwards. */
export async function sendBeacon(node: string, term: number): Promise<void> {
  const connection = await amqp.connect(url);
  const channel = await connection.createConfirmChannel();
  channel.publish(leaderExchange(cluster), "", encodeBeacon({ node, incarnation: 1, term }));
  await channel.waitForConfirms();
  await connection.close();
}

export async function startPair(): Promise<{
  ledger: SoloQuorum;
  node: SoloNode;
  client: AmqpQuorum;
}> {
  const ledger = startLedger();
  const node = await startNode("n1", ledger);
  const client = await startClient();
  node.lead(1);
  await untilLeader(client, ({ leader }) => leader === "n1");
  return { ledger, node, client };
}
