// Every setting of quorumq: one row gives its flag, environment variable, file key, check, default
// and help text.
//
// Guarantees: the names follow from the key alone (`amqpUrl`: --amqp-url, QUORUMQ_AMQP_URL,
// "amqpUrl"); units come last in a name. A secret also has a ..._FILE twin.
// Does not own: where values come from and in which order (config.ts).

import { z } from "zod";

/** Node, gateway, worker and cluster ids become parts of AMQP names: no dots, which separate. */
const id = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/, "1 to 64 letters, digits, _ or -, none of them first");
const port = z.coerce.number().int().min(0).max(65_535);
const durationMs = z.coerce.number().int().min(0).max(86_400_000);
const idList = z
  .string()
  .transform((text) => text.split(",").map((part) => part.trim()))
  .pipe(z.array(id).min(1))
  .refine((ids) => new Set(ids).size === ids.length, "no id twice");

interface Row<Schema extends z.ZodType, Default extends string | null> {
  readonly schema: Schema;
  /** As it would be written; null: none, the setting may be absent. */
  readonly default: Default;
  readonly isSecret: boolean;
  readonly help: string;
}

function row<Schema extends z.ZodType, Default extends string | null>(
  schema: Schema,
  defaultText: Default,
  help: string,
): Row<Schema, Default> {
  return { schema, default: defaultText, isSecret: false, help };
}

function secret<Schema extends z.ZodType, Default extends string | null>(
  schema: Schema,
  defaultText: Default,
  help: string,
): Row<Schema, Default> {
  return { schema, default: defaultText, isSecret: true, help };
}

const DAY_MS = 86_400_000;
const YEAR_MS = 365 * DAY_MS;

const AMQP_URL = "amqp://guest:guest@127.0.0.1:5672";
const REDIS_URL = "redis://127.0.0.1:6379";

export const SETTINGS = {
  amqpUrl: secret(z.url({ protocol: /^amqps?$/ }), AMQP_URL, "RabbitMQ, with its virtual host"),
  redisUrl: secret(z.url({ protocol: /^rediss?$/ }), REDIS_URL, "Redis"),
  cluster: row(id, "main", "name of the cluster; several may share one RabbitMQ"),
  nodeId: row(id, null, "this node's id; one that is no member waits to be added"),
  members: row(
    idList,
    "n1,n2,n3",
    "ids of the nodes that a new cluster starts with; a node that is none of them asks to join",
  ),
  dataDir: row(z.string().min(1), null, "folder of this node's log; must outlive the process"),
  gatewayId: row(id, "gateway", "this gateway's id"),
  workerId: row(id, null, "this worker's id (default: made of host name and process id)"),
  grpcHost: row(z.string().min(1), "127.0.0.1", "address that the gateway listens on"),
  grpcPort: row(port, "50051", "port that the gateway listens on; 0 takes any free one"),
  concurrency: row(
    z.coerce.number().int().min(1).max(1_000),
    "10",
    "jobs that a worker runs at the same time",
  ),
  leaseMs: row(
    z.coerce.number().int().min(1_000).max(600_000),
    "10000",
    "how long an attempt counts as alive without a sign of life",
  ),
  blockedMsMax: row(
    z.coerce.number().int().min(0).max(3_600_000),
    "60000",
    "how long a worker whose event loop is blocked keeps its leases; 0: no longer than a lease",
  ),
  electionTimeoutMs: row(
    z.coerce.number().int().min(100).max(60_000),
    "1000",
    "silence after which a node may campaign; at most twice that",
  ),
  heartbeatIntervalMs: row(
    z.coerce.number().int().min(10).max(10_000),
    "100",
    "how often a leader says that it is there",
  ),
  snapshotLogBytes: row(
    z.coerce
      .number()
      .int()
      .min(1_024)
      .max(2 ** 40),
    String(16 * 1024 * 1024),
    "growth of the log after which a node takes a snapshot",
  ),
  shutdownGraceMs: row(durationMs, "25000", "time to finish or hand back what runs at a shutdown"),
  logLevel: row(
    z.enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"]),
    "info",
    "trace, debug, info, warn, error, fatal or silent",
  ),
  healthFile: row(
    z.string().min(1),
    null,
    "file that a running process keeps fresh, for `quorumq health` next to it",
  ),
  address: row(
    z.string().regex(/^(\[[^\]]+\]|[^:/\s]+):\d{1,5}$/, "must be host:port, as 127.0.0.1:50051"),
    "127.0.0.1:50051",
    "the gateway that client commands talk to",
  ),
  consoleId: row(id, "console", "this console's id"),
  consoleHost: row(z.string().min(1), "127.0.0.1", "address that the console listens on"),
  consolePort: row(port, "51051", "port that the console listens on; 0 takes any free one"),
  retentionMs: row(
    z.coerce
      .number()
      .int()
      .min(60_000)
      .max(10 * YEAR_MS),
    String(7 * DAY_MS),
    "how long a job is kept after its end; at least a minute",
  ),
  retentionJobsMax: row(
    z.coerce.number().int().min(0).max(100_000_000),
    "500000",
    "finished jobs kept; beyond, the oldest go sooner, but not within a minute of their end",
  ),
  keyRetentionMs: row(
    z.coerce
      .number()
      .int()
      .min(0)
      .max(10 * YEAR_MS),
    String(DAY_MS),
    "how long an idempotency key is known after its job's end, also if the job is forgotten",
  ),
  redisLocks: row(
    z.enum(["on", "off"]).transform((word) => word === "on"),
    "on",
    "whether a worker takes its jobs' locks in Redis, too; the ledger holds them in any case",
  ),
} as const;

export type SettingName = keyof typeof SETTINGS;

type Value<Name extends SettingName> = z.output<(typeof SETTINGS)[Name]["schema"]>;
export type Config = {
  readonly [Name in SettingName]: (typeof SETTINGS)[Name]["default"] extends string
    ? Value<Name>
    : Value<Name> | null;
};

export const SETTING_NAMES = Object.keys(SETTINGS) as SettingName[];

/** amqpUrl: --amqp-url */
export function flagOf(name: SettingName): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** amqpUrl: QUORUMQ_AMQP_URL */
export function environmentOf(name: SettingName): string {
  return `QUORUMQ_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}
