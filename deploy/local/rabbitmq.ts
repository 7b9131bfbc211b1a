// A private RabbitMQ with the management plugin: loopback only, own node name, own port mapper,
// own data, log, plugin and configuration files, all under one folder.
//
// Guarantees: `startRabbitmq` resolves when the broker offers AMQP connections. The pid is the
// Erlang machine itself (no shell in between), so killing it is killing the broker. `stop` leaves
// neither the broker nor its port mapper. After `kill` or `stop`, `start` brings it back on the
// same ports with the same data.
// Does not own: finding or installing the program (programs.ts).

import assert from "node:assert";
import { randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { privatePort } from "./ports.ts";
import { answersAmqp } from "./probe.ts";
import { launch, type RunningProcess, signalled } from "./process.ts";
import { findProgram } from "./programs.ts";
import { untilReady } from "./ready.ts";

/** Ten times what a quiet machine needs. */
const READY_TIMEOUT_MS = 90_000;
const STOP_GRACE_MS = 15_000;
const USER = "guest";
const PASSWORD = "guest";

export interface RabbitmqOptions {
  /** Everything the broker keeps; made if missing. */
  readonly dir: string;
  readonly amqpPort?: number;
  readonly managementPort?: number;
  readonly logPath?: string;
}

export interface RabbitmqPorts {
  readonly amqp: number;
  readonly management: number;
  /** Erlang's distribution and its port mapper. */
  readonly distribution: number;
  readonly epmd: number;
}

export interface LocalRabbitmq {
  readonly url: string;
  readonly managementUrl: string;
  readonly user: string;
  readonly password: string;
  readonly ports: RabbitmqPorts;
  readonly logPath: string;
  pid(): number;
  /** SIGKILL by default; resolves when the broker is gone (SIGSTOP, SIGCONT: at once). */
  kill(signal?: NodeJS.Signals): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
  restart(): Promise<void>;
}

export interface RabbitmqLaunch {
  readonly dir: string;
  readonly ports: RabbitmqPorts;
  readonly logPath: string;
}

export async function rabbitmqPorts(
  wanted: { readonly amqpPort?: number; readonly managementPort?: number } = {},
): Promise<RabbitmqPorts> {
  return {
    amqp: wanted.amqpPort ?? (await privatePort()),
    management: wanted.managementPort ?? (await privatePort()),
    distribution: await privatePort(),
    epmd: await privatePort(),
  };
}

export function rabbitmqUrl(ports: RabbitmqPorts): string {
  return `amqp://${USER}:${PASSWORD}@127.0.0.1:${ports.amqp}`;
}

export function rabbitmqManagementUrl(ports: RabbitmqPorts): string {
  return `http://127.0.0.1:${ports.management}`;
}

/** Starts the broker once; the supervisor does the repeating. */
export async function launchRabbitmq(options: RabbitmqLaunch): Promise<RunningProcess> {
  const { dir, ports, logPath } = options;
  // By its name it is known from somebody else's on the same port, while ours is about to fail.
  const clusterName = `quorumq-${randomBytes(8).toString("hex")}`;
  writeFiles(dir, ports, clusterName);
  const env = environment(dir, ports);
  const epmd = await launch({
    command: findProgram("epmd"),
    args: ["-address", "127.0.0.1", "-port", String(ports.epmd)],
    env,
    cwd: dir,
    logPath,
    tie: "guard",
  });
  try {
    const broker = await launch({
      command: findProgram("rabbitmq-server"),
      args: [],
      env,
      cwd: dir,
      logPath,
      tie: "guard",
    });
    void broker.exited.then(() => epmd.kill("SIGKILL"));
    await untilAccepting(broker, ports, clusterName, logPath);
    return broker;
  } catch (error) {
    await epmd.stop(0);
    throw error;
  }
}

export async function startRabbitmq(options: RabbitmqOptions): Promise<LocalRabbitmq> {
  const ports = await rabbitmqPorts(options);
  const logPath = options.logPath ?? join(options.dir, "rabbitmq.log");
  const start = (): Promise<RunningProcess> => launchRabbitmq({ dir: options.dir, ports, logPath });
  let broker = await start();
  const server: LocalRabbitmq = {
    url: rabbitmqUrl(ports),
    managementUrl: rabbitmqManagementUrl(ports),
    user: USER,
    password: PASSWORD,
    ports,
    logPath,
    pid: () => broker.pid,
    kill: (signal) => signalled(broker, signal),
    start: async () => {
      assert(broker.hasExited(), "RabbitMQ is still running");
      broker = await start();
    },
    stop: async () => {
      await broker.stop(STOP_GRACE_MS);
    },
    restart: async () => {
      await broker.stop(STOP_GRACE_MS);
      await server.start();
    },
  };
  return server;
}

async function untilAccepting(
  broker: RunningProcess,
  ports: RabbitmqPorts,
  clusterName: string,
  logPath: string,
): Promise<void> {
  try {
    await untilReady({
      name: "RabbitMQ",
      child: broker,
      logPath,
      timeoutMs: READY_TIMEOUT_MS,
      probe: () => answersAmqp({ host: "127.0.0.1", port: ports.amqp }, clusterName),
    });
  } catch (error) {
    await broker.stop(0);
    throw error;
  }
}

function writeFiles(dir: string, ports: RabbitmqPorts, clusterName: string): void {
  mkdirSync(join(dir, "home"), { recursive: true });
  writeFileSync(join(dir, "enabled_plugins"), "[rabbitmq_management].\n");
  writeFileSync(
    join(dir, "rabbitmq.conf"),
    [
      `cluster_name = ${clusterName}`,
      `listeners.tcp.1 = 127.0.0.1:${ports.amqp}`,
      "management.tcp.ip = 127.0.0.1",
      `management.tcp.port = ${ports.management}`,
      "log.console = true",
      "log.console.level = warning",
      "log.file = false",
      "",
    ].join("\n"),
  );
}

function environment(dir: string, ports: RabbitmqPorts): Record<string, string> {
  return {
    PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/usr/bin:/sbin:/bin`,
    LANG: "C.UTF-8",
    // Erlang's cookie lives here.
    HOME: join(dir, "home"),
    ERL_EPMD_PORT: String(ports.epmd),
    ERL_EPMD_ADDRESS: "127.0.0.1",
    RABBITMQ_NODENAME: `quorumq-${ports.amqp}@localhost`,
    RABBITMQ_DIST_PORT: String(ports.distribution),
    RABBITMQ_MNESIA_BASE: join(dir, "data"),
    RABBITMQ_LOG_BASE: join(dir, "log"),
    RABBITMQ_PID_FILE: join(dir, "pid"),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(dir, "enabled_plugins"),
    RABBITMQ_CONFIG_FILE: join(dir, "rabbitmq"),
    RABBITMQ_CONF_ENV_FILE: join(dir, "absent.conf"),
    RABBITMQ_LOG: "-color",
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: "-kernel inet_dist_use_interface {127,0,0,1}",
    // The start script then replaces itself with the Erlang machine instead of waiting for it.
    RUNNING_UNDER_SYSTEMD: "true",
  };
}
