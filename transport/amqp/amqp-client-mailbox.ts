// A node's door for gateways and workers, over RabbitMQ: the adapter of client-mailbox.ts.
//
// Guarantees: nothing here blocks or throws for what the broker or a client does. What cannot be
// read is dropped and counted by cause; a call that this version does not know is answered as
// malformed. Answers of one turn of the loop to one client leave as one message, within its bytes.
// What cannot be written now is dropped and counted: clients send again, and read after a gap.
// Does not own: who leads and what is answered (driver.ts).

import type { ConsumeMessage } from "amqplib";
import { type Answer, type Call, Refused_Reason } from "../../protos/gen/node/v1/exchange.ts";
import {
  batches,
  decodeRequest,
  encodeAnswer,
  encodeBeacon,
  encodeResponse,
} from "../call-codec.ts";
import type { ClientMailbox, ClientMailboxListener } from "../client-mailbox.ts";
import { encodeJobEvent, jobEventId } from "../job-event.ts";
import { encodeLockEvent, isLockEvent, lockEventId, type QuorumEvent } from "../lock-event.ts";
import type { Logger } from "../telemetry/logger.ts";
import { DropCount } from "./drop-count.ts";
import { openSession, type Session } from "./session.ts";
import {
  clientsReplyPrefix,
  declareClientExchanges,
  declareNodeMailbox,
  EVENTS_EXCHANGE,
  eventRoutingKey,
  leaderExchange,
  lockRoutingKey,
} from "./topology.ts";

/** Clients take four missed beacons for the loss of the leader. */
const BEACON_INTERVAL_MS = 500;
/** AMQP's short string: amqplib throws beyond. */
const ROUTING_KEY_BYTES_MAX = 255;
const DEFAULT_EXCHANGE = "";

export interface AmqpClientMailboxOptions {
  readonly url: string;
  readonly cluster: string;
  readonly nodeId: string;
  readonly incarnation: number;
  readonly listener: ClientMailboxListener;
  readonly logger: Logger;
}

/** Begins to connect and returns at once. */
export function openAmqpClientMailbox(options: AmqpClientMailboxOptions): AmqpClientMailbox {
  return new AmqpClientMailbox(options);
}

export class AmqpClientMailbox implements ClientMailbox {
  readonly #options: AmqpClientMailboxOptions;
  readonly #publisher: Session;
  readonly #consumer: Session;
  readonly #drops = new DropCount();
  /** Encoded answers of this turn of the loop, by the queue that takes them. */
  readonly #outbox = new Map<string, Uint8Array[]>();
  #flushing: NodeJS.Immediate | null = null;
  #beaconTimer: NodeJS.Timeout | null = null;
  /** 0: does not lead. */
  #term = 0;
  #isClosed = false;

  constructor(options: AmqpClientMailboxOptions) {
    this.#options = options;
    const { url, cluster, nodeId, incarnation, logger } = options;
    this.#publisher = openSession({
      url,
      connectionName: `quorumq ${nodeId} clients publish`,
      logger,
      setup: ({ channel }) => declareClientExchanges(channel, cluster),
      onState: (state) => state === "connected" && this.#beacon(),
    });
    this.#consumer = openSession({
      url,
      connectionName: `quorumq ${nodeId} clients consume`,
      logger,
      setup: async ({ channel, consume }) => {
        await declareClientExchanges(channel, cluster);
        const queue = await declareNodeMailbox(channel, cluster, nodeId, incarnation);
        await consume(queue, (message) => this.#received(message));
      },
      onState: (state) => state === "connected" && this.#beacon(),
    });
  }

  /** Resolves when the mailbox is declared and can be answered from. */
  async connected(): Promise<void> {
    await Promise.all([this.#publisher.connected(), this.#consumer.connected()]);
  }

  answer(replyTo: string, answer: Answer): void {
    const bytes = encodeAnswer(answer);
    const answers = this.#outbox.get(replyTo);
    if (answers === undefined) this.#outbox.set(replyTo, [bytes]);
    else answers.push(bytes);
    this.#flushing ??= setImmediate(() => this.#flush());
  }

  announce(term: number): void {
    if (term === this.#term) return;
    const hasResigned = term === 0;
    this.#term = term;
    if (this.#beaconTimer !== null) clearInterval(this.#beaconTimer);
    this.#beaconTimer = hasResigned ? null : setInterval(() => this.#beacon(), BEACON_INTERVAL_MS);
    if (hasResigned) this.#publishBeacon();
    else this.#beacon();
  }

  publishEvents(events: readonly QuorumEvent[]): void {
    for (const event of events) {
      const { routingKey, type, messageId, content, headers } = messageOf(event);
      if (Buffer.byteLength(routingKey) > ROUTING_KEY_BYTES_MAX) {
        this.#drops.add("event-unroutable");
        continue;
      }
      const isTaken = this.#publisher.publish(EVENTS_EXCHANGE, routingKey, content, {
        contentType: "application/json",
        type,
        messageId,
        timestamp: Math.floor(event.timeMs / 1_000),
        appId: "quorumq",
        // The exchange is one for all clusters of a broker.
        headers: { cluster: this.#options.cluster, ...headers },
      });
      if (!isTaken) this.#drops.add("event-unwritable");
    }
  }

  dropped(): Readonly<Record<string, number>> {
    return this.#drops.snapshot();
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.announce(0);
    this.#flush();
    this.#isClosed = true;
    await Promise.all([this.#consumer.close(), this.#publisher.close()]);
  }

  #received(message: ConsumeMessage): void {
    if (this.#isClosed) return;
    const { cluster, listener } = this.#options;
    const request = decodeRequest(message.content, cluster);
    if ("dropped" in request) {
      this.#drops.add(request.dropped);
      return;
    }
    const { replyTo } = request;
    // Only to a client's own queue: else anyone could make a node write anywhere.
    const isReplyQueue =
      replyTo.startsWith(clientsReplyPrefix(cluster)) &&
      Buffer.byteLength(replyTo) <= ROUTING_KEY_BYTES_MAX;
    if (!isReplyQueue) {
      this.#drops.add("reply-to");
      return;
    }
    const calls = request.calls.filter((call) => this.#isReadable(replyTo, call));
    if (calls.length > 0) listener.called(replyTo, calls);
  }

  /** False: of a version that this one does not know; it has been answered. */
  #isReadable(replyTo: string, { callId, call }: Call): boolean {
    if (isKnown(call)) return true;
    this.#drops.add("malformed-call");
    const value = { reason: Refused_Reason.REASON_MALFORMED, leaderId: "" };
    this.answer(replyTo, { callId, answer: { $case: "refused", value } });
    return false;
  }

  #flush(): void {
    if (this.#flushing !== null) clearImmediate(this.#flushing);
    this.#flushing = null;
    if (this.#isClosed) return;
    for (const [replyTo, answers] of this.#outbox) {
      for (const batch of batches(answers, (answer) => answer))
        this.#publishAnswers(replyTo, batch);
    }
    this.#outbox.clear();
  }

  #publishAnswers(replyTo: string, answers: readonly Uint8Array[]): void {
    const { cluster, nodeId } = this.#options;
    const body = encodeResponse({ cluster, node: nodeId, term: this.#term }, answers);
    if (!this.#publisher.publish(DEFAULT_EXCHANGE, replyTo, body))
      this.#drops.add("answer-unwritable");
  }

  /** A leader that cannot be called does not call for calls: its mailbox must be there. */
  #beacon(): void {
    const canBeCalled = this.#consumer.state === "connected";
    if (this.#term !== 0 && canBeCalled) this.#publishBeacon();
  }

  #publishBeacon(): void {
    const { cluster, nodeId, incarnation } = this.#options;
    const body = encodeBeacon({ node: nodeId, incarnation, term: this.#term });
    if (!this.#publisher.publish(leaderExchange(cluster), "", body))
      this.#drops.add("beacon-unwritable");
  }
}

function isKnown(call: Call["call"]): boolean {
  if (call?.$case === "read") return call.value.read !== undefined;
  if (call?.$case === "administer") return call.value.action !== undefined;
  return call !== undefined;
}

function messageOf(event: QuorumEvent) {
  if (isLockEvent(event)) {
    const routingKey = lockRoutingKey(event.event);
    const messageId = lockEventId(event);
    return {
      routingKey,
      type: routingKey,
      messageId,
      content: encodeLockEvent(event),
      headers: {},
    };
  }
  const { traceparent } = event;
  return {
    routingKey: eventRoutingKey(event.queue, event.event),
    type: `job.${event.event}`,
    messageId: jobEventId(event),
    content: encodeJobEvent(event),
    headers: traceparent === undefined ? {} : { traceparent },
  };
}
