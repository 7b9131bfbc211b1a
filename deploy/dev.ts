// `quorumq dev`: the whole stack on this machine, each part a process of its own.
//
// Guarantees: one stack a folder. Ready means that a real greeting went through. A part that dies
// is started again with the same data. The first Ctrl-C drains from the entry inwards: gateway and
// console, workers, nodes, Redis, RabbitMQ; the second ends everything at once; nothing is left
// running.
// Does not own: the parts (local/*), what they are composed of (member.ts, gateway.ts, worker.ts).

import { join, resolve } from "node:path";
import { startTelemetry } from "../transport/telemetry/sdk.ts";
import { ExitCode, UsageError } from "./exit-code.ts";
import { type Backing, prepareBacking } from "./local/backing.ts";
import { bannerOf } from "./local/banner.ts";
import { type Greeting, greet } from "./local/greeting.ts";
import {
  clusterName,
  type Layout,
  layoutOf,
  removeLogs,
  removeState,
  STATE_FOLDER,
} from "./local/layout.ts";
import { ownProcess } from "./local/own-process.ts";
import { readLiveStack, removeStack, writeStack } from "./local/stack-file.ts";
import { onFreePorts, StackPort } from "./local/stack-port.ts";
import { type Role, type Service, Supervisor } from "./local/supervisor.ts";
import { packageRoot } from "./package-root.ts";
import type { Config, SettingName } from "./settings.ts";
import { type Shutdown, watchForShutdown } from "./shutdown.ts";
import { VERSION } from "./version.ts";
import { definitionsOf } from "./worker-files.ts";

const WORKER_IDS = ["w1", "w2"];
/** By kind: what the user defines takes the place of ours. */
const JOB_FILES = {
  greet: "handlers/greet",
  "charge-order": "examples/charge-order",
  "ingest-reading": "examples/ingest-reading",
};
/** From the entry inwards: what is left must still be there for what drains before it. */
const STOP_ORDER: readonly (readonly Role[])[] = [
  ["gateway", "console"],
  ["worker"],
  ["node"],
  ["redis"],
  ["rabbitmq"],
];
const GREETING_TIMEOUT_MS = 60_000;
/** On top of the grace that the parts themselves have. */
const STOP_MARGIN_MS = 5_000;

interface Dev {
  readonly config: Config;
  readonly layout: Layout;
  /** The user's own job files. */
  readonly files: readonly string[];
  readonly kinds: ReadonlySet<string>;
  readonly nodeIds: readonly string[];
  readonly backing: Backing;
  readonly grpc: StackPort;
  readonly console: StackPort;
  readonly supervisor: Supervisor;
  readonly shutdown: Shutdown;
}

export async function runDev(
  config: Config,
  options: Readonly<Record<string, unknown>>,
  files: readonly string[],
  given: ReadonlySet<SettingName>,
): Promise<ExitCode> {
  const layout = layoutOf(String(options["dir"] ?? STATE_FOLDER));
  refuseSecondStack(layout);
  // Before anything starts: a slip in the user's file is told at once.
  const kinds = new Set((await definitionsOf(files)).map(({ kind }) => kind));
  if (options["fresh"] === true) removeState(layout);
  removeLogs(layout);
  const telemetry = startTelemetry({
    serviceName: "quorumq-dev",
    instanceId: "dev",
    version: VERSION,
  });
  const nodeIds = Array.from({ length: Number(options["nodes"]) }, (_, at) => `n${at + 1}`);
  const dev = await prepare({ config, layout, files, kinds, nodeIds }, given);
  try {
    await Promise.race([bringUp(dev), dev.shutdown.requested]);
    if (!dev.shutdown.isRequested() && options["once"] !== true) await dev.shutdown.requested;
    return ExitCode.Ok;
  } finally {
    say("stopping …");
    await dev.supervisor.stop(STOP_ORDER);
    await telemetry.shutdown();
    removeStack(layout.stackFile);
  }
}

async function prepare(
  wanted: Pick<Dev, "config" | "layout" | "files" | "kinds" | "nodeIds">,
  given: ReadonlySet<SettingName>,
): Promise<Dev> {
  const { config, layout } = wanted;
  const backing = await prepareBacking({
    layout,
    amqpUrl: given.has("amqpUrl") ? config.amqpUrl : null,
    redisUrl: given.has("redisUrl") ? config.redisUrl : null,
    report: say,
  });
  const grpc = await StackPort.near("gRPC", config.grpcPort);
  const console = await StackPort.near("console", config.consolePort);
  const supervisor = new Supervisor({
    backoffMs: { first: 200, max: 5_000 },
    steadyMs: 10_000,
    onChange: () => writeStackFile(dev),
    report: say,
  });
  const shutdown = watchForShutdown((code) => {
    supervisor.killAll();
    removeStack(layout.stackFile);
    process.exit(code);
  });
  const dev: Dev = {
    ...wanted,
    backing,
    grpc,
    console,
    supervisor,
    shutdown,
  };
  writeStackFile(dev);
  return dev;
}

async function bringUp(dev: Dev): Promise<void> {
  const { backing, supervisor, shutdown } = dev;
  const stopping = new AbortController();
  void shutdown.requested.then(() => stopping.abort());
  if (backing.services.length > 0) {
    say(`starting ${backing.services.map(({ id }) => id).join(" and ")} …`);
    await Promise.all(backing.services.map((service) => supervisor.keep(service)));
  }
  say("starting nodes, gateway, console and workers …");
  await Promise.all(ownServices(dev).map((service) => supervisor.keep(service)));
  const greeting = await greet({
    address: `127.0.0.1:${dev.grpc.port}`,
    name: "world",
    timeoutMs: GREETING_TIMEOUT_MS,
    signal: stopping.signal,
  });
  process.stdout.write(banner(dev, greeting));
}

function ownServices(dev: Dev): Service[] {
  const { config, layout, files, kinds, nodeIds, backing } = dev;
  const cluster = clusterName(layout);
  const env = {
    ...withoutSettings(process.env),
    QUORUMQ_AMQP_URL: backing.amqpUrl,
    QUORUMQ_REDIS_URL: backing.redisUrl,
    QUORUMQ_CLUSTER: cluster,
    QUORUMQ_LOG_LEVEL: config.logLevel,
    QUORUMQ_SHUTDOWN_GRACE_MS: String(config.shutdownGraceMs),
    QUORUMQ_CONCURRENCY: String(config.concurrency),
    QUORUMQ_LEASE_MS: String(config.leaseMs),
    QUORUMQ_BLOCKED_MS_MAX: String(config.blockedMsMax),
    QUORUMQ_REDIS_LOCKS: config.redisLocks ? "on" : "off",
    QUORUMQ_SNAPSHOT_LOG_BYTES: String(config.snapshotLogBytes),
    QUORUMQ_RETENTION_MS: String(config.retentionMs),
    QUORUMQ_RETENTION_JOBS_MAX: String(config.retentionJobsMax),
    QUORUMQ_KEY_RETENTION_MS: String(config.keyRetentionMs),
    QUORUMQ_ELECTION_TIMEOUT_MS: String(config.electionTimeoutMs),
    QUORUMQ_HEARTBEAT_INTERVAL_MS: String(config.heartbeatIntervalMs),
  };
  // The same entry in the sources and in the build.
  const extension = import.meta.filename.endsWith(".ts") ? ".ts" : ".js";
  const cli = join(import.meta.dirname, `cli${extension}`);
  const own = (role: Role, id: string, words: () => readonly string[]): Service =>
    ownProcess({
      role,
      id,
      args: () => [cli, ...words()],
      env: { ...env, ...testVariables(process.env, id) },
      cwd: packageRoot(),
      logPath: layout.logPath(id),
      graceMs: config.shutdownGraceMs + STOP_MARGIN_MS,
    });
  const builtIn = Object.entries(JOB_FILES)
    .filter(([kind]) => !kinds.has(kind))
    .map(([, file]) => join(import.meta.dirname, "..", "workers", `${file}${extension}`));
  // The parts run in the package's folder, the user stands in another.
  const jobs = [...builtIn, ...files.map((file) => resolve(file))];
  const members = ["--members", nodeIds.join(",")];
  return [
    ...nodeIds.map((id) =>
      own("node", id, () => [
        ...["node", "--node-id", id, ...members, "--data-dir", layout.nodeDir(id)],
      ]),
    ),
    onFreePorts(
      [dev.grpc],
      own("gateway", "gateway", () => ["gateway", "--grpc-port", String(dev.grpc.port)]),
    ),
    onFreePorts(
      [dev.console],
      own("console", "console", () => ["console", "--console-port", String(dev.console.port)]),
    ),
    ...WORKER_IDS.map((id) => own("worker", id, () => ["worker", "--worker-id", id, ...jobs])),
  ];
}

function banner(dev: Dev, greeting: Greeting): string {
  const { backing, grpc, console, layout, nodeIds } = dev;
  const moved = [...backing.ports, grpc, console].map((port) => port.moved);
  return bannerOf({
    version: VERSION,
    cluster: clusterName(layout),
    nodeCount: nodeIds.length,
    grpc: `127.0.0.1:${grpc.port}`,
    consoleUrl: `http://127.0.0.1:${console.port}`,
    amqpUrl: backing.amqpUrl,
    rabbitmqUiUrl: backing.rabbitmqUiUrl,
    redisUrl: backing.redisUrl,
    root: layout.root,
    moved: moved.filter((line) => line !== null),
    greeting,
  });
}

function writeStackFile(dev: Dev): void {
  const { layout, supervisor, backing, grpc, console } = dev;
  writeStack(layout.stackFile, {
    pid: process.pid,
    cluster: clusterName(layout),
    processes: supervisor.running().map(({ service, pid }) => ({
      role: service.role,
      id: service.id,
      pid,
      ports: service.ports(),
      log: service.logPath,
    })),
    endpoints: {
      grpc: `127.0.0.1:${grpc.port}`,
      console: `http://127.0.0.1:${console.port}`,
      amqp: backing.amqpUrl,
      ...(backing.rabbitmqUiUrl === null ? {} : { rabbitmqUi: backing.rabbitmqUiUrl }),
      redis: backing.redisUrl,
    },
  });
}

function refuseSecondStack(layout: Layout): void {
  const other = readLiveStack(layout.stackFile);
  if (other === null) return;
  throw new UsageError(
    `a stack runs in ${layout.root} already (process ${other.pid}); stop it, or take another --dir`,
  );
}

/** What the tests say to the parts of a stack: {id} stands for the part's own. */
function testVariables(env: NodeJS.ProcessEnv, id: string): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) =>
      value === undefined || !name.startsWith("QUORUMQ_TEST_")
        ? []
        : [[name, value.replaceAll("{id}", id)]],
    ),
  );
}

/** The parts get their settings from here, not from what this process was told. */
function withoutSettings(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) =>
      value === undefined || name.startsWith("QUORUMQ_") ? [] : [[name, value]],
    ),
  );
}

function say(line: string): void {
  process.stderr.write(`quorumq: ${line}\n`);
}
