// Writes and entries on their way between the event loop and the disk's thread.
//
// Guarantees: all entry data of a batch travels as one buffer that is moved, not copied twice; the
// caller's own buffers stay untouched (they are also on their way to peers). Order is kept.

import type { HardState } from "../../raft/effect.ts";
import type { Entry, EntryKind, LogIndex, LogPosition, Snapshot } from "../../raft/message.ts";
import type { LogWrite } from "../log-store.ts";

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
  readonly snapshot: Snapshot | null;
  readonly compactTo: LogPosition | null;
  readonly entryCount: number;
}

export interface PackedBatch {
  readonly writes: readonly PackedWrite[];
  readonly entries: PackedEntries;
}

export const NUMBERS_PER_ENTRY = 4;

export function packEntries(entries: readonly Entry[]): PackedEntries {
  const numbers = new Float64Array(entries.length * NUMBERS_PER_ENTRY);
  const traceparents: string[] = [];
  let bytes = 0;
  for (const entry of entries) bytes += entry.data.length;
  const data = new Uint8Array(bytes);
  let at = 0;
  let from = 0;
  for (const entry of entries) {
    numbers[from] = entry.index;
    numbers[from + 1] = entry.term;
    numbers[from + 2] = entry.kind;
    numbers[from + 3] = entry.data.length;
    from += NUMBERS_PER_ENTRY;
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
    const start = at;
    at += numbers[from + 3] ?? 0;
    return {
      index: numbers[from] ?? 0,
      term: numbers[from + 1] ?? 0,
      kind: numbers[from + 2] as EntryKind,
      data: data.subarray(start, at),
      traceparent,
    };
  });
}

export function packBatch(writes: readonly LogWrite[]): PackedBatch {
  return {
    writes: writes.map(({ hardState, truncateFrom, snapshot, compactTo, entries }) => ({
      hardState: hardState ?? null,
      truncateFrom: truncateFrom ?? null,
      snapshot: snapshot ?? null,
      compactTo: compactTo ?? null,
      entryCount: entries.length,
    })),
    entries: packEntries(writes.flatMap(({ entries }) => entries)),
  };
}

/** The buffers to move along with a message. */
export function transfers(packed: PackedEntries): ArrayBuffer[] {
  return [packed.numbers.buffer, packed.data.buffer];
}
