// What is durable on one disk: the very bytes that a restart begins with.
//
// Guarantees: a write is applied whole or not at all, in the order of transport/log-store.ts. A
// store that was lost with its disk is kept by the checker as it was: a member's promise does not
// end with its disk, only the member does.
// Does not own: when a write becomes durable, or is lost (disk.ts).

import type { Effect, HardState } from "../../raft/effect.ts";
import type { Entry, LogIndex, LogPosition, NodeId, Snapshot, Term } from "../../raft/message.ts";
import { WriteCheck } from "../../transport/write-check.ts";

export type Persist = Extract<Effect, { kind: "persist" }>;

export interface StoredSnapshot {
  readonly snapshot: Snapshot;
  readonly bytes: Uint8Array;
}

export class Store {
  readonly id: NodeId;
  readonly machine: number;
  hardState: HardState = { currentTerm: 0, votedFor: null };
  snapshot: StoredSnapshot | null = null;
  /** The one before: a peer may still be fetching it. */
  former: StoredSnapshot | null = null;
  offset: LogPosition = { index: 0, term: 0 };
  entries: Entry[] = [];
  /** Names the life of the node; rises at each open. */
  incarnation = 0;
  /** The disk is gone or its bytes are damaged: this member will not be seen again. */
  isLost = false;
  /** The next open finds a checksum that does not match. */
  isDamaged = false;

  readonly #check = new WriteCheck({
    offset: { index: 0, term: 0 },
    entries: [],
    snapshot: null,
  });

  constructor(id: NodeId, machine: number) {
    this.id = id;
    this.machine = machine;
  }

  get lastIndex(): LogIndex {
    return this.offset.index + this.entries.length;
  }

  /** Null where this disk has no entry. */
  termAt(index: LogIndex): Term | null {
    if (index === this.offset.index) return this.offset.term;
    return this.entries[index - this.offset.index - 1]?.term ?? null;
  }

  entryAt(index: LogIndex): Entry | undefined {
    return this.entries[index - this.offset.index - 1];
  }

  /** Whether the entry is here, in the log or as part of the snapshot. */
  holds(index: LogIndex, term: Term): boolean {
    if (this.snapshot !== null && index <= this.snapshot.snapshot.index) return true;
    return this.termAt(index) === term;
  }

  /** Gives what was cut off or compacted away. */
  write(write: Persist, bytes: Uint8Array | null): { cut: Entry[]; compacted: Entry[] } {
    const { hardState, truncateFrom, snapshot, compactTo, entries } = write;
    // As a node's disk does: it refuses what it could not tell from damage later.
    if (snapshot !== undefined) this.#check.verified(snapshot);
    this.#check.accept(write);
    let cut: Entry[] = [];
    let compacted: Entry[] = [];
    if (truncateFrom !== undefined) {
      cut = this.entries.splice(Math.max(0, truncateFrom - this.offset.index - 1));
    }
    if (snapshot !== undefined) {
      this.former = this.snapshot;
      this.snapshot = { snapshot, bytes: bytes ?? new Uint8Array() };
    }
    if (compactTo !== undefined) {
      compacted = this.entries.splice(0, Math.max(0, compactTo.index - this.offset.index));
      this.offset = compactTo;
    }
    for (const entry of entries) this.entries.push(entry);
    if (hardState !== undefined) this.hardState = hardState;
    return { cut, compacted };
  }

  /** As LogStore.readSnapshot: the newest, or the one before it; null if this one is gone. */
  readSnapshot(place: LogPosition, offset: number, bytes: number): Uint8Array | null {
    for (const stored of [this.snapshot, this.former]) {
      if (stored === null) continue;
      const { index, term } = stored.snapshot;
      if (index !== place.index || term !== place.term) continue;
      return stored.bytes.slice(offset, offset + bytes);
    }
    return null;
  }
}
