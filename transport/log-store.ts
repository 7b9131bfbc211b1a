// The port to a node's disk: term, vote, log and snapshot.
//
// Guarantees asked of an adapter: a write is one transaction; it resolves only when it would
// survive a power cut; writes become durable in the order they were asked; the first failure
// poisons the store, so that nothing is acknowledged after an fsync error (raft-lessons L28). A
// snapshot's bytes are durable before the write that takes it over, and checked before they are
// used.

import type { HardState } from "../raft/effect.ts";
import type { Entry, LogIndex, LogPosition, Snapshot } from "../raft/message.ts";

export interface StoreIdentity {
  readonly cluster: string;
  readonly nodeId: string;
}

export interface Recovered {
  readonly hardState: HardState;
  /** Null: none was ever taken over (not even the founders' one at index 0). */
  readonly snapshot: Snapshot | null;
  /** The place before the first entry; at or before the snapshot. */
  readonly offset: LogPosition;
  readonly entries: readonly Entry[];
  /** Rises by one at each open, durably: names this life of the node. From 1. */
  readonly incarnation: number;
  /** Eight hexadecimal digits, drawn when the store was made: names this disk. */
  readonly storeId: string;
  /** False for a store made in place of a damaged one: it must not help to found a cluster. */
  readonly mayFound: boolean;
}

export interface LogWrite {
  readonly hardState?: HardState;
  /** Drop this entry and all behind it, before the rest. */
  readonly truncateFrom?: LogIndex;
  /** Becomes the one that a restart begins with. Its bytes were written by a SnapshotWriter. */
  readonly snapshot?: Snapshot;
  /** Drop this entry and all before it, before appending; the log may have ended earlier. */
  readonly compactTo?: LogPosition;
  readonly entries: readonly Entry[];
}

/** Bytes of a snapshot on their way to the disk. One at a time: opening one ends the other. */
export interface SnapshotWriter {
  /** In any order, each byte at least once. Not durable yet. */
  write(offset: number, data: Uint8Array): Promise<void>;
  /** Makes them durable and reads them back: true if length and CRC-32 are the snapshot's. */
  verify(snapshot: Snapshot): Promise<boolean>;
}

export interface LogStore {
  readonly recovered: Recovered;
  /** Resolves when durable. Rejects when the store is poisoned: the node must stop. */
  persist(write: LogWrite): Promise<void>;
  /** For the snapshot at this place, which a later persist may take over once it is verified. */
  openSnapshotWriter(place: LogPosition): SnapshotWriter;
  /**
   * Bytes of the newest snapshot, or of the one before it; null if this one is gone. Fewer than
   * `bytes` only at its end.
   */
  readSnapshot(place: LogPosition, offset: number, bytes: number): Promise<Uint8Array | null>;
  /**
   * Reads every entry as it is on the disk now. Rejects if one is not what was written: then the
   * store is poisoned, as by a failed write.
   */
  check(): Promise<void>;
  close(): Promise<void>;
}
