// One connection to SQLite: settings, transactions, and what its errors mean to a store.
//
// Guarantees: settings that durability rests on are read back (WAL, synchronous=FULL: one fsync a
// commit); a database that is open for writing is open in no other process, for reading neither.
// Nothing is vacuumed: pages that compaction frees are used again, so the file is as large as the
// largest log was, and no commit ever pays for moving pages about.
// Does not own: what is in the file (schema.ts), nor the check of its write-ahead log.

import { rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { sizeOf } from "./file-system.ts";
import { StoreError, type StoreErrorCode } from "./store-error.ts";

// locking_mode first: with it WAL needs no shared memory, and a second process finds us.
const SETTINGS = [
  ["locking_mode", "EXCLUSIVE", "exclusive"],
  ["journal_mode", "WAL", "wal"],
  ["synchronous", "FULL", 2],
  ["auto_vacuum", "NONE", 0],
  ["trusted_schema", "OFF", 0],
  ["cell_size_check", "ON", 1],
  ["wal_autocheckpoint", "4000", 4000],
] as const;

const SqliteCode = { Error: 1, Busy: 5, Locked: 6, Corrupt: 11, NotADatabase: 26 } as const;

/** Throws StoreError. The file must be there. */
export function openForWriting(path: string, pageCountMax: number | null): DatabaseSync {
  let database: DatabaseSync | null = null;
  try {
    // No busy time-out: a holder of the lock is another process of this node, not a slow query.
    database = new DatabaseSync(path, { timeout: 0 });
    for (const [name, value, expected] of SETTINGS) {
      database.exec(`PRAGMA ${name} = ${value}`);
      const actual = pragma(database, name);
      if (actual !== expected) {
        throw new StoreError("unusable", `${path}: SQLite keeps ${name} at ${actual}`);
      }
    }
    if (pageCountMax !== null) database.exec(`PRAGMA max_page_count = ${pageCountMax}`);
    return database;
  } catch (error) {
    database?.close();
    throw asStoreError(error, path);
  }
}

export interface ReadOnlyDatabase {
  readonly database: DatabaseSync;
  close(): void;
}

/**
 * Holds off every writer until it is closed, and leaves the folder as it was. Throws StoreError:
 * "in-use" if a writer has it.
 */
export function openForReading(path: string): ReadOnlyDatabase {
  // SQLite makes these for any reader of a WAL database.
  const made = [`${path}-wal`, `${path}-shm`].filter((name) => sizeOf(name) === null);
  let database: DatabaseSync | null = null;
  function close(): void {
    if (database?.isOpen !== true) return;
    // While the lock is held: afterwards they could be the next writer's.
    for (const name of made) rmSync(name, { force: true });
    database.close();
  }
  try {
    database = new DatabaseSync(path, { readOnly: true, timeout: 0 });
    database.exec("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON");
    // The lock is taken by the first read, and kept.
    pragma(database, "user_version");
    return { database, close };
  } catch (error) {
    // Without the lock these are not ours to remove.
    database?.close();
    throw asStoreError(error, path);
  }
}

/** Whether another connection, of this process or another, has it open for writing. */
export function isInUse(path: string): boolean {
  try {
    openForReading(path).close();
    return false;
  } catch (error) {
    return error instanceof StoreError && error.code === "in-use";
  }
}

export function pragma(database: DatabaseSync, name: string): unknown {
  return Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0];
}

/** All of it or nothing; durable when it returns. `beforeCommit` may throw as a commit would. */
export function transact(
  database: DatabaseSync,
  work: () => void,
  beforeCommit: () => void = () => undefined,
): void {
  database.exec("BEGIN IMMEDIATE");
  try {
    work();
    beforeCommit();
    database.exec("COMMIT");
  } catch (error) {
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}

export function asStoreError(error: unknown, path: string): StoreError {
  if (error instanceof StoreError) return error;
  const {
    errcode,
    code: nodeCode,
    message,
  } = error as NodeJS.ErrnoException & { errcode?: number };
  // A number that is no safe integer: none was ever written.
  const isNonsense = nodeCode === "ERR_OUT_OF_RANGE";
  const code = isNonsense ? "corrupt" : codeOf(errcode === undefined ? 0 : errcode & 0xff);
  const explanation =
    code === "in-use" ? "is open in another process: one directory, one node" : message;
  return new StoreError(code, `${path}: ${explanation}`, { cause: error });
}

function codeOf(sqliteCode: number): StoreErrorCode {
  switch (sqliteCode) {
    case SqliteCode.Busy:
    case SqliteCode.Locked:
      return "in-use";
    // A statement that this schema does not understand: the schema is not the one that we wrote.
    case SqliteCode.Error:
    case SqliteCode.Corrupt:
    case SqliteCode.NotADatabase:
      return "corrupt";
    default:
      return "unusable";
  }
}
