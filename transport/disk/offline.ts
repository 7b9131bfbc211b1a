// A node's store as seen by somebody who only looks: `quorumq ledger verify --data-dir`.
//
// Guarantees: nothing is changed, not even the incarnation; a store that a node has open is refused
// ("in-use"), and while it is read no node can open it. Everything is checked before it is handed
// out, as at a node's start: rows and write-ahead log and the snapshot's bytes when it is opened,
// entries slice by slice; whoever has read all entries to the end has checked all of it. Works
// synchronously: no node runs in this process.

import { existsSync } from "node:fs";
import { join } from "node:path";
import type { HardState } from "../../raft/effect.ts";
import type { Entry, LogPosition, Snapshot } from "../../raft/message.ts";
import type { StoreIdentity } from "../log-store.ts";
import { asStoreError, openForReading } from "./database.ts";
import { readEntries } from "./entry-rows.ts";
import { unpackEntries } from "./packed.ts";
import { hasSchema, readRows } from "./schema.ts";
import { checkSnapshotFile, readSnapshotFile } from "./snapshot-folder.ts";
import { StoreError } from "./store-error.ts";
import { LOG_FILE_NAME, WAL_SUFFIX } from "./store-files.ts";
import { checkWal } from "./wal-check.ts";

export interface OfflineStore {
  readonly identity: StoreIdentity;
  readonly storeId: string;
  readonly mayFound: boolean;
  /** Of the last life. */
  readonly incarnation: number;
  readonly hardState: HardState;
  readonly snapshot: Snapshot | null;
  readonly offset: LogPosition;
  /** In order; each slice is void when the next is asked for. The founders' snapshot has none. */
  snapshotBytes(): Iterable<Uint8Array>;
  /** Behind the offset, in order, in slices. Throws StoreError at the first that is damaged. */
  entries(): Iterable<readonly Entry[]>;
  close(): void;
}

/** Throws StoreError: see its codes; "unusable" if there is none. */
export function openStoreReadOnly(directory: string): OfflineStore {
  const path = join(directory, LOG_FILE_NAME);
  if (!existsSync(path)) throw new StoreError("unusable", `${path} is not there`);
  // Before the check of the write-ahead log: a running node's is half written at any moment.
  const { database, close } = openForReading(path);
  try {
    checkWal(`${path}${WAL_SUFFIX}`);
    if (!hasSchema(database, path)) throw new StoreError("unusable", `${path} is empty`);
    const { meta, hardState, snapshot, bounds } = readRows(database, path);
    if (snapshot !== null) checkSnapshotFile(directory, snapshot);
    return {
      ...meta,
      hardState,
      snapshot,
      offset: bounds.offset,
      snapshotBytes: () => (snapshot === null ? [] : readSnapshotFile(directory, snapshot)),
      *entries() {
        try {
          for (const slice of readEntries(database, path, bounds)) yield unpackEntries(slice);
        } catch (error) {
          throw asStoreError(error, path);
        }
      },
      close,
    };
  } catch (error) {
    close();
    throw asStoreError(error, path);
  }
}
