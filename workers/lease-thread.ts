// The thread that keeps a worker's leases while its event loop is blocked, as the worker sees it.
//
// Guarantees: it never keeps a process alive; it connects to RabbitMQ only when it is first needed.
// Its death is told and costs nothing else. What it has done is read without the event loop, so a
// loop that has just come back knows of it before it judges its leases.
// Does not own: when it renews (lease-stand-in.ts), what becomes of news (lease-keeper.ts).

import {
  MessageChannel,
  type MessagePort,
  receiveMessageOnPort,
  Worker,
} from "node:worker_threads";
import type { Logger } from "../transport/telemetry/logger.ts";
import type { LeaseNews } from "./lease-stand-in.ts";
import type { LeaseRef } from "./renewal.ts";

export interface LeaseThreadOptions {
  readonly worker: string;
  readonly leaseMs: number;
  readonly blockedMsMax: number;
  readonly amqpUrl: string;
  readonly cluster: string;
  /** Of lines to stderr while the loop is blocked and cannot say anything; null: none. */
  readonly logLevel: string | null;
  readonly logger: Logger;
}

export interface LeaseThreadData extends Omit<LeaseThreadOptions, "logger"> {
  /** One number: when the loop last showed life, in nanoseconds of process.hrtime. */
  readonly alive: SharedArrayBuffer;
  readonly news: MessagePort;
}

export interface ToLeaseThread {
  readonly kind: "keep" | "release";
  readonly lease: LeaseRef;
}

/** One clock for all threads of a process. */
export function threadClockMs(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000;
}

export class LeaseThread {
  readonly #worker: Worker;
  readonly #alive: BigInt64Array;
  readonly #news: MessagePort;
  #isStopped = false;

  constructor({ logger, ...options }: LeaseThreadOptions) {
    const alive = new SharedArrayBuffer(BigInt64Array.BYTES_PER_ELEMENT);
    this.#alive = new BigInt64Array(alive);
    this.showLife();
    const { port1, port2 } = new MessageChannel();
    this.#news = port1;
    const data: LeaseThreadData = { ...options, alive, news: port2 };
    // tsc rewrites imports, not this URL: the thread runs from sources and from a build.
    const extension = import.meta.filename.endsWith(".ts") ? "ts" : "js";
    this.#worker = new Worker(new URL(`./lease-thread-entry.${extension}`, import.meta.url), {
      name: "quorumq leases",
      execArgv: [],
      workerData: data,
      transferList: [port2],
    });
    this.#worker.on("error", (error) => {
      const text = "the thread for leases has ended: a loop that is blocked loses them";
      logger.error({ err: error }, text);
    });
    this.#worker.unref();
  }

  keep({ jobId, token }: LeaseRef): void {
    this.showLife();
    this.#post({ kind: "keep", lease: { jobId, token } });
  }

  release({ jobId, token }: LeaseRef): void {
    this.#post({ kind: "release", lease: { jobId, token } });
  }

  showLife(): void {
    Atomics.store(this.#alive, 0, process.hrtime.bigint());
  }

  /** What it has done since the last call; the times are of threadClockMs. */
  news(): readonly LeaseNews[] {
    const news: LeaseNews[] = [];
    for (;;) {
      const next = receiveMessageOnPort(this.#news);
      if (next === undefined) return news;
      news.push(next.message as LeaseNews);
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#news.close();
    await this.#worker.terminate();
  }

  #post(message: ToLeaseThread): void {
    if (!this.#isStopped) this.#worker.postMessage(message);
  }
}
