// Writes and entries on their way between the event loop and the disk's thread.
//
// Guarantees: all entry data of a batch travels as one buffer that is moved, not copied twice; the
// caller's own buffers stay untouched (they are also on their way to peers). Order is kept.

import type { HardState } from "../../raft/effect.ts";
import type { Entry, EntryKind, LogIndex } from "../../raft/message.ts";
import type { LogWrite, StoreIdentity } from "../log-store.ts";

export interface PackedEntries {
  /** Per entry: index, term, kind, data bytes. */
  readonly numbers: Float64Array<ArrayBuffer>;
  readonly traceparents: readonly string[];
  /** The data of all entries, one after the other. */
  readonly data: Uint8Array<ArrayBuffer>;
}

export interface PackedWrite {
  readonly hardState: HardState | null;
  readonly truncateFrom: LogIndex | null;
  readonly entryCount: number;
}

export interface PackedBatch {
  readonly writes: readonly PackedWrite[];
  readonly entries: PackedEntries;
}

export interface OpenOrder {
  readonly directory: string;
  readonly identity: StoreIdentity;
  readonly pageCountMax: number | null;
}

export type ToWorker =
  | { readonly kind: "write"; readonly batch: PackedBatch }
  | { readonly kind: "close" };

export type FromWorker =
  | {
      readonly kind: "opened";
      readonly hardState: HardState;
      readonly incarnation: number;
      readonly entries: PackedEntries;
    }
  | { readonly kind: "refused"; readonly code: string; readonly message: string }
  | { readonly kind: "written" }
  | { readonly kind: "failed"; readonly message: string };

const NUMBERS_PER_ENTRY = 4;

export function packEntries(entries: readonly Entry[]): PackedEntries {
  const numbers = new Float64Array(entries.length * NUMBERS_PER_ENTRY);
  const traceparents: string[] = [];
  let bytes = 0;
  for (const entry of entries) bytes += entry.data.length;
  const data = new Uint8Array(bytes);
  let at = 0;
  for (const [position, entry] of entries.entries()) {
    const { index, term, kind } = entry;
    numbers.set([index, term, kind, entry.data.length], position * NUMBERS_PER_ENTRY);
    traceparents.push(entry.traceparent);
    data.set(entry.data, at);
    at += entry.data.length;
  }
  return { numbers, traceparents, data };
}

/** The entries' data are views of the packed buffer. */
export function unpackEntries(packed: PackedEntries): Entry[] {
  const { numbers, traceparents, data } = packed;
  let at = 0;
  return traceparents.map((traceparent, position) => {
    const from = position * NUMBERS_PER_ENTRY;
    const [index = 0, term = 0, kind = 0, bytes = 0] = numbers.subarray(
      from,
      from + NUMBERS_PER_ENTRY,
    );
    const start = at;
    at += bytes;
    return { index, term, kind: kind as EntryKind, data: data.subarray(start, at), traceparent };
  });
}

export function packBatch(writes: readonly LogWrite[]): PackedBatch {
  return {
    writes: writes.map(({ hardState, truncateFrom, entries }) => ({
      hardState: hardState ?? null,
      truncateFrom: truncateFrom ?? null,
      entryCount: entries.length,
    })),
    entries: packEntries(writes.flatMap(({ entries }) => entries)),
  };
}

/** The buffers to move along with a message. */
export function transfers(packed: PackedEntries): ArrayBuffer[] {
  return [packed.numbers.buffer, packed.data.buffer];
}
