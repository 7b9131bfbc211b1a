// A worker behind a stream for the whole of a chaos run: runs its jobs whatever becomes of its
// gateway, as docs/worker-protocol.md says that a worker should.
//
// Guarantees: a stream that ends is opened again with the attempts that still run, and what had no
// answer is handed in again; nothing that it was given is forgotten.
// Does not own: the verdict, which is the ledger's (audit.ts).

import { setTimeout as delay } from "node:timers/promises";
import {
  type AttemptFinish,
  type AttemptStart,
  WorkerHello,
  WorkerKind,
  type WorkRequest,
  type WorkResponse,
} from "../../protos/gen/quorumq/v1/worker_service.ts";
import type { JobsConnection } from "../../transport/grpc/client.ts";
import { PipelineError } from "../../transport/pipeline-error.ts";
import { Outbox } from "../../workers/remote/outbox.ts";

export const REMOTE_KIND = "remote-echo";
const QUEUE = "remote";
const LEASE_MS = 3_000;
const WORK_MS_MAX = 40;
const REOPEN_MS = 200;
const DRAIN_MS = 10_000;

export class ChaosRemoteWorker {
  readonly #connection: JobsConnection;
  readonly #workerId: string;
  readonly #live = new Map<number, AttemptStart>();
  readonly #unanswered = new Map<number, AttemptFinish>();
  readonly #begun = Promise.withResolvers<void>();
  readonly #heartbeats: NodeJS.Timeout;
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>;
  #requests = new Outbox<WorkRequest>();

  constructor(connection: JobsConnection, workerId: string) {
    this.#connection = connection;
    this.#workerId = workerId;
    this.#heartbeats = setInterval(() => this.#beat(), LEASE_MS / 3);
    this.#running = this.#run();
  }

  /** Resolves when it takes jobs for the first time: from then on its kind is known. */
  get begun(): Promise<void> {
    return this.#begun.promise;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#send({ $case: "drain", value: { grace: undefined } });
    await Promise.race([this.#running, delay(DRAIN_MS, undefined, { ref: false })]);
    clearInterval(this.#heartbeats);
    this.#requests.end();
  }

  async #run(): Promise<void> {
    for (;;) {
      try {
        await this.#stream();
      } catch (error) {
        // Its gateway is gone, or the quorum has no leader: that is what this run is about.
        const { code } = PipelineError.from(error);
        if (code === "INVALID_ARGUMENT" || code === "INTERNAL") throw error;
      }
      if (this.#stopping.signal.aborted) return;
      await delay(REOPEN_MS);
    }
  }

  async #stream(): Promise<void> {
    const requests = new Outbox<WorkRequest>();
    const resume = [...this.#live.values()].map(({ jobId, token, traceparent }) => ({
      jobId,
      token,
      traceparent,
    }));
    const value = WorkerHello.fromPartial({
      workerId: this.#workerId,
      kinds: [WorkerKind.fromPartial({ kind: REMOTE_KIND, queue: QUEUE, maxAttempts: 50 })],
      concurrency: 20,
      lease: { seconds: LEASE_MS / 1_000, nanos: 0 },
      resume,
    });
    requests.push({ message: { $case: "hello", value } });
    for (const finish of this.#unanswered.values()) {
      requests.push({ message: { $case: "finish", value: finish } });
    }
    this.#requests = requests;
    try {
      for await (const { message } of this.#connection.workers.work(requests)) {
        if (message?.$case === "move" || message?.$case === "drained") return;
        if (message !== undefined) this.#take(message);
      }
    } finally {
      requests.end();
    }
  }

  #take(message: NonNullable<WorkResponse["message"]>): void {
    switch (message.$case) {
      case "welcome":
        this.#begun.resolve();
        return;
      case "start":
        this.#live.set(message.value.token, message.value);
        setTimeout(() => this.#finish(message.value), Math.random() * WORK_MS_MAX);
        return;
      case "abort":
        this.#live.delete(message.value.token);
        return;
      case "finished":
      case "fenced":
        this.#unanswered.delete(message.value.token);
        return;
      default:
        return;
    }
  }

  #finish({ jobId, token, payload }: AttemptStart): void {
    // One that was aborted says so by what it hands in, too: the ledger decides.
    this.#live.delete(token);
    const succeeded = { $case: "succeeded", value: { result: payload } } as const;
    const value: AttemptFinish = { jobId, token, outcome: succeeded };
    this.#unanswered.set(token, value);
    this.#send({ $case: "finish", value });
  }

  #beat(): void {
    const attempts = [...this.#live.values()].map(({ jobId, token }) => ({
      jobId,
      token,
      progress: Buffer.alloc(0),
      logLines: [],
    }));
    this.#send({ $case: "heartbeat", value: { attempts } });
  }

  #send(message: NonNullable<WorkRequest["message"]>): void {
    this.#requests.push({ message });
  }
}
