// The snapshot thread as the node sees it.
//
// Guarantees: one question at a time, each answered; what the thread cannot do rejects, and so does
// every question to one that has ended, whoever ended it: nobody waits for a thread that is gone,
// and its death is never an error that nobody listens for.
// Does not own: what is asked (snapshot-maker.ts).

import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { Entry } from "../../raft/message.ts";
import { packEntries, transfers } from "../disk/packed.ts";
import type { FromBuilder, ToBuilder } from "./build-message.ts";

export type Built = Extract<FromBuilder, { kind: "built" }>;

export class SnapshotBuildError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "SnapshotBuildError";
  }
}

export class SnapshotBuilder {
  readonly #worker: Worker;
  readonly #gone = new AbortController();
  /** What the thread died of. */
  #cause: unknown = null;

  constructor() {
    // tsc rewrites imports, not this URL: the thread runs from sources and from a build.
    const extension = import.meta.filename.endsWith(".ts") ? "ts" : "js";
    this.#worker = new Worker(new URL(`./build-worker.${extension}`, import.meta.url), {
      name: "quorumq snapshot",
      execArgv: [],
    });
    // It can die between two questions, of too little memory for one.
    this.#worker.on("error", (cause) => {
      this.#cause ??= cause;
    });
    this.#worker.on("exit", () => this.#gone.abort());
  }

  async base(data: Uint8Array): Promise<void> {
    await this.#ask({ kind: "base", data }, []);
  }

  async entries(entries: readonly Entry[]): Promise<void> {
    const packed = packEntries(entries);
    await this.#ask({ kind: "entries", packed }, transfers(packed));
  }

  /** The next bytes; at their end what they are in all. */
  async next(): Promise<Uint8Array | Built> {
    const answer = await this.#ask({ kind: "next" }, []);
    return answer.kind === "chunk" ? answer.data : (answer as Built);
  }

  /** Whatever it is doing. */
  async stop(): Promise<void> {
    this.#gone.abort();
    await this.#worker.terminate();
  }

  async #ask(question: ToBuilder, moved: ArrayBuffer[]): Promise<FromBuilder> {
    const answer = await this.#answerTo(question, moved);
    if (answer.kind === "failed") throw new SnapshotBuildError(answer.message);
    return answer;
  }

  async #answerTo(question: ToBuilder, moved: ArrayBuffer[]): Promise<FromBuilder> {
    try {
      this.#gone.signal.throwIfAborted();
      this.#worker.postMessage(question, moved);
      const [answer] = await once(this.#worker, "message", { signal: this.#gone.signal });
      return answer as FromBuilder;
    } catch (error) {
      const cause = this.#cause ?? error;
      throw new SnapshotBuildError("the snapshot thread has ended", { cause });
    }
  }
}
