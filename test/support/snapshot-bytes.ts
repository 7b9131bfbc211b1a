// Snapshots for tests, whose bytes follow from their place. Free of jest: for programs too.

import { crc32 } from "node:zlib";
import { createConfiguration } from "../../raft/configuration.ts";
import type { LogIndex, Snapshot, Term } from "../../raft/message.ts";
import type { LogStore } from "../../transport/log-store.ts";

/** As quorum members are named: by their disk as well. */
export const CONFIGURATION = createConfiguration(["n1#0a1b2c3d", "n2#4e5f6071"], ["n3#8293a4b5"]);
const CHUNK_BYTES = 64 * 1024;

export interface MadeSnapshot {
  readonly snapshot: Snapshot;
  readonly data: Uint8Array;
}

export type Sum = Pick<Snapshot, "bytes" | "checksum">;

export function makeSnapshot(index: LogIndex, term: Term, bytes: number): MadeSnapshot {
  const data = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at += 1) data[at] = (at * 31 + index * 7 + term) ^ (at >> 8);
  return { snapshot: { index, term, configuration: CONFIGURATION, ...sumOf(data) }, data };
}

/** Whole snapshots are compared by it: byte by byte, a matcher takes seconds. */
export function sumOf(data: Uint8Array): Sum {
  return { bytes: data.length, checksum: crc32(data) };
}

/** The founders' one: before the first entry, of nothing. */
export function foundersSnapshot(): Snapshot {
  return makeSnapshot(0, 0, 0).snapshot;
}

/** Writes it in chunks, all at once, and resolves with what verify says. */
export async function stageAndVerify(
  store: LogStore,
  { snapshot, data }: MadeSnapshot,
): Promise<boolean> {
  const writer = store.openSnapshotWriter(snapshot);
  const writes: Promise<void>[] = [];
  for (let at = 0; at < data.length; at += CHUNK_BYTES) {
    writes.push(writer.write(at, data.subarray(at, at + CHUNK_BYTES)));
  }
  await Promise.all(writes);
  return await writer.verify(snapshot);
}

/** The sum of all bytes, read as a peer or a restart would; null if it is gone. */
export async function readSum(store: LogStore, snapshot: Snapshot): Promise<Sum | null> {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < snapshot.bytes || at === 0; at += CHUNK_BYTES) {
    const part = await store.readSnapshot(snapshot, at, CHUNK_BYTES);
    if (part === null) return null;
    parts.push(part);
  }
  return sumOf(Buffer.concat(parts));
}
