// The log store on SQLite in a thread of its own, with group commit.
//
//   persist ─▶ queue ──(thread idle)──▶ one batch ──BEGIN … COMMIT, one fsync──▶ all resolve
//                 ▲ what comes meanwhile waits and becomes the next batch
//   snapshot chunks ─▶ files beside the database, in the same thread, which never waits for them
//
// Guarantees: those of transport/log-store.ts. One batch is under way at a time, so writes become
// durable in the order they were asked, and the busier the node, the more writes share an fsync.
// The first failure rejects everything that waits and everything that comes (L28: an fsync that
// failed once may "succeed" the second time without having written).
// Does not own: the files (sqlite-log-file.ts, snapshot-files.ts).

import assert from "node:assert/strict";
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { LogPosition, Snapshot } from "../../raft/message.ts";
import type { LogStore, LogWrite, Recovered, SnapshotWriter, StoreIdentity } from "../log-store.ts";
import { WriteCheck } from "../write-check.ts";
import { packBatch, transfers } from "./packed.ts";
import { receiveRecovered } from "./receive-recovered.ts";
import { StoreError } from "./store-error.ts";
import type {
  FromWorker,
  OpenOrder,
  SnapshotAnswer,
  SnapshotTask,
  ToWorker,
} from "./worker-message.ts";

export interface SqliteLogStoreOptions {
  /** This node's own; created if missing. */
  readonly directory: string;
  readonly identity: StoreIdentity;
  /** A store that is made now takes the place of a damaged one: it must not found a cluster. */
  readonly isReplacement?: boolean;
  /** Upper bound of the file in SQLite pages of 4 KiB; beyond, a write fails and poisons. */
  readonly pageCountMax?: number;
}

/** Entry data in one transaction: bounds how long the next write waits. */
const BATCH_BYTES_MAX = 16 * 1024 * 1024;

/** Rejects with StoreError: see its codes. */
export async function openSqliteLogStore(options: SqliteLogStoreOptions): Promise<LogStore> {
  const { directory, identity, isReplacement = false, pageCountMax = null } = options;
  const worker = startWorker({ directory, identity, isReplacement, pageCountMax });
  try {
    return new SqliteLogStore(worker, await receiveRecovered(worker));
  } catch (error) {
    await worker.terminate();
    throw error;
  }
}

function startWorker(order: OpenOrder): Worker {
  // tsc rewrites imports, not this URL: the thread runs from sources and from a build.
  const extension = import.meta.filename.endsWith(".ts") ? "ts" : "js";
  return new Worker(new URL(`./sqlite-worker.${extension}`, import.meta.url), {
    name: "quorumq disk",
    workerData: order,
    // Not the process's own flags: an --import of theirs would run here a second time.
    execArgv: [],
  });
}

interface Waiting {
  readonly write: LogWrite;
  readonly resolve: () => void;
  readonly reject: (error: StoreError) => void;
}

interface OpenTask {
  readonly resolve: (answer: SnapshotAnswer) => void;
  readonly reject: (error: StoreError) => void;
}

class SqliteLogStore implements LogStore {
  recovered: Recovered;
  readonly #worker: Worker;
  readonly #check: WriteCheck;
  #queue: Waiting[] = [];
  #underWay: readonly Waiting[] = [];
  readonly #tasks = new Map<number, OpenTask>();
  #lastTaskId = 0;
  /** The snapshot writer that is not ended. */
  #writer = 0;
  #poison: StoreError | null = null;
  #isClosing = false;
  #onIdle: (() => void) | null = null;

  constructor(worker: Worker, recovered: Recovered) {
    this.recovered = recovered;
    this.#worker = worker;
    this.#check = new WriteCheck(recovered);
    worker.on("message", (message: FromWorker) => this.#answered(message));
    worker.on("error", (error: Error) => this.#fail(error.message));
    worker.on("exit", () => {
      if (!this.#isClosing) this.#fail("the disk's thread ended");
    });
  }

  persist(write: LogWrite): Promise<void> {
    const refusal = this.#refusal();
    if (refusal !== null) return Promise.reject(refusal);
    this.#check.accept(write);
    // Whoever compacts has long had its entries: kept here, they would never be freed.
    if (write.compactTo !== undefined) this.recovered = { ...this.recovered, entries: [] };
    return new Promise((resolve, reject) => {
      this.#queue.push({ write, resolve, reject });
      // After this turn's other writes have come.
      if (this.#queue.length === 1) queueMicrotask(() => this.#sendNext());
    });
  }

  openSnapshotWriter(place: LogPosition): SnapshotWriter {
    this.#writer += 1;
    const writer = this.#writer;
    return {
      write: async (offset, data) => {
        if (writer !== this.#writer) return;
        // A copy, to be moved: the caller's buffer may be a part of one that others read.
        await this.#ask({ kind: "stage", writer, offset, data: new Uint8Array(data) });
      },
      verify: async (snapshot) => {
        const isThere = snapshot.index === place.index && snapshot.term === place.term;
        assert(isThere, `snapshot ${snapshot.index} is not the one at ${place.index}`);
        return writer === this.#writer && (await this.#verify(writer, snapshot));
      },
    };
  }

  async readSnapshot(
    { index, term }: LogPosition,
    offset: number,
    bytes: number,
  ): Promise<Uint8Array | null> {
    const answer = await this.#ask({ kind: "read", place: { index, term }, offset, bytes });
    assert(typeof answer !== "boolean", "a read is answered with bytes or none");
    return answer;
  }

  async check(): Promise<void> {
    await this.#ask({ kind: "check" });
  }

  async close(): Promise<void> {
    if (!this.#isClosing) {
      this.#isClosing = true;
      if (!this.#isIdle()) {
        await new Promise<void>((resolve) => {
          this.#onIdle = resolve;
        });
      }
      this.#post({ kind: "close" });
    }
    if (this.#worker.threadId !== -1) await once(this.#worker, "exit");
  }

  async #verify(writer: number, snapshot: Snapshot): Promise<boolean> {
    // Ended: what it staged has another name afterwards, or none.
    this.#writer += 1;
    const answer = await this.#ask({ kind: "verify", writer, snapshot });
    assert(typeof answer === "boolean", "a verify is answered with yes or no");
    if (answer) this.#check.verified(snapshot);
    return answer;
  }

  #refusal(): StoreError | null {
    if (this.#poison !== null) return this.#poison;
    return this.#isClosing ? new StoreError("closed", "the log store is closed") : null;
  }

  #isIdle(): boolean {
    return this.#queue.length === 0 && this.#underWay.length === 0 && this.#tasks.size === 0;
  }

  #ask(task: SnapshotTask): Promise<SnapshotAnswer> {
    const refusal = this.#refusal();
    if (refusal !== null) return Promise.reject(refusal);
    this.#lastTaskId += 1;
    const taskId = this.#lastTaskId;
    return new Promise((resolve, reject) => {
      this.#tasks.set(taskId, { resolve, reject });
      const moved = task.kind === "stage" ? [task.data.buffer] : [];
      this.#post({ kind: "snapshot", taskId, task }, moved);
    });
  }

  #sendNext(): void {
    if (this.#underWay.length > 0 || this.#queue.length === 0 || this.#poison !== null) return;
    let bytes = 0;
    let count = 0;
    for (const { write } of this.#queue) {
      for (const entry of write.entries) bytes += entry.data.length;
      // One write always goes, however large.
      if (count > 0 && bytes > BATCH_BYTES_MAX) break;
      count += 1;
    }
    this.#underWay = this.#queue.splice(0, count);
    const batch = packBatch(this.#underWay.map(({ write }) => write));
    this.#post({ kind: "write", batch }, transfers(batch.entries));
  }

  #post(message: ToWorker, moved: ArrayBuffer[] = []): void {
    this.#worker.postMessage(message, moved);
  }

  #answered(message: FromWorker): void {
    switch (message.kind) {
      case "failed":
        this.#fail(message.message);
        return;
      case "written": {
        const durable = this.#underWay;
        this.#underWay = [];
        for (const { resolve } of durable) resolve();
        this.#sendNext();
        break;
      }
      case "answer": {
        const task = this.#tasks.get(message.taskId);
        this.#tasks.delete(message.taskId);
        task?.resolve(message.answer);
        break;
      }
      default:
        assert.fail(`the disk's thread says ${message.kind}`);
    }
    if (this.#isIdle()) this.#onIdle?.();
  }

  #fail(reason: string): void {
    this.#poison ??= new StoreError("poisoned", `the disk failed, the node must stop: ${reason}`);
    const lost = [...this.#underWay, ...this.#queue, ...this.#tasks.values()];
    this.#underWay = [];
    this.#queue = [];
    this.#tasks.clear();
    for (const { reject } of lost) reject(this.#poison);
    this.#onIdle?.();
  }
}
