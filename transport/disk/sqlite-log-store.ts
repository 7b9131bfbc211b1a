// The log store on SQLite in a thread of its own, with group commit.
//
//   persist ─▶ queue ──(thread idle)──▶ one batch ──BEGIN … COMMIT, one fsync──▶ all resolve
//                 ▲ what comes meanwhile waits and becomes the next batch
//
// Guarantees: those of transport/log-store.ts. One batch is under way at a time, so writes become
// durable in the order they were asked, and the busier the node, the more writes share an fsync.
// The first failure rejects everything that waits and everything that comes (L28: an fsync that
// failed once may "succeed" the second time without having written).
// Does not own: the file (sqlite-log-file.ts).

import assert from "node:assert/strict";
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { LogIndex } from "../../raft/message.ts";
import type { LogStore, LogWrite, Recovered, StoreIdentity } from "../log-store.ts";
import {
  type FromWorker,
  type OpenOrder,
  packBatch,
  type ToWorker,
  transfers,
  unpackEntries,
} from "./packed.ts";
import { StoreError, type StoreErrorCode } from "./store-error.ts";

export interface SqliteLogStoreOptions {
  /** This node's own; created if missing. */
  readonly directory: string;
  readonly identity: StoreIdentity;
  /** Upper bound of the file in SQLite pages of 4 KiB; beyond, a write fails and poisons. */
  readonly pageCountMax?: number;
}

/** Entry data in one transaction: bounds how long the next write waits. */
const BATCH_BYTES_MAX = 16 * 1024 * 1024;

/** Rejects with StoreError: see its codes. */
export async function openSqliteLogStore(options: SqliteLogStoreOptions): Promise<LogStore> {
  const { directory, identity, pageCountMax = null } = options;
  const worker = startWorker({ directory, identity, pageCountMax });
  // Also rejects when the thread throws before it answers.
  const [first] = (await once(worker, "message")) as [FromWorker];
  if (first.kind === "refused") {
    await worker.terminate();
    throw new StoreError(first.code as StoreErrorCode, first.message);
  }
  assert(first.kind === "opened", `the disk's thread began with ${first.kind}`);
  const { hardState, incarnation } = first;
  return new SqliteLogStore(worker, {
    hardState,
    incarnation,
    entries: unpackEntries(first.entries),
  });
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

class SqliteLogStore implements LogStore {
  readonly recovered: Recovered;
  readonly #worker: Worker;
  #lastIndex: LogIndex;
  #queue: Waiting[] = [];
  #underWay: readonly Waiting[] = [];
  #poison: StoreError | null = null;
  #isClosing = false;
  #onIdle: (() => void) | null = null;

  constructor(worker: Worker, recovered: Recovered) {
    this.recovered = recovered;
    this.#worker = worker;
    this.#lastIndex = recovered.entries.length;
    worker.on("message", (message: FromWorker) => this.#answered(message));
    worker.on("error", (error: Error) => this.#fail(error.message));
    worker.on("exit", () => {
      if (!this.#isClosing) this.#fail("the disk's thread ended");
    });
  }

  persist(write: LogWrite): Promise<void> {
    if (this.#poison !== null) return Promise.reject(this.#poison);
    if (this.#isClosing) return Promise.reject(new StoreError("closed", "the log store is closed"));
    this.#checkContiguous(write);
    return new Promise((resolve, reject) => {
      this.#queue.push({ write, resolve, reject });
      // After this turn's other writes have come.
      if (this.#queue.length === 1) queueMicrotask(() => this.#sendNext());
    });
  }

  async close(): Promise<void> {
    if (!this.#isClosing) {
      this.#isClosing = true;
      if (this.#queue.length > 0 || this.#underWay.length > 0) {
        await new Promise<void>((resolve) => {
          this.#onIdle = resolve;
        });
      }
      this.#post({ kind: "close" });
    }
    if (this.#worker.threadId !== -1) await once(this.#worker, "exit");
  }

  /** A hole would be our bug, and on disk it could not be told from a lost entry. */
  #checkContiguous({ truncateFrom, entries }: LogWrite): void {
    let last = this.#lastIndex;
    if (truncateFrom !== undefined) {
      assert(truncateFrom >= 1, `truncateFrom is ${truncateFrom}`);
      last = Math.min(last, truncateFrom - 1);
    }
    for (const { index } of entries) {
      assert(index === last + 1, `entry ${index} after entry ${last}`);
      last = index;
    }
    this.#lastIndex = last;
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
    if (message.kind === "failed") {
      this.#fail(message.message);
      return;
    }
    assert(message.kind === "written", `the disk's thread says ${message.kind}`);
    const durable = this.#underWay;
    this.#underWay = [];
    for (const { resolve } of durable) resolve();
    this.#sendNext();
    if (this.#underWay.length === 0) this.#onIdle?.();
  }

  #fail(reason: string): void {
    this.#poison ??= new StoreError("poisoned", `the disk failed, the node must stop: ${reason}`);
    const lost = [...this.#underWay, ...this.#queue];
    this.#underWay = [];
    this.#queue = [];
    for (const { reject } of lost) reject(this.#poison);
    this.#onIdle?.();
  }
}
