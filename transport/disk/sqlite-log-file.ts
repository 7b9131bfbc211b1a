// The node's SQLite file. Synchronous; lives on the disk's thread.
//
// Guarantees: it opens only if everything in it is sound: every row carries a CRC, the log has no
// hole and reaches the snapshot, the snapshot's file is whole; dropping what may have been
// acknowledged is worse than not to start (raft-lessons L30, L31). The incarnation rises durably
// with each open that succeeds. Compaction moves the offset in the write's own transaction, and
// removes the rows before it later, a little at a time.
// Does not own: when to write (sqlite-log-store.ts) nor the thread (sqlite-worker.ts).

import { randomBytes } from "node:crypto";
import { chmodSync, closeSync, mkdirSync, openSync } from "node:fs";
import { dirname, join } from "node:path";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { LogIndex } from "../../raft/message.ts";
import type { StoreIdentity } from "../log-store.ts";
import { entryCrc } from "./checked-row.ts";
import { asStoreError, isInUse, openForWriting, transact } from "./database.ts";
import { checkEntries, EntryPurge, readEntries } from "./entry-rows.ts";
import { sizeOf, syncDirectory } from "./file-system.ts";
import { type PackedBatch, type PackedEntries, type PackedWrite, unpackEntries } from "./packed.ts";
import {
  createSchema,
  hasSchema,
  type LogBounds,
  type Meta,
  type RowWriter,
  readRows,
  rowWriter,
} from "./schema.ts";
import { hasSetAside } from "./set-aside.ts";
import { checkSnapshotFile, removeStrays, snapshotFilesIn } from "./snapshot-folder.ts";
import { StoreError } from "./store-error.ts";
import { LOG_FILE_NAME, WAL_SUFFIX } from "./store-files.ts";
import type { TestFault } from "./test-fault.ts";
import { checkWal } from "./wal-check.ts";
import type { OpenOrder, RecoveredHead } from "./worker-message.ts";

/** What a commit may have to wait for the removal of old rows. */
const PURGE_STEP_MS = 2;

export interface OpenLogFile {
  readonly order: OpenOrder;
  readonly fault: TestFault;
  /** Told of the log in slices, while the rest is read. */
  readonly onEntries: (entries: PackedEntries) => void;
}

export class SqliteLogFile {
  readonly head: RecoveredHead;
  readonly #database: DatabaseSync;
  readonly #path: string;
  readonly #fault: TestFault;
  readonly #rows: RowWriter;
  readonly #purge: EntryPurge;
  readonly #truncate: StatementSync;
  readonly #append: StatementSync;
  #bounds: LogBounds;

  /** Throws StoreError; then nothing has changed. */
  constructor({ order, fault, onEntries }: OpenLogFile) {
    const path = join(order.directory, LOG_FILE_NAME);
    this.#path = path;
    this.#fault = fault;
    this.#database = openDatabase(order, path);
    try {
      const { bounds, ...head } = recover(this.#database, order, path, onEntries);
      this.#bounds = bounds;
      this.head = { ...head, offset: bounds.offset };
      this.#truncate = this.#database.prepare("DELETE FROM entries WHERE log_index >= ?");
      this.#append = this.#database.prepare("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?)");
      this.#rows = rowWriter(this.#database);
      this.#purge = new EntryPurge(this.#database, this.head.offset.index);
      removeStrays(order.directory, this.head.snapshot);
      transact(
        this.#database,
        () => this.#rows.meta({ ...this.head, identity: order.identity }),
        () => fault.beforeCommit(),
      );
    } catch (error) {
      this.#database.close();
      throw asStoreError(error, path);
    }
  }

  /** Whether rows wait to be removed. */
  get isPurgePending(): boolean {
    return this.#purge.isPending;
  }

  /** All writes, in order, in one transaction. Throws: the caller must never write again. */
  write(batch: PackedBatch): void {
    const entries = unpackEntries(batch.entries);
    const boundsBefore = this.#bounds;
    let at = 0;
    this.#transact(() => {
      for (const write of batch.writes) {
        this.#drop(write);
        this.#moveBounds(write);
        if (write.snapshot !== null) this.#rows.snapshot(write.snapshot);
        for (const entry of entries.slice(at, at + write.entryCount)) {
          const { index, term, kind, data, traceparent } = entry;
          this.#append.run(index, term, kind, data, traceparent, entryCrc(entry));
        }
        at += write.entryCount;
        if (write.hardState !== null) this.#rows.hardState(write.hardState);
      }
      if (this.#bounds !== boundsBefore) this.#rows.bounds(this.#bounds);
    });
    this.#purge.raise(this.#bounds.offset.index);
  }

  /** Removes some of what compaction left. Throws as write. */
  purge(): void {
    this.#transact(() => this.#purge.step(PURGE_STEP_MS));
  }

  /** As checkEntries (entry-rows.ts). Throws StoreError "corrupt": the node must stop. */
  checkBehind(index: LogIndex): LogIndex | null {
    // What SQLite has in memory says nothing about the disk.
    if (index === 0) this.#database.exec("PRAGMA shrink_memory");
    return checkEntries(this.#database, this.#path, this.#bounds, index);
  }

  /** Moves the write-ahead log into the file. */
  close(): void {
    this.#database.close();
  }

  #drop({ truncateFrom, compactTo }: PackedWrite): void {
    // Rows up to the new offset are left to the purge, also those that are cut off.
    if (truncateFrom !== null) {
      this.#truncate.run(Math.max(truncateFrom, (compactTo?.index ?? 0) + 1));
    }
  }

  #moveBounds({ truncateFrom, compactTo, entryCount }: PackedWrite): void {
    if (truncateFrom === null && compactTo === null && entryCount === 0) return;
    const { offset, last } = this.#bounds;
    const kept = Math.max(Math.min(last, (truncateFrom ?? last + 1) - 1), compactTo?.index ?? 0);
    this.#bounds = { offset: compactTo ?? offset, last: kept + entryCount };
  }

  #transact(work: () => void): void {
    transact(this.#database, work, () => this.#fault.beforeCommit());
  }
}

function openDatabase({ directory, pageCountMax }: OpenOrder, path: string): DatabaseSync {
  try {
    createFile(directory, path);
    // Before SQLite opens it: to SQLite, damage is the end of the log.
    checkWal(`${path}${WAL_SUFFIX}`);
  } catch (error) {
    // What is damaged may be no more than half written, by the process that has it open.
    if (error instanceof StoreError && error.code === "corrupt" && isInUse(path)) {
      throw new StoreError("in-use", `${path}: is open in another process`, { cause: error });
    }
    throw asStoreError(error, path);
  }
  return openForWriting(path, pageCountMax);
}

/** Only the owner may read it: entries hold users' payloads. */
function createFile(directory: string, path: string): void {
  const created = mkdirSync(directory, { recursive: true, mode: 0o700 });
  chmodSync(directory, 0o700);
  if ((sizeOf(path) ?? 0) === 0) refuseOrphans(directory, path);
  try {
    // Never opened when it exists: closing a second descriptor would drop SQLite's POSIX locks.
    closeSync(openSync(path, "wx", 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    return;
  }
  syncDirectory(directory);
  if (created !== undefined) syncDirectory(dirname(created));
}

/** A new store beside what an old one left would be one that has forgotten its votes. */
function refuseOrphans(directory: string, path: string): void {
  const orphans = snapshotFilesIn(directory);
  if ((sizeOf(`${path}${WAL_SUFFIX}`) ?? 0) > 0) orphans.push(`${LOG_FILE_NAME}${WAL_SUFFIX}`);
  if (orphans.length === 0) return;
  throw new StoreError("corrupt", `${path} is lost: there are still ${orphans.join(", ")}`);
}

function recover(
  database: DatabaseSync,
  order: OpenOrder,
  path: string,
  onEntries: (entries: PackedEntries) => void,
): Omit<RecoveredHead, "offset"> & { readonly bounds: LogBounds } {
  const { directory, identity } = order;
  if (!hasSchema(database, path)) createSchema(database, newMeta(order));
  const { meta, hardState, bounds, snapshot } = readRows(database, path);
  checkIdentity(meta, identity, path);
  for (const slice of readEntries(database, path, bounds)) onEntries(slice);
  if (snapshot !== null) checkSnapshotFile(directory, snapshot);
  const { storeId, mayFound, incarnation } = meta;
  return { hardState, bounds, snapshot, storeId, mayFound, incarnation: incarnation + 1 };
}

/** A folder from which a store was set aside never founds, even if nobody says so. */
function newMeta({ directory, identity, isReplacement }: OpenOrder): Meta {
  return {
    identity,
    storeId: randomBytes(4).toString("hex"),
    mayFound: !isReplacement && !hasSetAside(directory),
    incarnation: 0,
  };
}

function checkIdentity({ identity: own }: Meta, identity: StoreIdentity, path: string): void {
  if (own.cluster === identity.cluster && own.nodeId === identity.nodeId) return;
  throw new StoreError(
    "other-identity",
    `${path} is the log of node "${own.nodeId}" of cluster "${own.cluster}", not of node ` +
      `"${identity.nodeId}" of cluster "${identity.cluster}": each node needs its own directory`,
  );
}
