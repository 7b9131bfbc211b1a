// The disk's thread: owns the SQLite file and the snapshot files, so that no fsync ever stops the
// event loop.
//
// Guarantees: answers each batch once, in order, after COMMIT, and each snapshot task once, in
// order; a batch never waits for a snapshot task, nor for more than a little of the removal of old
// rows; after the first failure of either it writes nothing more, whatever it is sent.
// Does not own: what is in a batch (sqlite-log-store.ts).

import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import type { LogIndex, Snapshot } from "../../raft/message.ts";
import { type PackedBatch, transfers } from "./packed.ts";
import { SnapshotFiles } from "./snapshot-files.ts";
import { SqliteLogFile } from "./sqlite-log-file.ts";
import { StoreError } from "./store-error.ts";
import { testFaultOf } from "./test-fault.ts";
import type {
  FromWorker,
  OpenOrder,
  SnapshotAnswer,
  SnapshotTask,
  ToWorker,
} from "./worker-message.ts";

/** Between two steps of the removal, so that it costs commits a small part of the disk's time. */
const PURGE_PAUSE_MS = 20;

assert(parentPort !== null, "the disk's thread is started by sqlite-log-store.ts");
const port = parentPort;

function say(message: FromWorker, moved: ArrayBuffer[] = []): void {
  port.postMessage(message, moved);
}

class DiskThread {
  readonly #file: SqliteLogFile;
  readonly #snapshots: SnapshotFiles;
  /** Snapshot work is done one after the other, beside the writes. */
  #snapshotWork: Promise<void> = Promise.resolve();
  #purgeTimer: NodeJS.Timeout | null = null;
  #isPoisoned = false;

  constructor(file: SqliteLogFile, snapshots: SnapshotFiles) {
    this.#file = file;
    this.#snapshots = snapshots;
    this.#purgeLater();
  }

  take(message: ToWorker): void {
    switch (message.kind) {
      case "write":
        this.#write(message.batch);
        break;
      case "snapshot":
        this.#afterSnapshotWork(() => this.#run(message.taskId, message.task));
        break;
      case "close":
        void this.#close();
        break;
    }
  }

  #write(batch: PackedBatch): void {
    if (this.#isPoisoned) return;
    try {
      this.#file.write(batch);
    } catch (error) {
      this.#poison(error);
      return;
    }
    say({ kind: "written" });
    const taken = batch.writes.findLast(({ snapshot }) => snapshot !== null)?.snapshot;
    if (taken !== null && taken !== undefined) this.#tidy(taken);
    this.#purgeLater();
  }

  /** Durable before it is done: the order in which files go does not matter. */
  #tidy(snapshot: Snapshot): void {
    this.#afterSnapshotWork(() => this.#snapshots.takenOver(snapshot));
  }

  async #run(taskId: number, task: SnapshotTask): Promise<void> {
    const answer = await this.#answerTo(task);
    say({ kind: "answer", taskId, answer }, answer instanceof Uint8Array ? [answer.buffer] : []);
  }

  async #answerTo(task: SnapshotTask): Promise<SnapshotAnswer> {
    switch (task.kind) {
      case "stage":
        await this.#snapshots.stage(task.writer, task.offset, task.data);
        return true;
      case "verify":
        return await this.#snapshots.verify(task.writer, task.snapshot);
      case "check":
        await this.#check();
        return true;
      case "read":
        return await this.#snapshots.read(task.place, task.offset, task.bytes);
    }
  }

  /** What is damaged poisons the store, as what cannot be written does. */
  async #check(): Promise<void> {
    let last: LogIndex | null = 0;
    while (last !== null && !this.#isPoisoned) {
      last = this.#file.checkBehind(last);
      await turn();
    }
  }

  #afterSnapshotWork(work: () => Promise<void>): void {
    this.#snapshotWork = this.#snapshotWork
      .then(() => (this.#isPoisoned ? undefined : work()))
      .catch((error: unknown) => this.#poison(error));
  }

  #purgeLater(): void {
    if (!this.#file.isPurgePending || this.#purgeTimer !== null || this.#isPoisoned) return;
    this.#purgeTimer = setTimeout(() => {
      this.#purgeTimer = null;
      if (this.#isPoisoned) return;
      try {
        this.#file.purge();
        this.#purgeLater();
      } catch (error) {
        this.#poison(error);
      }
    }, PURGE_PAUSE_MS);
  }

  #poison(error: unknown): void {
    if (this.#isPoisoned) return;
    this.#isPoisoned = true;
    say({ kind: "failed", message: String((error as Error).message) });
  }

  async #close(): Promise<void> {
    if (this.#purgeTimer !== null) clearTimeout(this.#purgeTimer);
    await this.#snapshotWork;
    await this.#snapshots.close();
    if (!this.#isPoisoned) this.#file.close();
    port.close();
  }
}

try {
  const order = workerData as OpenOrder;
  const fault = testFaultOf(process.env);
  const file = new SqliteLogFile({
    order,
    fault,
    onEntries: (entries) => say({ kind: "entries", entries }, transfers(entries)),
  });
  const snapshots = new SnapshotFiles(order.directory, file.head.snapshot, fault);
  const thread = new DiskThread(file, snapshots);
  port.on("message", (message: ToWorker) => thread.take(message));
  say({ kind: "opened", head: file.head });
} catch (error) {
  if (!(error instanceof StoreError)) throw error;
  say({ kind: "refused", code: error.code, message: error.message });
}
