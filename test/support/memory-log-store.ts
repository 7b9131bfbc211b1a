// A disk in memory whose writes become durable when the test says so, and the life after it.
//
// Guarantees: as transport/log-store.ts asks: writes become durable in order, and the first failure
// is the last word. `reopen` gives what a power cut would have left: the durable writes only.

import type { HardState } from "../../raft/effect.ts";
import type { Entry } from "../../raft/message.ts";
import type { LogStore, LogWrite, Recovered } from "../../transport/log-store.ts";

interface Waiting {
  readonly write: LogWrite;
  readonly resolve: () => void;
  readonly reject: (cause: unknown) => void;
}

export class MemoryLogStore implements LogStore {
  readonly recovered: Recovered;
  /** Told of each write that is asked for. */
  onAsked: () => void = () => undefined;
  #hardState: HardState;
  #entries: Entry[];
  #isHeld = false;
  #waiting: Waiting[] = [];
  #poison: Error | null = null;

  constructor(recovered: Partial<Recovered> = {}) {
    const { hardState = { currentTerm: 0, votedFor: null }, entries = [] } = recovered;
    this.recovered = { hardState, entries, incarnation: recovered.incarnation ?? 1 };
    this.#hardState = hardState;
    this.#entries = [...entries];
  }

  /** Term and vote on the disk. */
  get hardState(): HardState {
    return this.#hardState;
  }

  /** The log on the disk. */
  get entries(): readonly Entry[] {
    return this.#entries;
  }

  /** Writes asked for that are not durable. */
  get waitingCount(): number {
    return this.#waiting.length;
  }

  persist(write: LogWrite): Promise<void> {
    if (this.#poison !== null) return Promise.reject(this.#poison);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ write, resolve, reject });
      if (!this.#isHeld) this.#sync();
      this.onAsked();
    });
  }

  /** From now on nothing becomes durable. */
  hold(): void {
    this.#isHeld = true;
  }

  /** All that waits becomes durable, and so does what comes. */
  release(): void {
    this.#isHeld = false;
    this.#sync();
  }

  /** As an fsync error: what waits is lost, and nothing is written any more. */
  fail(cause: Error): void {
    this.#poison = cause;
    for (const { reject } of this.#waiting.splice(0)) reject(cause);
  }

  /** The same disk in the node's next life. */
  reopen(): MemoryLogStore {
    const { incarnation } = this.recovered;
    return new MemoryLogStore({
      hardState: this.#hardState,
      entries: this.#entries,
      incarnation: incarnation + 1,
    });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #sync(): void {
    for (const { write, resolve } of this.#waiting.splice(0)) {
      this.#apply(write);
      resolve();
    }
  }

  #apply({ truncateFrom, entries, hardState }: LogWrite): void {
    if (truncateFrom !== undefined) this.#entries.length = truncateFrom - 1;
    this.#entries.push(...entries);
    if (hardState !== undefined) this.#hardState = hardState;
  }
}
