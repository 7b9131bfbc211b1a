// A connection to RabbitMQ that comes back: connect, set up, and on any loss do it again.
//
//   disconnected ──connect + setup──▶ connected ◀──alarm──▶ blocked
//        ▲                               │                    │
//        └──── back-off, with jitter ◀───┴────────────────────┘        any ──close()──▶ closed
//
// Guarantees: `setup` runs on each new connection, before any publish; publish never buffers
// without bound, what cannot go now is dropped and said so; a state is logged when it changes, not
// at each try; the URL is shown without its password.
// Does not own: what is declared (topology.ts) nor the connection's own traps (connection.ts).

import type { Message } from "amqplib";
import type { Logger } from "../telemetry/logger.ts";
import { shownUrl } from "./broker-url.ts";
import {
  type BrokerConnection,
  openConnection,
  type PublishOptions,
  type SetupConnection,
} from "./connection.ts";

export type { PublishOptions, SetupConnection };

export type SessionState = "disconnected" | "connected" | "blocked" | "closed";

export interface SessionOptions {
  readonly url: string;
  /** Shown in RabbitMQ's management UI. */
  readonly connectionName: string;
  /** Declares and consumes. A rejection is a failed try: the session tries again. */
  readonly setup: (connection: SetupConnection) => Promise<void>;
  /** `blocked` to `connected` is the end of an alarm, `disconnected` to it a new connection. */
  readonly onState?: (state: SessionState, before: SessionState) => void;
  /** A mandatory message that no queue took. */
  readonly onReturn?: (message: Message) => void;
  readonly logger: Logger;
  readonly connectTimeoutMs?: number;
  readonly setupTimeoutMs?: number;
}

export interface Session {
  readonly state: SessionState;
  /** False: dropped (not connected, blocked by an alarm, or too much waits for the socket). */
  publish(exchange: string, routingKey: string, body: Buffer, options?: PublishOptions): boolean;
  /** Resolves when connected (now or next); rejects when closed before that. */
  connected(): Promise<void>;
  /** Ends the session within a bound. Nothing is called back after it has resolved. */
  close(): Promise<void>;
}

const BACKOFF_MIN_MS = 50;
const BACKOFF_MAX_MS = 1_000;
/** A connection that lasted less was no success: the back-off goes on rising. */
const STABLE_MS = 5_000;
const CONNECT_TIMEOUT_MS = 5_000;
const SETUP_TIMEOUT_MS = 10_000;

/** Begins to connect at once and returns; never throws for a fault of the broker. */
export function openSession(options: SessionOptions): Session {
  const session = new ReconnectingSession(options);
  session.start();
  return session;
}

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

class ReconnectingSession implements Session {
  readonly #options: SessionOptions;
  readonly #logger: Logger;
  #state: SessionState = "disconnected";
  #connection: BrokerConnection | null = null;
  #failedTries = 0;
  #connectedAtMs = 0;
  #loggedCause = "";
  #retryTimer: NodeJS.Timeout | null = null;
  /** The try under way, or the closing of a lost connection: close() waits for it. */
  #pending: Promise<void> = Promise.resolve();
  #waiters: Waiter[] = [];
  readonly #closing = new AbortController();

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#logger = options.logger.child({
      broker: shownUrl(options.url),
      connection: options.connectionName,
    });
  }

  get state(): SessionState {
    return this.#state;
  }

  start(): void {
    this.#pending = this.#try();
  }

  publish(
    exchange: string,
    routingKey: string,
    body: Buffer,
    options: PublishOptions = {},
  ): boolean {
    if (this.#state !== "connected" || this.#connection === null) return false;
    return this.#connection.publish(exchange, routingKey, body, options);
  }

  connected(): Promise<void> {
    if (this.#state === "connected" || this.#state === "blocked") return Promise.resolve();
    if (this.#state === "closed") return Promise.reject(new Error("the session is closed"));
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
    });
  }

  async close(): Promise<void> {
    if (this.#state !== "closed") {
      this.#become("closed");
      this.#closing.abort();
      if (this.#retryTimer !== null) clearTimeout(this.#retryTimer);
      for (const waiter of this.#waiters.splice(0)) {
        waiter.reject(new Error("the session is closed"));
      }
    }
    const connection = this.#connection;
    this.#connection = null;
    await Promise.all([this.#pending, connection?.close()]);
  }

  async #try(): Promise<void> {
    let cause: Error | null = null;
    let isBlocked = false;
    try {
      const connection = await openConnection({
        url: this.#options.url,
        connectionName: this.#options.connectionName,
        connectTimeoutMs: this.#options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
        setupTimeoutMs: this.#options.setupTimeoutMs ?? SETUP_TIMEOUT_MS,
        setup: this.#options.setup,
        onLost: (lostCause) => this.#lost(connection, lostCause),
        onBlocked: (isNowBlocked) => {
          // An alarm can be on already while setup runs.
          isBlocked = isNowBlocked;
          this.#blocked(isNowBlocked);
        },
        onReturn: (message) => {
          if (this.#state !== "closed") this.#options.onReturn?.(message);
        },
        signal: this.#closing.signal,
      });
      if (this.#state === "closed") {
        await connection.close();
        return;
      }
      this.#connection = connection;
    } catch (error) {
      cause = Error.isError(error) ? error : new Error(String(error));
    }
    if (this.#state === "closed") return;
    if (cause === null) this.#opened(isBlocked);
    else this.#failed(cause);
  }

  #opened(isBlocked: boolean): void {
    this.#connectedAtMs = performance.now();
    this.#loggedCause = "";
    this.#logger.info("connected to RabbitMQ");
    this.#become("connected");
    if (isBlocked) this.#blocked(true);
    for (const waiter of this.#waiters.splice(0)) waiter.resolve();
  }

  #failed(cause: Error): void {
    const shown = causeOf(cause);
    if (shown !== this.#loggedCause) {
      this.#loggedCause = shown;
      this.#logger.warn({ cause: shown }, "cannot use RabbitMQ; trying again until it works");
    }
    this.#retry();
  }

  #lost(connection: BrokerConnection, cause: Error): void {
    if (this.#state === "closed") return;
    this.#connection = null;
    if (performance.now() - this.#connectedAtMs > STABLE_MS) this.#failedTries = 0;
    this.#loggedCause = causeOf(cause);
    this.#logger.warn({ cause: this.#loggedCause }, "lost RabbitMQ; connecting again");
    this.#become("disconnected");
    this.#pending = connection.close();
    this.#retry();
  }

  #blocked(isBlocked: boolean): void {
    if (this.#state !== "connected" && this.#state !== "blocked") return;
    const next = isBlocked ? "blocked" : "connected";
    if (next === this.#state) return;
    this.#logger.warn(
      isBlocked ? "RabbitMQ blocks publishers (memory or disk alarm)" : "RabbitMQ unblocked",
    );
    this.#become(next);
  }

  #retry(): void {
    const ceilingMs = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** this.#failedTries);
    this.#failedTries = Math.min(this.#failedTries + 1, 16);
    const delayMs = ceilingMs * (0.5 + Math.random() / 2);
    const closing = this.#pending;
    this.#retryTimer = setTimeout(() => {
      this.#retryTimer = null;
      this.#pending = Promise.all([closing, this.#try()]).then(() => undefined);
    }, delayMs);
  }

  #become(state: SessionState): void {
    const before = this.#state;
    this.#state = state;
    this.#options.onState?.(state, before);
  }
}

/** A stable word for the log where there is one. */
function causeOf(error: Error): string {
  const { code } = error as { readonly code?: unknown };
  if (typeof code === "string") return code;
  if (error instanceof AggregateError && error.message === "") {
    return error.errors.map((one: unknown) => String(one)).join("; ");
  }
  return error.message;
}
