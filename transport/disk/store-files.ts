// The names of the files in a store's folder.

import { snapshotFilesIn } from "./snapshot-folder.ts";

export const LOG_FILE_NAME = "raft.sqlite";
/** SQLite's write-ahead log. */
export const WAL_SUFFIX = "-wal";
/** SQLite's index of it, shared among processes; made anew when it is missing. */
export const SHM_SUFFIX = "-shm";

/** All that may be there and belong to the store, the database first. */
export function storeFilesOf(directory: string): readonly string[] {
  const suffixes = ["", WAL_SUFFIX, SHM_SUFFIX, "-journal"];
  return [...suffixes.map((suffix) => `${LOG_FILE_NAME}${suffix}`), ...snapshotFilesIn(directory)];
}
