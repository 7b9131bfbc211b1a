// RabbitMQ and Redis of the local stack: the ones that the user named, or private ones.
//
// Guarantees: nothing is started for what the environment names, but it is checked to answer. The
// private ones listen on their usual ports, or on the next free ones, and say so. Missing programs
// are installed or named before anything starts.

import { UsageError } from "../exit-code.ts";
import type { Layout } from "./layout.ts";
import { nextFreePort, privatePort } from "./ports.ts";
import { addressOf, answersAmqp, answersRedis } from "./probe.ts";
import { installMissing, ProgramMissingError, type ProgramName } from "./programs.ts";
import {
  launchRabbitmq,
  type RabbitmqPorts,
  rabbitmqManagementUrl,
  rabbitmqUrl,
} from "./rabbitmq.ts";
import { launchRedis } from "./redis.ts";
import type { Service } from "./supervisor.ts";

const AMQP_PORT = 5672;
const MANAGEMENT_PORT = 15_672;
const REDIS_PORT = 6379;
const RABBITMQ_GRACE_MS = 15_000;
const REDIS_GRACE_MS = 3_000;

export interface Backing {
  readonly amqpUrl: string;
  readonly redisUrl: string;
  /** null: the user's own RabbitMQ, whose interface only the user knows. */
  readonly rabbitmqUiUrl: string | null;
  /** What must be kept running. */
  readonly services: readonly Service[];
  /** "Redis 6380 (6379 is taken)" */
  readonly moved: readonly string[];
}

export interface BackingOptions {
  readonly layout: Layout;
  /** null: start a private one. */
  readonly amqpUrl: string | null;
  readonly redisUrl: string | null;
  readonly report: (line: string) => void;
}

export async function prepareBacking(options: BackingOptions): Promise<Backing> {
  await requireAnswers(options);
  await requirePrograms(options);
  const moved: string[] = [];
  const services: Service[] = [];
  let { amqpUrl, redisUrl } = options;
  let rabbitmqUiUrl: string | null = null;
  if (amqpUrl === null) {
    const ports: RabbitmqPorts = {
      amqp: await portNear("RabbitMQ", AMQP_PORT, moved),
      management: await portNear("RabbitMQ's pages", MANAGEMENT_PORT, moved),
      distribution: await privatePort(),
      epmd: await privatePort(),
    };
    amqpUrl = rabbitmqUrl(ports);
    rabbitmqUiUrl = rabbitmqManagementUrl(ports);
    services.push(rabbitmqService(options.layout, ports));
  }
  if (redisUrl === null) {
    const port = await portNear("Redis", REDIS_PORT, moved);
    redisUrl = `redis://127.0.0.1:${port}`;
    services.push(redisService(options.layout, port));
  }
  return { amqpUrl, redisUrl, rabbitmqUiUrl, services, moved };
}

/** The port itself, or the next free one, which is noted. */
export async function portNear(what: string, wanted: number, moved: string[]): Promise<number> {
  const port = await nextFreePort(wanted);
  if (port !== wanted) moved.push(`${what} ${port} (${wanted} is taken)`);
  return port;
}

function rabbitmqService(layout: Layout, ports: RabbitmqPorts): Service {
  const logPath = layout.logPath("rabbitmq");
  return {
    role: "rabbitmq",
    id: "rabbitmq",
    logPath,
    graceMs: RABBITMQ_GRACE_MS,
    ports: () => ({ amqp: ports.amqp, management: ports.management, epmd: ports.epmd }),
    start: () => launchRabbitmq({ dir: layout.rabbitmqDir, ports, logPath }),
  };
}

function redisService(layout: Layout, port: number): Service {
  const logPath = layout.logPath("redis");
  return {
    role: "redis",
    id: "redis",
    logPath,
    graceMs: REDIS_GRACE_MS,
    ports: () => ({ redis: port }),
    start: () => launchRedis({ dir: layout.redisDir, port, logPath }),
  };
}

async function requireAnswers({ amqpUrl, redisUrl }: BackingOptions): Promise<void> {
  const silent: string[] = [];
  if (amqpUrl !== null && !(await answersAmqp(addressOf(amqpUrl)))) {
    silent.push(`RabbitMQ does not answer at ${named(amqpUrl)} (--amqp-url, QUORUMQ_AMQP_URL)`);
  }
  if (redisUrl !== null && !(await answersRedis(addressOf(redisUrl)))) {
    silent.push(`Redis does not answer at ${named(redisUrl)} (--redis-url, QUORUMQ_REDIS_URL)`);
  }
  if (silent.length > 0) {
    throw new UsageError(
      `${silent.join("\n")}\nstart it, or leave the setting out to get a private one`,
    );
  }
}

async function requirePrograms({ amqpUrl, redisUrl, report }: BackingOptions): Promise<void> {
  const needed: ProgramName[] = [];
  if (amqpUrl === null) needed.push("rabbitmq-server", "epmd");
  if (redisUrl === null) needed.push("redis-server");
  try {
    await installMissing(needed, report);
  } catch (error) {
    if (error instanceof ProgramMissingError) throw new UsageError(error.message);
    throw error;
  }
}

/** Host and port only: the rest may hold a password. */
function named(url: string): string {
  const { host, port } = addressOf(url);
  return `${host}:${port}`;
}
