// A ledger out of the bytes of a snapshot on this node's disk.
//
// Guarantees: the event loop gets its turn between two slices, so that a follower which loads a
// large one still answers its leader. Bytes that are no ledger are an outcome, not an exception.
// Does not own: the checksum of the whole (the store's).

import { setImmediate as turn } from "node:timers/promises";
import type { Ledger } from "../../ledger/ledger.ts";
import type { LogPosition, Snapshot } from "../../raft/message.ts";
import type { LogStore } from "../log-store.ts";
import { SnapshotDecoder } from "../snapshot-codec.ts";

/** Decoding one takes some milliseconds. */
export const SLICE_BYTES = 256 * 1024;

export type Loaded = { readonly ok: Ledger } | { readonly failure: string };

export async function loadLedger(store: LogStore, snapshot: Snapshot): Promise<Loaded> {
  const decoder = new SnapshotDecoder();
  for await (const slice of snapshotSlices(store, snapshot, snapshot.bytes)) {
    const outcome = decoder.push(slice);
    if (outcome !== "ok") return outcome;
    await turn();
  }
  const loaded = decoder.finish();
  // Less is usual: the last entries that it stands for need not be commands.
  if ("ok" in loaded && loaded.ok.appliedIndex > snapshot.index) {
    return { failure: `it holds entry ${loaded.ok.appliedIndex}` };
  }
  return loaded;
}

/** Ends early if the store has it no more; the decoder then misses its end. */
export async function* snapshotSlices(
  store: LogStore,
  place: LogPosition,
  bytes: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  for (let offset = 0; offset < bytes; ) {
    const slice = await store.readSnapshot(place, offset, Math.min(SLICE_BYTES, bytes - offset));
    if (slice === null || slice.length === 0) return;
    yield slice;
    offset += slice.length;
  }
}
