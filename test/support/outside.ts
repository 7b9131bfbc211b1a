// What somebody with RabbitMQ's credentials sees and can do to a running stack from outside.

import { readFileSync, watch } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import amqp from "amqplib";
import type { LocalStack } from "./stack.ts";

const MANAGEMENT_TRIES = 60;
const MANAGEMENT_PAUSE_MS = 250;

/** A listing of RabbitMQ's management API, of the stack's virtual host. */
export async function management(
  stack: LocalStack,
  what: "connections" | "queues" | "exchanges",
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const { username, password } = new URL(stack.endpoint("amqp"));
  const answer = await fetch(`${stack.endpoint("rabbitmqUi")}/api/${what}`, {
    headers: {
      authorization: `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`,
    },
  });
  if (!answer.ok) throw new Error(`RabbitMQ management: ${what}: ${answer.status}`);
  return (await answer.json()) as Readonly<Record<string, unknown>>[];
}

/**
 * The listing once it shows what is waited for: RabbitMQ's management learns of connections and
 * queues some seconds after they exist, and tells nobody when.
 */
export async function untilManagementShows(
  stack: LocalStack,
  what: "connections" | "queues",
  isShown: (names: readonly string[]) => boolean,
): Promise<readonly string[]> {
  const field = what === "connections" ? "user_provided_name" : "name";
  for (let tries = 1; ; tries += 1) {
    const names = (await management(stack, what)).map((row) => String(row[field]));
    if (isShown(names) || tries === MANAGEMENT_TRIES) return names;
    await delay(MANAGEMENT_PAUSE_MS);
  }
}

/** Random bytes into every mailbox of every node: Raft's two lanes and the clients' calls. */
export async function publishGarbage(stack: LocalStack, count: number): Promise<void> {
  const exchanges = (await management(stack, "exchanges")).map(({ name }) => String(name));
  const raft = exchanges.find((name) => /^quorumq\..+\.raft$/.test(name)) ?? "";
  const clients = exchanges.find((name) => /^quorumq\..+\.clients$/.test(name)) ?? "";
  const connection = await amqp.connect(stack.endpoint("amqp"), { noDelay: true });
  const channel = await connection.createConfirmChannel();
  for (let at = 0; at < count; at += 1) {
    const bytes = Buffer.from(Array.from({ length: at * 7 }, (_, i) => (i * 31 + at) % 256));
    for (const { id } of stack.processes("node")) {
      channel.publish(raft, `${id}.control`, bytes);
      channel.publish(raft, `${id}.append`, bytes);
      channel.publish(clients, id, bytes);
    }
  }
  await channel.waitForConfirms();
  await connection.close();
}

/** Resolves when the log of each node tells of that many dropped messages on all three ways. */
export async function logCounts(
  stack: LocalStack,
  nodeIds: readonly string[],
  count: number,
): Promise<void> {
  await Promise.all(nodeIds.map((id) => untilDropped(stack.process(id).log, count)));
}

function untilDropped(logPath: string, count: number): Promise<void> {
  return new Promise((resolve) => {
    const check = (): void => {
      const dropped = lastDropped(logPath);
      if (dropped.raft >= 2 * count && dropped.clients >= count) {
        watcher.close();
        resolve();
      }
    };
    const watcher = watch(dirname(logPath), check);
    check();
  });
}

function lastDropped(logPath: string): { raft: number; clients: number } {
  const lines = readFileSync(logPath, "utf8").split("\n");
  const last = lines.filter((line) => line.includes('"dropped_raft"')).at(-1);
  if (last === undefined) return { raft: 0, clients: 0 };
  const entry = JSON.parse(last) as Record<"dropped_raft" | "dropped_clients", object>;
  return { raft: receivedSum(entry.dropped_raft), clients: receivedSum(entry.dropped_clients) };
}

function receivedSum(byCause: object): number {
  const received = Object.entries(byCause).filter(
    ([cause]) => !cause.startsWith("send") && !/unwritable|unroutable/.test(cause),
  );
  return received.reduce((sum, [, count]) => sum + Number(count), 0);
}
