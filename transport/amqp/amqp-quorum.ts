// The quorum as gateways and workers reach it over RabbitMQ: the adapter of quorum.ts.
//
//   publish session ──calls, mandatory──▶ exchange quorumq.<cluster>.clients ──node──▶ the leader
//   consume session ◀── own reply queue: answers, the leader's beacon, job events
//
// Guarantees: those of transport/quorum.ts. All calls of one turn of the loop leave as one message,
// within its bounds. A returned message (the leader's mailbox is gone) did nothing, and its calls
// go to the next leader. No call outlives its timeout, whatever the broker does.
// Does not own: what is known of a call's fate (client-calls.ts), who leads (leader-watch.ts).

import assert from "node:assert";
import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { ConsumeMessage, Message } from "amqplib";
import type { CommandBody } from "../../ledger/command.ts";
import {
  type Answer,
  type Call,
  type ClientResponse,
  type Read,
  Refused_Reason,
} from "../../protos/gen/node/v1/exchange.ts";
import {
  batches,
  decodeBeacon,
  decodeRequest,
  decodeResponse,
  encodeCall,
  encodeRequest,
} from "../call-codec.ts";
import { type CallEnd, type ClientCall, ClientCalls } from "../client-calls.ts";
import { commandBodyToWire } from "../command-codec.ts";
import { AMQP_MESSAGE_BYTES_MAX, CLIENT_CALLS_BYTES_MAX, CLIENT_CALLS_MAX } from "../limit.ts";
import type {
  AdministerAction,
  AdministerOutcome,
  CallOptions,
  JobEvent,
  LeaderView,
  LockEvent,
  ProposeOutcome,
  Quorum,
  ReadOutcome,
} from "../quorum.ts";
import type { Logger } from "../telemetry/logger.ts";
import { type Span, traceparentOf } from "../telemetry/trace.ts";
import { DropCount } from "./drop-count.ts";
import { EventEar } from "./event-ear.ts";
import { LeaderWatch } from "./leader-watch.ts";
import { Listeners } from "./listeners.ts";
import { endProposeSpan, startProposeSpan } from "./propose-span.ts";
import { openSession, type Session, type SessionState } from "./session.ts";
import {
  clientsExchange,
  declareClientExchanges,
  declareReplyQueue,
  EVENTS_EXCHANGE,
  type EventFilter,
  eventBindingKeys,
  leaderExchange,
} from "./topology.ts";

export interface OpenQuorumOptions {
  readonly url: string;
  readonly cluster: string;
  /** Names this process among all clients of the cluster, for people. */
  readonly clientId: string;
  readonly role: "gateway" | "worker";
  readonly logger: Logger;
  /** The job events to follow; null: none. */
  readonly follow: EventFilter | null;
}

/** How long opening waits for the broker before it leaves the rest to each call's timeout. */
const OPEN_WAIT_MS = 1_000;
/** Added to a call's deadline on the wire, since the leader's clock may be ahead of ours. */
const CLOCK_SKEW_ALLOWANCE_MS = 30_000;
const OVERDUE_CHECK_INTERVAL_MS = 500;
/** What setTimeout takes: 24 days. */
const TIMEOUT_MS_MAX = 2 ** 31 - 1;
/** Leaves room for the envelope around the only call of a message. */
const CALL_BYTES_MAX = AMQP_MESSAGE_BYTES_MAX - 1_024;
/** When the socket takes no more: try again soon. */
const PUBLISH_RETRY_MS = 20;

/** Resolves when connected; with the broker away, after a second, and goes on trying. */
export async function openQuorum(options: OpenQuorumOptions): Promise<AmqpQuorum> {
  const quorum = new AmqpQuorum(options);
  const waiting = new AbortController();
  const tired = delay(OPEN_WAIT_MS, undefined, { signal: waiting.signal }).catch(() => undefined);
  await Promise.race([quorum.connected(), tired]);
  waiting.abort();
  return quorum;
}

export class AmqpQuorum implements Quorum {
  readonly #options: OpenQuorumOptions;
  readonly #publisher: Session;
  readonly #consumer: Session;
  readonly #watch = new LeaderWatch((view) => this.#leaderChanged(view));
  readonly #calls = new ClientCalls(() => (this.#canSpeak() ? "no-leader" : "broker-unavailable"));
  readonly #leaderListeners = new Listeners<LeaderView>();
  readonly #ear = new EventEar();
  readonly #gapListeners = new Listeners<void>();
  readonly #drops = new DropCount();
  readonly #overdueTimer: NodeJS.Timeout;
  #flushing: NodeJS.Immediate | null = null;
  #retryTimer: NodeJS.Timeout | null = null;
  /** Of the current consuming connection. */
  #replyTo = "";
  #hasFollowed = false;
  #isClosed = false;

  constructor(options: OpenQuorumOptions) {
    this.#options = options;
    const { url, cluster, clientId, role } = options;
    const logger = options.logger.child({ role });
    this.#publisher = openSession({
      url,
      connectionName: `quorumq ${clientId} clients publish`,
      logger,
      setup: ({ channel }) => declareClientExchanges(channel, cluster),
      onState: (state, before) => this.#publisherBecame(state, before),
      onReturn: (message) => this.#returned(message),
    });
    this.#consumer = openSession({
      url,
      connectionName: `quorumq ${clientId} clients consume`,
      logger,
      setup: async ({ channel, consume }) => {
        await declareClientExchanges(channel, cluster);
        const keys = options.follow === null ? [] : eventBindingKeys(options.follow);
        const nonce = randomBytes(6).toString("hex");
        const queue = await declareReplyQueue(channel, cluster, clientId, nonce, keys);
        await consume(queue, (message) => this.#received(message));
        this.#replyTo = queue;
      },
      onState: (state, before) => this.#consumerBecame(state, before),
    });
    this.#overdueTimer = setInterval(() => this.#resendOverdue(), OVERDUE_CHECK_INTERVAL_MS);
    this.#overdueTimer.unref();
  }

  /** Resolves when calls can be sent and answers received. */
  async connected(): Promise<void> {
    await Promise.all([this.#publisher.connected(), this.#consumer.connected()]);
  }

  async propose(body: CommandBody, options: CallOptions): Promise<ProposeOutcome> {
    const destination = clientsExchange(this.#options.cluster);
    const span = startProposeSpan(options.traceparent, destination, body.kind);
    const call: Call["call"] = { $case: "propose", value: commandBodyToWire(body) };
    const end = await this.#call(call, options, span);
    assert(end.kind !== "answered", "a proposal is not answered by a read");
    assert(end.kind !== "administered", "a proposal is not an operator's wish");
    return end;
  }

  async read(read: Read, options: CallOptions): Promise<ReadOutcome> {
    const end = await this.#call({ $case: "read", value: read }, options, null);
    assert(end.kind !== "applied", "a read is not answered by a result");
    assert(end.kind !== "administered", "a read is not an operator's wish");
    return end;
  }

  async administer(action: AdministerAction, options: CallOptions): Promise<AdministerOutcome> {
    const end = await this.#call({ $case: "administer", value: { action } }, options, null);
    assert(end.kind !== "applied", "an operator's wish is not answered by a result");
    assert(end.kind !== "answered", "an operator's wish is not answered by a read");
    return end;
  }

  leader(): LeaderView {
    return this.#watch.view();
  }

  onLeader(listener: (view: LeaderView) => void): () => void {
    return this.#leaderListeners.add(listener);
  }

  onEvent(listener: (event: JobEvent) => void): () => void {
    return this.#ear.onJob(listener);
  }

  onLockEvent(listener: (event: LockEvent) => void): () => void {
    return this.#ear.onLock(listener);
  }

  onEventGap(listener: () => void): () => void {
    return this.#gapListeners.add(listener);
  }

  /** Messages that could not be read, by cause. */
  dropped(): Readonly<Record<string, number>> {
    return this.#drops.snapshot();
  }

  async close(): Promise<void> {
    if (!this.#isClosed) {
      this.#isClosed = true;
      clearInterval(this.#overdueTimer);
      if (this.#flushing !== null) clearImmediate(this.#flushing);
      if (this.#retryTimer !== null) clearTimeout(this.#retryTimer);
      this.#watch.close();
      this.#calls.giveUpAll("shutting-down");
    }
    await Promise.all([this.#consumer.close(), this.#publisher.close()]);
  }

  async #call(
    call: Call["call"],
    options: CallOptions,
    span: Span | null,
  ): Promise<Exclude<CallEnd, { kind: "malformed" }>> {
    const end = await this.#answerTo(call, options, span);
    if (span !== null) endProposeSpan(span, end);
    if (end.kind === "malformed") throw new Error("the leader cannot read this call");
    return end;
  }

  #answerTo(call: Call["call"], options: CallOptions, span: Span | null): Promise<CallEnd> {
    const { signal } = options;
    const timeoutMs = Math.min(Math.max(options.timeoutMs, 0), TIMEOUT_MS_MAX);
    if (this.#isClosed || signal?.aborted === true) {
      return Promise.resolve({ kind: "unavailable", reason: "shutting-down" });
    }
    if (this.#calls.size >= CLIENT_CALLS_MAX || this.#calls.bytes >= CLIENT_CALLS_BYTES_MAX) {
      return Promise.resolve({ kind: "unavailable", reason: "overloaded" });
    }
    const traceparent = span === null ? options.traceparent : traceparentOf(span);
    const callId = this.#calls.nextId();
    const deadlineMs = Math.ceil(Date.now() + timeoutMs + CLOCK_SKEW_ALLOWANCE_MS);
    const bytes = encodeCall({ callId, deadlineMs, traceparent, call });
    assert(bytes.byteLength <= CALL_BYTES_MAX, "the gateway takes no calls that are larger");
    return new Promise((ended) => {
      this.#calls.open(callId, {
        bytes,
        traceparent,
        timeoutMs,
        signal,
        isLong: call?.$case === "administer",
        ended,
        resent: (cause) => span?.addEvent("resend", { cause }),
      });
      this.#flushLater();
    });
  }

  #canSpeak(): boolean {
    return this.#publisher.state === "connected" && this.#consumer.state !== "disconnected";
  }

  /** At the end of this turn of the loop: what is called in one turn goes as one message. */
  #flushLater(): void {
    if (this.#isClosed || this.#calls.waitingCount === 0) return;
    this.#flushing ??= setImmediate(() => {
      this.#flushing = null;
      this.#flush();
    });
  }

  #flush(): void {
    const { leader } = this.#watch.view();
    if (leader === null || !this.#canSpeak()) return;
    const nowMs = performance.now();
    for (const batch of batches(this.#calls.waiting(), (call) => call.bytes)) {
      if (!this.#publish(leader, batch)) {
        this.#retryTimer ??= setTimeout(() => {
          this.#retryTimer = null;
          this.#flushLater();
        }, PUBLISH_RETRY_MS);
        return;
      }
      for (const call of batch) this.#calls.sent(call, leader, nowMs);
    }
  }

  #publish(leader: string, batch: readonly ClientCall[]): boolean {
    const { cluster } = this.#options;
    const encoded = batch.map((call) => call.bytes);
    const body = encodeRequest(cluster, this.#replyTo, encoded);
    const traceparent = batch.find((call) => call.traceparent !== "")?.traceparent;
    return this.#publisher.publish(clientsExchange(cluster), leader, body, {
      mandatory: true,
      ...(traceparent === undefined ? {} : { headers: { traceparent } }),
    });
  }

  #returned({ content, fields }: Message): void {
    const request = decodeRequest(content, this.#options.cluster);
    assert("calls" in request, "what comes back is what was sent");
    const { routingKey } = fields;
    for (const { callId } of request.calls) this.#calls.undone(callId, routingKey, "returned");
    this.#watch.lostMailboxOf(routingKey);
    this.#flushLater();
  }

  #received({ content, fields }: ConsumeMessage): void {
    if (this.#isClosed) return;
    if (fields.exchange === leaderExchange(this.#options.cluster)) {
      const beacon = decodeBeacon(content);
      if (beacon === null) this.#drops.add("beacon-malformed");
      else this.#watch.heard(beacon);
    } else if (fields.exchange === EVENTS_EXCHANGE) {
      if (!this.#ear.heard(content, fields.routingKey)) this.#drops.add("event-malformed");
    } else {
      const response = decodeResponse(content, this.#options.cluster);
      if ("dropped" in response) this.#drops.add(response.dropped);
      else this.#answered(response);
    }
  }

  #answered({ node, answers }: ClientResponse): void {
    let hint: string | null = null;
    for (const answer of answers) {
      const refusal = this.#settle(node, answer);
      if (refusal !== null) hint = refusal.leaderId;
    }
    // Last, so that all calls that the node refused are known to be undone before they go again.
    if (hint !== null) this.#watch.refusedBy(node, hint);
    this.#flushLater();
  }

  /** What the node said about who leads, if it refused because it does not. */
  #settle(node: string, { callId, answer }: Answer): { readonly leaderId: string } | null {
    if (answer === undefined) return null;
    if (answer.$case === "applied") {
      this.#calls.end(callId, { kind: "applied", applied: answer.value });
      return null;
    }
    if (answer.$case === "read") {
      this.#calls.end(callId, { kind: "answered", answer: answer.value });
      return null;
    }
    if (answer.$case === "administered") {
      const isRepeat = this.#calls.get(callId)?.isDoubtful === true;
      this.#calls.end(callId, { kind: "administered", outcome: answer.value, isRepeat });
      return null;
    }
    switch (answer.value.reason) {
      case Refused_Reason.REASON_NOT_LEADER:
        this.#calls.undone(callId, node, "not-leader");
        return answer.value;
      case Refused_Reason.REASON_OUTCOME_UNKNOWN:
        this.#calls.doubted(callId, node, "outcome-unknown");
        return answer.value;
      case Refused_Reason.REASON_OVERLOADED:
        // A call that may have happened before waits for its next sending instead.
        if (this.#calls.get(callId)?.isDoubtful === false) {
          this.#calls.end(callId, { kind: "unavailable", reason: "overloaded" });
        }
        return null;
      case Refused_Reason.REASON_MALFORMED:
        this.#calls.end(callId, { kind: "malformed" });
        return null;
      default:
        // Of a newer version: the next sending or the timeout decides.
        return null;
    }
  }

  #leaderChanged(view: LeaderView): void {
    if (this.#isClosed) return;
    this.#leaderListeners.tell(view);
    if (view.leader === null) return;
    this.#calls.doubtAll("new-leader");
    this.#flushLater();
    this.#gapListeners.tell();
  }

  #resendOverdue(): void {
    this.#calls.doubtOverdue(performance.now());
    this.#flushLater();
  }

  #publisherBecame(state: SessionState, before: SessionState): void {
    // What was handed to a connection that is lost may or may not have reached the broker.
    if (state === "connected" && before === "disconnected") this.#calls.doubtAll("reconnected");
    this.#flushLater();
  }

  #consumerBecame(state: SessionState, before: SessionState): void {
    if (state === "disconnected") this.#watch.deafened();
    if (state !== "connected" || before !== "disconnected") return;
    // Answers on their way to the queue of the lost connection went with it.
    this.#calls.doubtAll("reconnected");
    this.#flushLater();
    if (this.#hasFollowed) this.#gapListeners.tell();
    this.#hasFollowed = true;
  }
}
