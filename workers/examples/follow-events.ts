// Example: follow what happens to jobs, with a queue of your own on RabbitMQ.
//
// Run it:   npx node workers/examples/follow-events.ts 'job.payments.*' 'job.#.failed'
//
// Shows: a queue that survives this process, bounded so that an absent reader cannot fill the
// broker; each event acknowledged when it has been dealt with, and told once although the broker
// may bring it twice. An event is news, not the truth: around faults one can be missing. Whoever
// must not miss an end asks for the job (GetJob, WaitJob), or lists what failed from time to time.

import amqp, { type ConsumeMessage } from "amqplib";
import { decodeJobEvent, type JobEvent } from "../index.ts";

const EXCHANGE = "quorumq.events";
/** Of events whose ids are remembered, so that one that comes again is known. */
const REMEMBERED_MAX = 10_000;

export interface FollowOptions {
  readonly amqpUrl: string;
  /** Which jobs and which changes, such as job.payments.* or job.#.failed; docs/events.md. */
  readonly routingKeys: readonly string[];
  /** Yours alone. Several processes that share it share the work. */
  readonly queue: string;
  /** Of the clusters on this RabbitMQ; absent: all of them. */
  readonly cluster?: string;
  /** An event whose promise rejects is brought again. */
  readonly seen: (event: JobEvent) => void | Promise<void>;
}

export interface Following {
  stop(): Promise<void>;
}

/** Resolves when the queue is bound: what happens from then on is seen. */
export async function followEvents(options: FollowOptions): Promise<Following> {
  const { amqpUrl, routingKeys, queue, cluster, seen } = options;
  const connection = await amqp.connect(amqpUrl);
  const channel = await connection.createChannel();
  const known = new Set<string>();

  async function take(message: ConsumeMessage): Promise<void> {
    const { messageId, headers = {} } = message.properties;
    const event = decodeJobEvent(message.content);
    const isOurs = cluster === undefined || headers["cluster"] === cluster;
    if (event !== null && isOurs && !known.has(String(messageId))) await seen(event);
    known.add(String(messageId));
    const [oldest] = known;
    if (oldest !== undefined && known.size > REMEMBERED_MAX) known.delete(oldest);
  }

  await channel.prefetch(100);
  await channel.assertExchange(EXCHANGE, "topic", { durable: true });
  await channel.assertQueue(queue, {
    durable: true,
    arguments: { "x-max-length": 100_000, "x-overflow": "drop-head" },
  });
  for (const key of routingKeys) await channel.bindQueue(queue, EXCHANGE, key);
  await channel.consume(queue, (message) => {
    // The broker has ended the queue, as it does when somebody deletes it.
    if (message === null) return;
    take(message).then(
      () => channel.ack(message),
      () => channel.nack(message),
    );
  });
  return {
    stop: async () => {
      await channel.close();
      await connection.close();
    },
  };
}

if (import.meta.main) {
  const keys = process.argv.slice(2);
  await followEvents({
    amqpUrl: process.env["QUORUMQ_AMQP_URL"] ?? "amqp://guest:guest@127.0.0.1:5672",
    routingKeys: keys.length === 0 ? ["job.#"] : keys,
    queue: "follow-events-example",
    seen: ({ timeMs, jobId, kind, event, attempt }) => {
      const time = new Date(timeMs).toISOString();
      process.stdout.write(`${time}  ${jobId}  ${kind}  ${event}  attempt ${attempt}\n`);
    },
  });
}
