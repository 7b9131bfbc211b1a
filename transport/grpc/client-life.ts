// The life of a connection: which of its calls are open, and that there are none after its end.
//
// Guarantees: `close` ends every open call at once; one that begins afterwards is refused before
// anything is sent. A call that has ended leaves nothing here.
// Does not own: the calls (method-client.ts).

import type { PipelineError } from "../pipeline-error.ts";
import { refusal } from "../reason.ts";

export class ClientLife {
  /** A set, and not listeners of one signal: those are searched through at each call. */
  readonly #cancels = new Set<() => void>();
  #isClosed = false;

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get openCount(): number {
    return this.#cancels.size;
  }

  /** Returns the function that says that the call has ended. */
  opened(cancel: () => void): () => void {
    this.#cancels.add(cancel);
    return () => this.#cancels.delete(cancel);
  }

  close(): void {
    this.#isClosed = true;
    for (const cancel of this.#cancels) cancel();
    this.#cancels.clear();
  }
}

/** No call of this connection will ever do better, whatever was asked. */
export function clientClosed(): PipelineError {
  return refusal("CALL_CANCELLED", "this client has been closed", { retry: "never" });
}
