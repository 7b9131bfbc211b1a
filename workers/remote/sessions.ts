// The remote workers of one gateway: one session a stream, one stream a worker.
//
// Guarantees: never more than GATEWAY_WORKERS_MAX; a second stream with a worker's id ends the
// first before it begins; `close` resolves when every session has left Redis and the quorum alone.
// Does not own: what a session does (session.ts).

import { GATEWAY_WORKERS_MAX } from "../../transport/limit.ts";
import { refusal } from "../../transport/reason.ts";
import { type SessionOptions, WorkerSession } from "./session.ts";

export class RemoteWorkers {
  readonly #options: Omit<SessionOptions, "hello">;
  readonly #live = new Map<string, WorkerSession>();
  readonly #ending = new Map<WorkerSession, Promise<void>>();

  constructor(options: Omit<SessionOptions, "hello">) {
    this.#options = options;
  }

  get count(): number {
    return this.#live.size;
  }

  /** The worker's session, to be ended with `end`. */
  async open(hello: SessionOptions["hello"]): Promise<WorkerSession> {
    const { workerId } = hello;
    for (let earlier = this.#live.get(workerId); earlier; earlier = this.#live.get(workerId)) {
      const message = `worker ${workerId} has opened another stream`;
      earlier.outbox.fail(refusal("WORKER_REPLACED", message, { metadata: { worker: workerId } }));
      await this.end(earlier);
    }
    if (this.#live.size + this.#ending.size >= GATEWAY_WORKERS_MAX) {
      const message = `this gateway serves ${GATEWAY_WORKERS_MAX} workers already; ask another`;
      const metadata = { workers: String(GATEWAY_WORKERS_MAX) };
      throw refusal("BACKLOG_FULL", message, { metadata });
    }
    const session = new WorkerSession({ ...this.#options, hello });
    this.#live.set(workerId, session);
    return session;
  }

  /** Again: waits for the same end. */
  end(session: WorkerSession): Promise<void> {
    const ending = this.#ending.get(session);
    if (ending !== undefined) return ending;
    if (this.#live.get(session.workerId) === session) this.#live.delete(session.workerId);
    const ended = session.end().finally(() => this.#ending.delete(session));
    this.#ending.set(session, ended);
    return ended;
  }

  async close(): Promise<void> {
    const ends = [...this.#live.values()].map((session) => this.end(session));
    await Promise.all([...ends, ...this.#ending.values()]);
  }
}
