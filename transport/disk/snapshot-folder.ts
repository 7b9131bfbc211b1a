// Snapshot files as they lie in a store's folder while nobody writes: names, checks, strays.
//
// Guarantees: a snapshot without bytes (the founders' one) has no file. A file that is missing, of
// another length or another checksum than its snapshot's is StoreError "corrupt".
// Does not own: how they come to be there (snapshot-files.ts).

import { closeSync, openSync, readdirSync, readSync, rmSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import type { LogPosition, Snapshot } from "../../raft/message.ts";
import { sizeOf } from "./file-system.ts";
import { StoreError } from "./store-error.ts";

export const STAGING_FILE_NAME = "snapshot.staging";
export const READ_SLICE_BYTES = 1024 * 1024;
const SNAPSHOT_FILE_NAME = /^snapshot-\d+-\d+\.bin$/;

export function snapshotFileName({ index, term }: LogPosition): string {
  return `snapshot-${index}-${term}.bin`;
}

/** All that are there, the staged one included. */
export function snapshotFilesIn(directory: string): string[] {
  return readdirSync(directory).filter(
    (name) => name === STAGING_FILE_NAME || SNAPSHOT_FILE_NAME.test(name),
  );
}

/** What a crash left: staged, verified and never taken over, or replaced by a later one. */
export function removeStrays(directory: string, kept: Snapshot | null): void {
  const name = kept === null ? null : snapshotFileName(kept);
  for (const stray of snapshotFilesIn(directory)) {
    if (stray !== name) rmSync(join(directory, stray));
  }
}

/** Reads all of it. Throws StoreError. */
export function checkSnapshotFile(directory: string, snapshot: Snapshot): void {
  let crc = 0;
  for (const slice of readSnapshotFile(directory, snapshot)) crc = crc32(slice, crc);
  if (crc === snapshot.checksum) return;
  const path = join(directory, snapshotFileName(snapshot));
  throw new StoreError("corrupt", `${path} does not match its checksum`);
}

/** Slices of one buffer that is used again: read each before the next. Throws StoreError. */
export function* readSnapshotFile(
  directory: string,
  snapshot: Snapshot,
): Generator<Uint8Array<ArrayBuffer>> {
  if (snapshot.bytes === 0) return;
  const path = join(directory, snapshotFileName(snapshot));
  const size = sizeOf(path);
  if (size !== snapshot.bytes) {
    const found = size === null ? "is missing" : `has ${size} bytes, not ${snapshot.bytes}`;
    throw new StoreError("corrupt", `${path} ${found}`);
  }
  const buffer = new Uint8Array(Math.min(READ_SLICE_BYTES, snapshot.bytes));
  const descriptor = openSync(path, "r");
  try {
    for (;;) {
      const bytes = readSync(descriptor, buffer);
      if (bytes === 0) return;
      yield buffer.subarray(0, bytes);
    }
  } finally {
    closeSync(descriptor);
  }
}
