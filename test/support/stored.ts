// SQLite log stores on disk for tests: made, closed, and tampered with from outside.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { openSqliteLogStore } from "../../transport/disk/sqlite-log-store.ts";
import { LOG_FILE_NAME } from "../../transport/disk/store-files.ts";
import type { LogStore, StoreIdentity } from "../../transport/log-store.ts";
import { entries } from "./log-entry.ts";
import { makeSnapshot, type Sum, stageAndVerify, sumOf } from "./snapshot-bytes.ts";

export const IDENTITY: StoreIdentity = { cluster: "test", nodeId: "n1" };

/** Of `fill`: entries 1..20 of term 1, compacted up to 6, with a snapshot at 10. */
export const FILLED = { last: 20, offset: 6, snapshot: makeSnapshot(10, 1, 300_000) } as const;

export function openStore(directory: string): Promise<LogStore> {
  return openSqliteLogStore({ directory, identity: IDENTITY });
}

/** An open store that holds what FILLED says. */
export async function fill(directory: string): Promise<LogStore> {
  const store = await openStore(directory);
  await store.persist({
    hardState: { currentTerm: 2, votedFor: "n1#00000000" },
    entries: entries(1, FILLED.last, 1),
  });
  await stageAndVerify(store, FILLED.snapshot);
  const { snapshot } = FILLED.snapshot;
  await store.persist({ snapshot, compactTo: { index: FILLED.offset, term: 1 }, entries: [] });
  return store;
}

/** As `fill`, closed again. Returns the database's path. */
export async function fillAndClose(directory: string): Promise<string> {
  await (await fill(directory)).close();
  return join(directory, LOG_FILE_NAME);
}

/** Runs SQL on a closed database, as no quorumq would. */
export function tamper(path: string, sql: string): void {
  const database = new DatabaseSync(path);
  database.exec(sql);
  database.close();
}

export function flipBit(path: string, at: number, bit = 0): void {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
  writeFileSync(path, bytes);
}

/** Names and sums of all files of a folder. */
export function filesOf(directory: string): Readonly<Record<string, Sum>> {
  const files = readdirSync(directory, { withFileTypes: true }).filter((file) => file.isFile());
  return Object.fromEntries(
    files
      .map(({ name }) => name)
      .toSorted()
      .map((name) => [name, sumOf(readFileSync(join(directory, name)))]),
  );
}
