// Every exchange, queue, binding and argument that quorumq declares in RabbitMQ.
//
// Guarantees: valid on RabbitMQ 3.10 to 4.x: all queues are exclusive classic queues (transient
// shared ones are refused from 4.3 on), auto-delete, bounded, and drop their oldest message when
// full. Mailbox names contain the node's incarnation, so a restarted node never reads what was
// meant for its earlier life and never collides with its own ghost (405).
// Does not own: users and permissions, which are the operator's.

import type { Channel, Options } from "amqplib";
import {
  APPEND_MAILBOX_LENGTH_MAX,
  CLIENT_MAILBOX_LENGTH_MAX,
  CONTROL_MAILBOX_LENGTH_MAX,
  SNAPSHOT_MAILBOX_BYTES_MAX,
  SNAPSHOT_MAILBOX_LENGTH_MAX,
} from "../limit.ts";

/** What can be large goes its own way; snapshots also have connections of their own. */
export type Lane = "control" | "append" | "snapshot";

/** x-max-length, and x-max-length-bytes where messages are of one large size. */
const RAFT_MAILBOX_BOUNDS: Readonly<Record<Lane, readonly [length: number, bytes?: number]>> = {
  control: [CONTROL_MAILBOX_LENGTH_MAX],
  append: [APPEND_MAILBOX_LENGTH_MAX],
  snapshot: [SNAPSHOT_MAILBOX_LENGTH_MAX, SNAPSHOT_MAILBOX_BYTES_MAX],
};

/**
 * Events: durable, since users bind queues of their own to it. Topics `job.<queue>.<event>` and
 * `lock.<event>`.
 */
export const EVENTS_EXCHANGE = "quorumq.events";

/** Direct; routing key `<name>.<lane>`, the name of a node whatever its disk. */
export function raftExchange(cluster: string): string {
  return `quorumq.${cluster}.raft`;
}

/** Direct; routing key: the node's id. Calls of gateways and workers. */
export function clientsExchange(cluster: string): string {
  return `quorumq.${cluster}.clients`;
}

/** Fanout: the leader's beacon to all gateways and workers. */
export function leaderExchange(cluster: string): string {
  return `quorumq.${cluster}.leader`;
}

export function raftRoutingKey(name: string, lane: Lane): string {
  return `${name}.${lane}`;
}

/** The name that a routing key was made of. */
export function nameOfRoutingKey(routingKey: string): string {
  return routingKey.slice(0, Math.max(0, routingKey.lastIndexOf(".")));
}

export function raftMailbox(
  cluster: string,
  name: string,
  incarnation: number,
  lane: Lane,
): string {
  return `quorumq.${cluster}.raft.${name}.${incarnation}.${lane}`;
}

export function nodeMailbox(cluster: string, nodeId: string, incarnation: number): string {
  return `quorumq.${cluster}.clients.${nodeId}.${incarnation}`;
}

/** Answers, beacon and job events for one client; the nonce tells its connections apart. */
export function replyQueue(cluster: string, clientId: string, nonce: string): string {
  return `${clientsReplyPrefix(cluster)}${clientId}.${nonce}`;
}

/** What the names of all reply queues begin with. */
export function clientsReplyPrefix(cluster: string): string {
  return `quorumq.${cluster}.reply.`;
}

/** Held by the one process that is this node. */
export function identityQueue(cluster: string, nodeId: string): string {
  return `quorumq.${cluster}.identity.${nodeId}`;
}

export function eventRoutingKey(queue: string, event: string): string {
  return `job.${queue}.${event}`;
}

export function lockRoutingKey(event: string): string {
  return `lock.${event}`;
}

/** Which events a client is sent: of jobs, where absent parts stand for all, and of locks. */
export interface EventFilter {
  readonly queues?: readonly string[];
  readonly events?: readonly string[];
  readonly hasLocks?: boolean;
}

export function eventBindingKeys({ queues, events, hasLocks }: EventFilter): readonly string[] {
  // "#" also stands for queue names with dots, which are several words to a topic exchange.
  const ofJobs = (queues ?? ["#"]).flatMap((queue) =>
    (events ?? ["*"]).map((event) => eventRoutingKey(queue, event)),
  );
  return hasLocks === true ? [...ofJobs, lockRoutingKey("*")] : ofJobs;
}

/** Gone with its connection, and with its only consumer. */
function mailboxOptions(lengthMax: number, bytesMax?: number): Options.AssertQueue {
  return {
    exclusive: true,
    autoDelete: true,
    durable: false,
    arguments: {
      "x-queue-type": "classic",
      "x-max-length": lengthMax,
      ...(bytesMax === undefined ? {} : { "x-max-length-bytes": bytesMax }),
      "x-overflow": "drop-head",
    },
  };
}

// Exchanges of a cluster are durable and never deleted: an auto-delete exchange would vanish with
// the last node's mailbox, and publishing to a missing exchange closes the publisher's channel.
const EXCHANGE_OPTIONS: Options.AssertExchange = {
  durable: true,
  autoDelete: false,
  internal: false,
};

/** For publishers and consumers of Raft messages. */
export async function declareRaftExchange(channel: Channel, cluster: string): Promise<void> {
  await channel.assertExchange(raftExchange(cluster), "direct", EXCHANGE_OPTIONS);
}

/** For publishers and consumers of client traffic: clients, leader and events exchanges. */
export async function declareClientExchanges(channel: Channel, cluster: string): Promise<void> {
  await channel.assertExchange(clientsExchange(cluster), "direct", EXCHANGE_OPTIONS);
  await channel.assertExchange(leaderExchange(cluster), "fanout", EXCHANGE_OPTIONS);
  await channel.assertExchange(EVENTS_EXCHANGE, "topic", EXCHANGE_OPTIONS);
}

/** Declares and binds one lane of a node's Raft mailbox; returns its name. */
export async function declareRaftMailbox(
  channel: Channel,
  cluster: string,
  name: string,
  incarnation: number,
  lane: Lane,
): Promise<string> {
  const queue = raftMailbox(cluster, name, incarnation, lane);
  await channel.assertQueue(queue, mailboxOptions(...RAFT_MAILBOX_BOUNDS[lane]));
  await channel.bindQueue(queue, raftExchange(cluster), raftRoutingKey(name, lane));
  return queue;
}

/** Declares and binds a node's mailbox for client calls; returns its name. */
export async function declareNodeMailbox(
  channel: Channel,
  cluster: string,
  nodeId: string,
  incarnation: number,
): Promise<string> {
  const queue = nodeMailbox(cluster, nodeId, incarnation);
  await channel.assertQueue(queue, mailboxOptions(CLIENT_MAILBOX_LENGTH_MAX));
  await channel.bindQueue(queue, clientsExchange(cluster), nodeId);
  return queue;
}

/**
 * Declares a client's reply queue, bound to the leader's beacon and to the job events that these
 * keys name. Answers come through the default exchange, by queue name.
 */
export async function declareReplyQueue(
  channel: Channel,
  cluster: string,
  clientId: string,
  nonce: string,
  eventKeys: readonly string[],
): Promise<string> {
  const queue = replyQueue(cluster, clientId, nonce);
  await channel.assertQueue(queue, mailboxOptions(CLIENT_MAILBOX_LENGTH_MAX));
  await channel.bindQueue(queue, leaderExchange(cluster), "");
  for (const key of eventKeys) await channel.bindQueue(queue, EVENTS_EXCHANGE, key);
  return queue;
}

/**
 * Claims the identity queue: rejects with code 405 (RESOURCE_LOCKED), which closes the channel,
 * while another connection holds it. Never consumed, so auto-delete never applies; it goes with
 * its connection.
 */
export async function declareIdentityQueue(
  channel: Channel,
  cluster: string,
  nodeId: string,
): Promise<void> {
  await channel.assertQueue(identityQueue(cluster, nodeId), mailboxOptions(1));
}
