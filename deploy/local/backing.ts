// RabbitMQ and Redis of the local stack: the ones that the user named, or private ones.
//
// Guarantees: nothing is started for what the environment names, but it is checked to answer. The
// private ones listen on their usual ports, or on the next free ones, and say so. Missing programs
// are installed or named before anything starts.

import { UsageError } from "../exit-code.ts";
import type { Layout } from "./layout.ts";
import { privatePort } from "./ports.ts";
import { addressOf, answersAmqp, answersRedis } from "./probe.ts";
import { installMissing, ProgramMissingError, type ProgramName } from "./programs.ts";
import {
  launchRabbitmq,
  type RabbitmqPorts,
  rabbitmqManagementUrl,
  rabbitmqUrl,
} from "./rabbitmq.ts";
import { launchRedis } from "./redis.ts";
import { onFreePorts, StackPort } from "./stack-port.ts";
import type { Service } from "./supervisor.ts";

const AMQP_PORT = 5672;
const MANAGEMENT_PORT = 15_672;
const REDIS_PORT = 6379;
const RABBITMQ_GRACE_MS = 15_000;
const REDIS_GRACE_MS = 3_000;

/** The URLs are final once the services run. */
export interface Backing {
  readonly amqpUrl: string;
  readonly redisUrl: string;
  /** null: the user's own RabbitMQ, whose interface only the user knows. */
  readonly rabbitmqUiUrl: string | null;
  /** What must be kept running. */
  readonly services: readonly Service[];
  /** Those that the services listen on. */
  readonly ports: readonly StackPort[];
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
  const rabbitmq = options.amqpUrl === null ? await privateRabbitmq(options.layout) : null;
  const redis = options.redisUrl === null ? await privateRedis(options.layout) : null;
  const parts = [rabbitmq, redis].filter((part) => part !== null);
  return {
    get amqpUrl() {
      return options.amqpUrl ?? rabbitmq?.url() ?? "";
    },
    get redisUrl() {
      return options.redisUrl ?? redis?.url() ?? "";
    },
    get rabbitmqUiUrl() {
      return rabbitmq?.uiUrl() ?? null;
    },
    services: parts.map(({ service }) => service),
    ports: parts.flatMap(({ ports }) => ports),
  };
}

interface PrivatePart {
  readonly ports: readonly StackPort[];
  readonly service: Service;
  readonly url: () => string;
}

async function privateRabbitmq(
  layout: Layout,
): Promise<PrivatePart & { readonly uiUrl: () => string }> {
  const amqp = await StackPort.near("RabbitMQ", AMQP_PORT);
  const management = await StackPort.near("RabbitMQ's pages", MANAGEMENT_PORT);
  const internal = { distribution: await privatePort(), epmd: await privatePort() };
  const ports = (): RabbitmqPorts => ({
    amqp: amqp.port,
    management: management.port,
    ...internal,
  });
  const logPath = layout.logPath("rabbitmq");
  const service: Service = {
    role: "rabbitmq",
    id: "rabbitmq",
    logPath,
    graceMs: RABBITMQ_GRACE_MS,
    ports: () => ({ amqp: amqp.port, management: management.port, epmd: internal.epmd }),
    start: () => launchRabbitmq({ dir: layout.rabbitmqDir, ports: ports(), logPath }),
  };
  return {
    ports: [amqp, management],
    service: onFreePorts([amqp, management], service),
    url: () => rabbitmqUrl(ports()),
    uiUrl: () => rabbitmqManagementUrl(ports()),
  };
}

async function privateRedis(layout: Layout): Promise<PrivatePart> {
  const redis = await StackPort.near("Redis", REDIS_PORT);
  const logPath = layout.logPath("redis");
  const service: Service = {
    role: "redis",
    id: "redis",
    logPath,
    graceMs: REDIS_GRACE_MS,
    ports: () => ({ redis: redis.port }),
    start: () => launchRedis({ dir: layout.redisDir, port: redis.port, logPath }),
  };
  return {
    ports: [redis],
    service: onFreePorts([redis], service),
    url: () => `redis://127.0.0.1:${redis.port}`,
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
