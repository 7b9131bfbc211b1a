// The disk's thread: owns the SQLite file, so that no fsync ever stops the event loop.
//
// Guarantees: answers each batch once, in order, after COMMIT; after the first failure it writes
// nothing more, whatever it is sent.
// Does not own: what is in a batch (sqlite-log-store.ts).

import assert from "node:assert/strict";
import { parentPort, workerData } from "node:worker_threads";
import {
  type FromWorker,
  type OpenOrder,
  packEntries,
  type ToWorker,
  transfers,
} from "./packed.ts";
import { SqliteLogFile } from "./sqlite-log-file.ts";
import { StoreError } from "./store-error.ts";

assert(parentPort !== null, "the disk's thread is started by sqlite-log-store.ts");
const port = parentPort;

function answer(message: FromWorker, moved: ArrayBuffer[] = []): void {
  port.postMessage(message, moved);
}

function serve(file: SqliteLogFile): void {
  let isPoisoned = false;
  port.on("message", (message: ToWorker) => {
    if (message.kind === "close") {
      if (!isPoisoned) file.close();
      port.close();
      return;
    }
    if (isPoisoned) return;
    try {
      file.write(message.batch);
    } catch (error) {
      isPoisoned = true;
      answer({ kind: "failed", message: String((error as Error).message) });
      return;
    }
    answer({ kind: "written" });
  });
}

try {
  const file = new SqliteLogFile(workerData as OpenOrder);
  const { hardState, incarnation, entries } = file.recovered;
  const packed = packEntries(entries);
  serve(file);
  answer({ kind: "opened", hardState, incarnation, entries: packed }, transfers(packed));
} catch (error) {
  if (!(error instanceof StoreError)) throw error;
  answer({ kind: "refused", code: error.code, message: error.message });
}
