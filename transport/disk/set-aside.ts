// A damaged store is moved out of the way, whole, so that the node can begin with a new disk and
// somebody can look at the old one.
//
// Guarantees: nothing is deleted. Stopped at any moment, what is left in the folder does not open
// as a store of its own: the database goes first, since without its write-ahead log it would open
// and have forgotten votes and acknowledged entries; and the folder remembers that a store was set
// aside in it (a new one there must not help to found a cluster).
// Does not own: whether it is damaged (StoreError "corrupt"); nobody may have the store open.

import { mkdirSync, readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { sizeOf, syncDirectory } from "./file-system.ts";
import { storeFilesOf } from "./store-files.ts";

const FOLDER_PREFIX = "damaged-";

/** Returns where the files are now. */
export function setAsideStore(directory: string, now = new Date()): string {
  const folder = makeFolder(directory, now);
  syncDirectory(directory);
  for (const name of storeFilesOf(directory)) {
    if (sizeOf(join(directory, name)) === null) continue;
    renameSync(join(directory, name), join(folder, name));
    // One after the other: a power cut may keep later renames and lose earlier ones.
    syncDirectory(folder);
    syncDirectory(directory);
  }
  return folder;
}

/** Whether a store was ever set aside here. */
export function hasSetAside(directory: string): boolean {
  return readdirSync(directory).some((name) => name.startsWith(FOLDER_PREFIX));
}

/** Two in the same millisecond get two names. */
function makeFolder(directory: string, now: Date): string {
  const stamp = now.toISOString().replaceAll(":", "");
  for (let number = 1; ; number += 1) {
    const folder = join(directory, `${FOLDER_PREFIX}${stamp}${number === 1 ? "" : `-${number}`}`);
    if (sizeOf(folder) !== null) continue;
    mkdirSync(folder, { mode: 0o700 });
    return folder;
  }
}
