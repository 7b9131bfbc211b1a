// One life of one AMQP connection with one channel: connect, set up, serve, be lost once.
//
// Guarantees: error listeners are attached in the turn in which amqplib hands the connection out,
// so no 'error' is ever uncaught; any end (socket, heartbeat, channel error, cancelled consumer) is
// reported once, with the first cause; what waits to be sent is bounded, beyond it messages are
// dropped. Closing a channel that failed alone is no use: publishes to it vanish silently, so the
// whole connection goes.
// Does not own: connecting again (session.ts).

import { setTimeout as delay } from "node:timers/promises";
import amqp, { type Channel, type ChannelModel, type ConsumeMessage, type Message } from "amqplib";
import { connectUrl } from "./broker-url.ts";

/** Bytes handed to amqplib that the socket has not taken: beyond, messages are dropped. */
const WAITING_BYTES_MAX = 32 * 1024 * 1024;
/** Frames amqplib may hold for a channel before publish() says it is full. */
const WAITING_FRAMES_MAX = 4_096;
const CLOSE_TIMEOUT_MS = 2_000;

export interface PublishOptions {
  /** Come back (onReturn) when no queue takes it. */
  readonly mandatory?: boolean;
  /** Kept over a broker restart, in durable queues. Default false. */
  readonly persistent?: boolean;
  readonly headers?: Readonly<Record<string, string | number>>;
  readonly type?: string;
  readonly correlationId?: string;
  readonly messageId?: string;
  readonly replyTo?: string;
  readonly contentType?: string;
  /** Unix seconds, as AMQP has it. */
  readonly timestamp?: number;
  readonly appId?: string;
}

/** What `setup` works with; valid for this connection only. */
export interface SetupConnection {
  /** Publishes go over it too. An error on it ends the connection: the session connects anew. */
  readonly channel: Channel;
  /** Runs `use` on a channel of its own, for what may be refused: its errors are the caller's. */
  withChannel<T>(use: (channel: Channel) => Promise<T>): Promise<T>;
  /** Consumes without acks; a cancelled consumer (queue deleted) ends the connection. */
  consume(queue: string, receive: (message: ConsumeMessage) => void): Promise<void>;
}

export interface ConnectionOptions {
  readonly url: string;
  readonly connectionName: string;
  readonly connectTimeoutMs: number;
  readonly setupTimeoutMs: number;
  readonly setup: (connection: SetupConnection) => Promise<void>;
  readonly onLost: (cause: Error) => void;
  readonly onBlocked: (isBlocked: boolean) => void;
  readonly onReturn: (message: Message) => void;
  /** Gives up connecting and setting up; without effect once open. */
  readonly signal: AbortSignal;
}

/** Connects and runs setup; rejects if either fails, leaving nothing open. */
export async function openConnection(options: ConnectionOptions): Promise<BrokerConnection> {
  const connection = new BrokerConnection(await connectModel(options), options);
  const { setupTimeoutMs } = options;
  try {
    await unlessAborted(options.signal, within(setupTimeoutMs, "setup", connection.setUp()));
  } catch (error) {
    await connection.close();
    throw error;
  }
  return connection;
}

async function connectModel(options: ConnectionOptions): Promise<ChannelModel> {
  const connecting = amqp.connect(connectUrl(options.url), {
    noDelay: true,
    keepAlive: true,
    keepAliveDelay: 10_000,
    timeout: options.connectTimeoutMs,
    clientProperties: { connection_name: options.connectionName },
  });
  try {
    return await unlessAborted(options.signal, connecting);
  } catch (error) {
    // amqplib cannot be told to stop connecting: what comes later is closed at once.
    connecting.then(closeModel, () => undefined);
    throw error;
  }
}

export class BrokerConnection {
  readonly #model: ChannelModel;
  readonly #options: ConnectionOptions;
  #channel: Channel | null = null;
  #state: "setting-up" | "open" | "lost" = "setting-up";
  #cause: Error | null = null;
  #isFull = false;
  #waitingBytes = 0;
  #isChecking = false;
  #isCorked = false;

  constructor(model: ChannelModel, options: ConnectionOptions) {
    this.#model = model;
    this.#options = options;
    model.on("error", (error: Error) => this.#lose(error));
    model.on("close", (error?: Error) => this.#lose(error ?? new Error("connection closed")));
    model.on("blocked", () => options.onBlocked(true));
    model.on("unblocked", () => options.onBlocked(false));
    // Before amqplib's own listener, which writes what it held back.
    socketOf(model)?.prependListener("drain", () => this.#gather());
  }

  async setUp(): Promise<void> {
    const channel = await this.#model.createChannel({ highWaterMark: WAITING_FRAMES_MAX });
    channel.on("error", (error: Error) => this.#lose(error));
    channel.on("close", () => this.#lose(new Error("channel closed")));
    channel.on("return", (message) => this.#options.onReturn(message));
    channel.on("drain", () => {
      this.#isFull = false;
    });
    await this.#options.setup({
      channel,
      withChannel: (use) => this.#withChannel(use),
      consume: (queue, receive) => this.#consume(channel, queue, receive),
    });
    // The last declaration can succeed and the connection be lost before we get here.
    if (this.#cause !== null) throw this.#cause;
    this.#channel = channel;
    this.#state = "open";
  }

  /** False: dropped, since the connection is lost or too much waits already. */
  publish(exchange: string, routingKey: string, body: Buffer, options: PublishOptions): boolean {
    if (this.#channel === null || this.#state !== "open" || this.#isFull) return false;
    if (this.#waitingBytes + body.length > WAITING_BYTES_MAX) return false;
    this.#waitingBytes += body.length;
    // false here means: taken, but the last one until 'drain'.
    this.#isFull = !this.#channel.publish(exchange, routingKey, body, {
      ...options,
      mandatory: options.mandatory ?? false,
      persistent: options.persistent ?? false,
      headers: options.headers ?? {},
    });
    this.#gather();
    this.#checkLater();
    return true;
  }

  /** Ends it, politely if the broker answers, within a bound. Never rejects. */
  async close(): Promise<void> {
    this.#state = "lost";
    await closeModel(this.#model);
  }

  #lose(cause: Error): void {
    this.#cause ??= cause;
    if (this.#state !== "open") return;
    this.#state = "lost";
    this.#options.onLost(this.#cause);
  }

  async #withChannel<T>(use: (channel: Channel) => Promise<T>): Promise<T> {
    const channel = await this.#model.createChannel();
    let isOpen = true;
    // The failing call rejects as well, so the caller knows.
    channel.on("error", () => undefined);
    channel.on("close", () => {
      isOpen = false;
    });
    try {
      return await use(channel);
    } finally {
      if (isOpen) await channel.close();
    }
  }

  async #consume(
    channel: Channel,
    queue: string,
    receive: (message: ConsumeMessage) => void,
  ): Promise<void> {
    const onMessage = (message: ConsumeMessage | null): void => {
      if (message === null) {
        this.#lose(new Error(`consumer of ${queue} cancelled by the broker`));
        return;
      }
      try {
        receive(message);
      } catch (error) {
        // A bug of ours. amqplib would turn it into a closed channel: let it end the process.
        setImmediate(() => {
          throw error;
        });
      }
    };
    await channel.consume(queue, onMessage, { noAck: true, exclusive: true });
  }

  /**
   * All that is published in one turn leaves in one system call; amqplib alone makes one a message,
   * which was a quarter of a busy leader's time. It moves frames in an immediate that it asks for
   * in a tick after a publish, so ours, asked for in the tick after, comes next: nothing is later.
   */
  #gather(): void {
    const socket = socketOf(this.#model);
    if (this.#isCorked || socket === null) return;
    this.#isCorked = true;
    socket.cork();
    process.nextTick(() =>
      setImmediate(() => {
        this.#isCorked = false;
        socket.uncork();
      }),
    );
  }

  /**
   * amqplib moves frames to the socket in an immediate, for as long as the socket takes them. So
   * when, two immediates after a publish, the socket still takes bytes, nothing of ours waits.
   */
  #checkLater(): void {
    if (this.#isChecking) return;
    this.#isChecking = true;
    const check = (): void => {
      const socket = socketOf(this.#model);
      if (socket?.writableNeedDrain === true && !socket.destroyed) {
        socket.once("drain", () => setImmediate(check));
        return;
      }
      this.#isChecking = false;
      this.#waitingBytes = 0;
    };
    setImmediate(() => setImmediate(check));
  }
}

async function closeModel(model: ChannelModel): Promise<void> {
  model.on("error", () => undefined);
  const waiting = new AbortController();
  const { signal } = waiting;
  // Rejects when the connection is gone already: what we want, so not a fault.
  const closing = model.close().catch(() => undefined);
  const tooLate = delay(CLOSE_TIMEOUT_MS, undefined, { signal }).catch(() => undefined);
  await Promise.race([closing, tooLate]);
  waiting.abort();
  // With an error, or amqplib would not notice and would leave its heartbeat timers running.
  socketOf(model)?.destroy(new Error("connection given up"));
}

interface SocketLike {
  readonly writableNeedDrain: boolean;
  readonly destroyed: boolean;
  destroy(error: Error): void;
  cork(): void;
  uncork(): void;
  once(event: "drain", listener: () => void): void;
  prependListener(event: "drain", listener: () => void): void;
}

/** amqplib's typings hide the socket; it has been `connection.stream` since its first version. */
function socketOf(model: ChannelModel): SocketLike | null {
  const { stream } = model.connection as { readonly stream?: SocketLike };
  return typeof stream?.destroy === "function" ? stream : null;
}

/** Rejects when the work takes longer; the work itself is ended by closing what it works on. */
async function within<T>(timeoutMs: number, what: string, work: Promise<T>): Promise<T> {
  const timer = new AbortController();
  const tooLate = delay(timeoutMs, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`${what} took longer than ${timeoutMs} ms`);
  });
  try {
    return await Promise.race([work, tooLate]);
  } finally {
    tooLate.catch(() => undefined);
    timer.abort();
  }
}

/** Rejects when aborted; the work goes on, its outcome is the caller's to clean up. */
async function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(new Error("given up"));
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
