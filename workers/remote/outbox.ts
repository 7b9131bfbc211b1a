// The messages of one stream on their way out: what the gateway's call writes, in order.
//
// Guarantees: bounded. A worker that does not read is sent away, and its attempts are left to their
// leases. After an end or a failure nothing more is taken, and what was taken before an end still
// leaves.

import { WORKER_OUTBOX_MAX } from "../../transport/limit.ts";
import { refusal } from "../../transport/reason.ts";

export class Outbox<Message> implements AsyncIterable<Message> {
  readonly #messages: Message[] = [];
  #end: { readonly failure: unknown } | "end" | null = null;
  #wake = (): void => undefined;

  get isOpen(): boolean {
    return this.#end === null;
  }

  push(message: Message): void {
    if (this.#end !== null) return;
    if (this.#messages.length >= WORKER_OUTBOX_MAX) {
      const metadata = { waiting: String(WORKER_OUTBOX_MAX) };
      const what = `${WORKER_OUTBOX_MAX} messages wait to be read by this worker`;
      this.fail(refusal("BACKLOG_FULL", `${what}: the stream is ended`, { metadata }));
      return;
    }
    this.#messages.push(message);
    this.#wake();
  }

  /** The stream ends well, after what was pushed. */
  end(): void {
    this.#end ??= "end";
    this.#wake();
  }

  /** The stream ends with this at once. */
  fail(failure: unknown): void {
    this.#end ??= { failure };
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Message> {
    for (;;) {
      if (this.#end !== null && this.#end !== "end") throw this.#end.failure;
      const message = this.#messages.shift();
      if (message !== undefined) {
        yield message;
        continue;
      }
      if (this.#end === "end") return;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
  }
}
