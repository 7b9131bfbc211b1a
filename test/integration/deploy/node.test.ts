// Whole nodes as their process composes them, over a real RabbitMQ and on real disks: what a
// restart of one of them costs, and how one whose disk is damaged comes back.

import { EventEmitter, once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, jest, test } from "@jest/globals";
import { type NodeProcess, startNode } from "../../../deploy/node.ts";
import type { GetClusterResponse } from "../../../protos/gen/quorumq/v1/cluster_service.ts";
import { AmqpQuorum } from "../../../transport/amqp/amqp-quorum.ts";
import { LOG_FILE_NAME } from "../../../transport/disk/store-files.ts";
import { type Logger, silentLogger } from "../../../transport/telemetry/logger.ts";
import { BROKER_START_TIMEOUT_MS, sharedBroker } from "../../support/broker.ts";
import { REGISTRATION } from "../../support/driver-cluster.ts";
import { temporaryFolder } from "../../support/folder.ts";
import { startRedis } from "../../support/redis.ts";
import { atEnd } from "../../support/teardown.ts";

jest.setTimeout(BROKER_START_TIMEOUT_MS);

const { url: amqpUrl } = await sharedBroker();
const { url: redisUrl } = await startRedis();
const cluster = "whole";
const NAMES = ["n1", "n2", "n3"];
const folder = temporaryFolder("nodes");
const TIMING = {
  electionTimeoutMinMs: 1_000,
  electionTimeoutMaxMs: 2_000,
  heartbeatIntervalMs: 50,
};
const CALL = { timeoutMs: 20_000, traceparent: "" };

interface Line {
  readonly id: string;
  readonly text: string;
  readonly facts: Readonly<Record<string, unknown>>;
}

const nodes = new Map<string, NodeProcess>();
const lines: Line[] = [];
const failures: unknown[] = [];
const changes = new EventEmitter();
changes.setMaxListeners(0);

/** What the nodes log is what this test waits for. */
function loggerOf(id: string): Logger {
  const logger = silentLogger();
  const keep = (facts: Line["facts"] | string, text = ""): void => {
    if (typeof facts === "string") lines.push({ id, text: facts, facts: {} });
    else lines.push({ id, text, facts });
    changes.emit("line");
  };
  return Object.assign(logger, { info: keep, warn: keep, error: keep });
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await once(changes, "line");
}

async function start(id: string): Promise<void> {
  const node = await startNode({
    amqpUrl,
    redisUrl,
    cluster,
    nodeId: id,
    members: NAMES,
    dataDir: join(folder, id),
    snapshotLogBytes: 2 ** 30,
    timing: TIMING,
    logger: loggerOf(id),
    onFatal: (cause) => failures.push(cause),
  });
  nodes.set(id, node);
}

async function close(id: string): Promise<void> {
  await nodes.get(id)?.close();
  nodes.delete(id);
}

function leaderName(): string | null {
  const leading = [...nodes].find(([, { driver }]) => driver.status().role === "leader");
  return leading?.[0] ?? null;
}

/** Resolves with its name. */
async function untilLed(): Promise<string> {
  await until(() => leaderName() !== null);
  const name = leaderName();
  if (name === null) throw new Error("until holds");
  return name;
}

async function view(client: AmqpQuorum): Promise<GetClusterResponse> {
  const end = await client.read({ read: { $case: "cluster", value: {} } }, CALL);
  if (end.kind !== "answered" || end.answer.cluster === undefined) throw new Error(end.kind);
  return end.answer.cluster;
}

async function openClient(): Promise<AmqpQuorum> {
  const logger = silentLogger();
  const options = { url: amqpUrl, cluster, clientId: "g1", role: "gateway", follow: null } as const;
  const client = new AmqpQuorum({ ...options, logger });
  atEnd(() => client.close());
  await client.connected();
  return client;
}

beforeAll(async () => {
  atEnd(async () => {
    await Promise.all([...nodes.keys()].map(close));
  });
  await Promise.all(NAMES.map(start));
  await untilLed();
}, BROKER_START_TIMEOUT_MS);

test("a leader that is closed hands over first: nobody has to miss it", async () => {
  const old = await untilLed();
  const from = lines.length;
  await close(old);
  const next = await untilLed();
  expect(next).not.toBe(old);
  // A follower that misses its leader asks around before it campaigns; an heir does not.
  const roles = lines.slice(from).filter(({ text }) => text === "raft role changed");
  expect(roles.map(({ facts }) => facts["role"])).not.toContain("pre-candidate");
  await start(old);
  await until(() => nodes.get(old)?.driver.status().leader === next);
  expect(failures).toEqual([]);
});

test("a node that hears no leader is not well, and is again when there is one", async () => {
  const leader = await untilLed();
  const [one = "", other = ""] = NAMES.filter((name) => name !== leader);
  const left = nodes.get(leader);
  await until(() => [...nodes.values()].every((node) => node.problem() === null));
  await Promise.all([close(one), close(other)]);
  await until(() => left?.problem() !== null);
  expect(left?.problem()).toContain("no leader is known");
  await Promise.all([start(one), start(other)]);
  await until(() => [...nodes.values()].every((node) => node.problem() === null));
});

test("a node with a damaged disk is rebuilt from the others, as another member", async () => {
  const client = await openClient();
  const leader = await untilLed();
  const id = NAMES.find((name) => name !== leader) ?? "";
  const before = await view(client);
  const diskOf = ({ nodes: all }: GetClusterResponse): string =>
    all.find((node) => node.id === id)?.storeId ?? "";
  await close(id);
  const path = join(folder, id, LOG_FILE_NAME);
  const bytes = readFileSync(path);
  for (let at = bytes.length >> 1; at < bytes.length; at += 97) bytes[at] = 0x55;
  writeFileSync(path, bytes);
  const from = lines.length;
  await start(id);
  await until(() =>
    lines.slice(from).some((line) => line.id === id && line.text.includes("is taken over")),
  );
  let now = await view(client);
  while (now.nodes.some(({ isVoter }) => !isVoter) || now.isJoint) now = await view(client);
  expect(now.nodes.map((node) => node.id)).toEqual(NAMES);
  expect(diskOf(now)).not.toBe(diskOf(before));
  // It is a full one: the leader and it are enough.
  const other = NAMES.find((name) => name !== leader && name !== id) ?? "";
  await close(other);
  const checked = await client.administer({ $case: "takeSnapshot", value: {} }, CALL);
  expect(checked).toMatchObject({ outcome: { outcome: { $case: "takeSnapshot" } } });
  expect(await client.propose(REGISTRATION, CALL)).toMatchObject({ kind: "applied" });
  expect(failures).toEqual([]);
});
