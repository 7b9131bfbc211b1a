// A worker behind a stream, as a client in another language would write it: sends what the test
// says, and hands out what comes, by kind.

import {
  type AttemptFinish,
  type AttemptStart,
  WorkerHello,
  type WorkRequest,
  type WorkResponse,
} from "../../protos/gen/quorumq/v1/worker_service.ts";
import type { JobsConnection } from "../../transport/grpc/client.ts";
import { PipelineError } from "../../transport/pipeline-error.ts";
import { Outbox } from "../../workers/remote/outbox.ts";
import { atEnd } from "./teardown.ts";

type Message = NonNullable<WorkResponse["message"]>;
type ValueOf<Case extends Message["$case"]> = Extract<Message, { $case: Case }>["value"];
type Ref = Pick<AttemptStart, "jobId" | "token">;

/** The hello that every test begins with, less what it says itself. */
export type HelloParts = Partial<WorkerHello>;

export class RemoteWorker {
  /** All that came, in order. */
  readonly heard: Message[] = [];
  /** How the stream ended: null for well. */
  readonly ended: Promise<PipelineError | null>;
  readonly #requests = new Outbox<WorkRequest>();
  readonly #broken = new AbortController();
  readonly #waiting = new Set<() => void>();
  #isOver = false;

  constructor(connection: JobsConnection, hello: HelloParts) {
    const value = WorkerHello.fromPartial(hello);
    this.send({ $case: "hello", value });
    this.ended = this.#read(connection);
    atEnd(() => this.break());
  }

  send(message: NonNullable<WorkRequest["message"]>): void {
    this.#requests.push({ message });
  }

  heartbeat(...attempts: readonly Ref[]): void {
    const value = {
      attempts: attempts.map(({ jobId, token }) => ({
        jobId,
        token,
        progress: Buffer.alloc(0),
        logLines: [],
      })),
    };
    this.send({ $case: "heartbeat", value });
  }

  finish({ jobId, token }: Ref, outcome: NonNullable<AttemptFinish["outcome"]>): void {
    this.send({ $case: "finish", value: { jobId, token, outcome } });
  }

  succeed(attempt: Ref, result: unknown): void {
    const value = { result: Buffer.from(JSON.stringify(result)) };
    this.finish(attempt, { $case: "succeeded", value });
  }

  fail(attempt: Ref, code: string, retryable: boolean): void {
    this.finish(attempt, { $case: "failed", value: { code, message: "as told", retryable } });
  }

  /** The next message of this kind that was not taken yet; throws when the stream is over. */
  async next<Case extends Message["$case"]>(wanted: Case): Promise<ValueOf<Case>> {
    for (;;) {
      const place = this.heard.findIndex(({ $case }) => $case === wanted);
      const found = this.heard[place];
      if (found?.$case === wanted) {
        this.heard.splice(place, 1);
        return found.value as ValueOf<Case>;
      }
      if (this.#isOver) throw (await this.ended) ?? new Error(`ended without ${wanted}`);
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  /** All messages in order, until the stream is over. */
  async *messages(): AsyncGenerator<Message> {
    for (;;) {
      const message = this.heard.shift();
      if (message !== undefined) yield message;
      else if (this.#isOver) return;
      else await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  /** As a process that dies. */
  async break(): Promise<void> {
    this.#broken.abort();
    await this.ended;
  }

  /** No more messages from here. */
  halfClose(): void {
    this.#requests.end();
  }

  async #read(connection: JobsConnection): Promise<PipelineError | null> {
    try {
      const options = { signal: this.#broken.signal };
      for await (const { message } of connection.workers.work(this.#requests, options)) {
        if (message !== undefined) this.heard.push(message);
        this.#wake();
      }
      return null;
    } catch (thrown) {
      if (thrown instanceof PipelineError) return thrown;
      throw thrown;
    } finally {
      this.#isOver = true;
      this.#requests.end();
      this.#wake();
    }
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}
