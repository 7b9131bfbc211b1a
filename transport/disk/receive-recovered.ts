// What the disk's thread found, put together on the event loop's side while it still reads.
//
// Guarantees: resolves with the whole log, or rejects with the thread's StoreError, or with what
// the thread threw.

import type { Worker } from "node:worker_threads";
import type { Entry } from "../../raft/message.ts";
import type { Recovered } from "../log-store.ts";
import { unpackEntries } from "./packed.ts";
import { StoreError } from "./store-error.ts";
import type { FromWorker } from "./worker-message.ts";

export function receiveRecovered(worker: Worker): Promise<Recovered> {
  const entries: Entry[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<Recovered>();
  function received(message: FromWorker): void {
    switch (message.kind) {
      case "entries":
        for (const entry of unpackEntries(message.entries)) entries.push(entry);
        break;
      case "opened":
        resolve({ ...message.head, entries });
        break;
      case "refused":
        reject(new StoreError(message.code, message.message));
        break;
      default:
        reject(new Error(`the disk's thread began with ${message.kind}`));
    }
  }
  function ended(): void {
    reject(new Error("the disk's thread ended before it had opened the store"));
  }
  worker.on("message", received).on("error", reject).on("exit", ended);
  return promise.finally(() => {
    worker.off("message", received).off("error", reject).off("exit", ended);
  });
}
