// The node's SQLite file: schema, settings, integrity. Synchronous; lives on the disk's thread.
//
// Guarantees: settings that durability rests on are read back at open (WAL, synchronous=FULL: one
// fsync a commit); the file is locked for this process alone; every row carries a CRC over all its
// columns, checked at open, and a mismatch or a hole refuses to start: dropping what may have been
// acknowledged is worse (raft-lessons L30, L31). The incarnation rises durably at each open.
// Does not own: when to write (sqlite-log-store.ts) nor the thread (sqlite-worker.ts).

import { chmodSync, closeSync, fsyncSync, mkdirSync, openSync } from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import type { HardState } from "../../raft/effect.ts";
import type { Entry, EntryKind } from "../../raft/message.ts";
import type { StoreIdentity } from "../log-store.ts";
import { type OpenOrder, type PackedBatch, unpackEntries } from "./packed.ts";
import { StoreError, type StoreErrorCode } from "./store-error.ts";
import { checkWal } from "./wal-check.ts";

export const LOG_FILE_NAME = "raft.sqlite";

/** PRAGMA user_version. Raise it with each change of SCHEMA and say how to come from the last. */
const SCHEMA_VERSION = 1;
const SCHEMA = `
  CREATE TABLE meta (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    cluster TEXT NOT NULL,
    node_id TEXT NOT NULL,
    incarnation INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE hard_state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    current_term INTEGER NOT NULL,
    voted_for TEXT,
    crc INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE entries (
    log_index INTEGER PRIMARY KEY,
    term INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    data BLOB NOT NULL,
    traceparent TEXT NOT NULL,
    crc INTEGER NOT NULL
  ) STRICT;
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

// locking_mode first: with it WAL needs no shared memory, and a second process finds us.
const SETTINGS = [
  ["locking_mode", "EXCLUSIVE", "exclusive"],
  ["journal_mode", "WAL", "wal"],
  ["synchronous", "FULL", 2],
  ["trusted_schema", "OFF", 0],
  ["cell_size_check", "ON", 1],
  ["wal_autocheckpoint", "4000", 4000],
] as const;

const SqliteCode = { Busy: 5, Locked: 6, Corrupt: 11, NotADatabase: 26 } as const;

export interface RecoveredFile {
  readonly hardState: HardState;
  readonly incarnation: number;
  readonly entries: readonly Entry[];
}

export class SqliteLogFile {
  readonly recovered: RecoveredFile;
  readonly #database: DatabaseSync;
  readonly #truncate: StatementSync;
  readonly #append: StatementSync;
  readonly #replaceHardState: StatementSync;

  /** Throws StoreError. */
  constructor(order: OpenOrder) {
    const path = join(order.directory, LOG_FILE_NAME);
    this.#database = openDatabase(order, path);
    try {
      this.recovered = recover(this.#database, order.identity, path);
      this.#truncate = this.#database.prepare("DELETE FROM entries WHERE log_index >= ?");
      this.#append = this.#database.prepare("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?)");
      this.#replaceHardState = this.#database.prepare(
        "UPDATE hard_state SET current_term = ?, voted_for = ?, crc = ? WHERE id = 1",
      );
    } catch (error) {
      this.#database.close();
      throw asStoreError(error, path);
    }
  }

  /** All writes, in order, in one transaction. Throws: the caller must never write again. */
  write(batch: PackedBatch): void {
    const entries = unpackEntries(batch.entries);
    let at = 0;
    transact(this.#database, () => {
      for (const { hardState, truncateFrom, entryCount } of batch.writes) {
        if (truncateFrom !== null) this.#truncate.run(truncateFrom);
        for (const entry of entries.slice(at, at + entryCount)) {
          const { index, term, kind, data, traceparent } = entry;
          this.#append.run(index, term, kind, data, traceparent, entryCrc(entry));
        }
        at += entryCount;
        if (hardState !== null) {
          const { currentTerm, votedFor } = hardState;
          this.#replaceHardState.run(currentTerm, votedFor, hardStateCrc(hardState));
        }
      }
    });
  }

  /** Moves the write-ahead log into the file. */
  close(): void {
    this.#database.close();
  }
}

function openDatabase(order: OpenOrder, path: string): DatabaseSync {
  let database: DatabaseSync | null = null;
  try {
    createFile(order.directory, path);
    // Before SQLite opens it: to SQLite, damage is the end of the log.
    checkWal(`${path}-wal`);
    // No busy time-out: a holder of the lock is another process of this node, not a slow query.
    database = new DatabaseSync(path, { timeout: 0 });
    for (const [name, value, expected] of SETTINGS) {
      database.exec(`PRAGMA ${name} = ${value}`);
      const actual = pragma(database, name);
      if (actual !== expected) {
        throw new StoreError("unusable", `${path}: SQLite keeps ${name} at ${actual}`);
      }
    }
    if (order.pageCountMax !== null) {
      database.exec(`PRAGMA max_page_count = ${order.pageCountMax}`);
    }
    return database;
  } catch (error) {
    database?.close();
    throw asStoreError(error, path);
  }
}

/** Only the owner may read it: entries hold users' payloads. */
function createFile(directory: string, path: string): void {
  const created = mkdirSync(directory, { recursive: true, mode: 0o700 });
  chmodSync(directory, 0o700);
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

/** The file's name is durable only with its directory. */
function syncDirectory(directory: string): void {
  const descriptor = openSync(directory, "r");
  fsyncSync(descriptor);
  closeSync(descriptor);
}

function recover(database: DatabaseSync, identity: StoreIdentity, path: string): RecoveredFile {
  const version = pragma(database, "user_version");
  if (version === 0) create(database, identity);
  else if (version !== SCHEMA_VERSION) {
    throw new StoreError(
      "other-schema",
      `${path} has schema version ${version}, this quorumq knows ${SCHEMA_VERSION}`,
    );
  }
  checkIdentity(database, identity, path);
  const hardState = readHardState(database, path);
  const entries = readEntries(database, path);
  transact(database, () => {
    database.exec("UPDATE meta SET incarnation = incarnation + 1 WHERE id = 1");
  });
  const { incarnation } = readRow(database, "SELECT incarnation FROM meta", path);
  return { hardState, entries, incarnation: Number(incarnation) };
}

function create(database: DatabaseSync, identity: StoreIdentity): void {
  const hardState: HardState = { currentTerm: 0, votedFor: null };
  transact(database, () => {
    database.exec(SCHEMA);
    database.prepare("INSERT INTO meta VALUES (1, ?, ?, 0)").run(identity.cluster, identity.nodeId);
    database.prepare("INSERT INTO hard_state VALUES (1, 0, NULL, ?)").run(hardStateCrc(hardState));
  });
}

function checkIdentity(database: DatabaseSync, identity: StoreIdentity, path: string): void {
  const row = readRow(database, "SELECT cluster, node_id FROM meta", path);
  const { cluster, node_id: nodeId } = row;
  if (cluster === identity.cluster && nodeId === identity.nodeId) return;
  throw new StoreError(
    "other-identity",
    `${path} is the log of node "${nodeId}" of cluster "${cluster}", not of node ` +
      `"${identity.nodeId}" of cluster "${identity.cluster}": each node needs its own directory`,
  );
}

function readHardState(database: DatabaseSync, path: string): HardState {
  const row = readRow(database, "SELECT current_term, voted_for, crc FROM hard_state", path);
  const votedFor = row["voted_for"];
  const hardState: HardState = {
    currentTerm: Number(row["current_term"]),
    votedFor: votedFor === null ? null : String(votedFor),
  };
  if (hardStateCrc(hardState) !== row["crc"]) {
    throw new StoreError("corrupt", `${path}: term and vote do not match their checksum`);
  }
  return hardState;
}

function readEntries(database: DatabaseSync, path: string): Entry[] {
  const entries: Entry[] = [];
  const rows = database.prepare("SELECT * FROM entries ORDER BY log_index");
  for (const row of rows.iterate()) {
    const entry: Entry = {
      index: Number(row["log_index"]),
      term: Number(row["term"]),
      kind: Number(row["kind"]) as EntryKind,
      data: row["data"] as Uint8Array,
      traceparent: String(row["traceparent"]),
    };
    if (entry.index !== entries.length + 1) {
      throw new StoreError("corrupt", `${path}: entry ${entries.length + 1} is missing`);
    }
    if (entryCrc(entry) !== row["crc"]) {
      throw new StoreError("corrupt", `${path}: entry ${entry.index} does not match its checksum`);
    }
    entries.push(entry);
  }
  return entries;
}

function readRow(database: DatabaseSync, sql: string, path: string): Record<string, unknown> {
  const row = database.prepare(sql).get();
  if (row === undefined) throw new StoreError("corrupt", `${path}: a row is missing (${sql})`);
  return row;
}

function pragma(database: DatabaseSync, name: string): unknown {
  return Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0];
}

function transact(database: DatabaseSync, work: () => void): void {
  database.exec("BEGIN IMMEDIATE");
  try {
    work();
    database.exec("COMMIT");
  } catch (error) {
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}

function entryCrc({ index, term, kind, traceparent, data }: Entry): number {
  return crc32(data, crc32(JSON.stringify([index, term, kind, traceparent])));
}

function hardStateCrc({ currentTerm, votedFor }: HardState): number {
  return crc32(JSON.stringify([currentTerm, votedFor]));
}

function asStoreError(error: unknown, path: string): StoreError {
  if (error instanceof StoreError) return error;
  const { errcode, message } = error as { readonly errcode?: number; readonly message: string };
  const code = codeOf(errcode === undefined ? 0 : errcode & 0xff);
  const explanation =
    code === "in-use" ? "is open in another process: one directory, one node" : message;
  return new StoreError(code, `${path}: ${explanation}`, { cause: error });
}

function codeOf(sqliteCode: number): StoreErrorCode {
  switch (sqliteCode) {
    case SqliteCode.Busy:
    case SqliteCode.Locked:
      return "in-use";
    case SqliteCode.Corrupt:
    case SqliteCode.NotADatabase:
      return "corrupt";
    default:
      return "unusable";
  }
}
