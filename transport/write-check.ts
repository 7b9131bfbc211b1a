// Refuses writes that would be our own bug: on disk, what they leave could not be told from damage.
//
// Guarantees: a write that is refused has changed nothing here. The log has no hole, begins at or
// before the snapshot and reaches it; only a snapshot whose bytes are verified is taken over, and
// never an older one.
// Does not own: the disk; an adapter of log-store.ts asks before it accepts a write.

import assert from "node:assert/strict";
import type { LogIndex, LogPosition, Snapshot } from "../raft/message.ts";
import type { LogWrite, Recovered } from "./log-store.ts";

export class WriteCheck {
  #offset: LogPosition;
  #last: LogIndex;
  #snapshot: Snapshot | null;
  /** Newer than the one in force: what may be taken over. */
  #verified: Snapshot[] = [];

  constructor({ offset, entries, snapshot }: Pick<Recovered, "offset" | "entries" | "snapshot">) {
    this.#offset = offset;
    this.#last = offset.index + entries.length;
    this.#snapshot = snapshot;
  }

  /** These bytes are durable and sound. */
  verified(snapshot: Snapshot): void {
    this.#verified.push(snapshot);
  }

  /** Throws AssertionError. */
  accept({ truncateFrom, snapshot, compactTo, entries }: LogWrite): void {
    const oldSnapshotIndex = this.#snapshot?.index ?? 0;
    const { index: snapshotIndex } = snapshot ?? { index: oldSnapshotIndex };
    let last = this.#last;
    if (truncateFrom !== undefined) {
      const isCommitted = truncateFrom <= Math.max(this.#offset.index, oldSnapshotIndex);
      assert(!isCommitted, `truncateFrom is ${truncateFrom}, the snapshot's ${oldSnapshotIndex}`);
      last = Math.min(last, truncateFrom - 1);
    }
    if (snapshot !== undefined) this.#checkTakeover(snapshot);
    if (compactTo !== undefined) {
      const { index } = compactTo;
      assert(index >= this.#offset.index, `compactTo ${index} after ${this.#offset.index}`);
      assert(index <= snapshotIndex, `compactTo ${index} behind the snapshot ${snapshotIndex}`);
      last = Math.max(last, index);
    }
    for (const { index } of entries) {
      assert(index === last + 1, `entry ${index} after entry ${last}`);
      last = index;
    }
    assert(last >= snapshotIndex, `the log ends at ${last}, before the snapshot ${snapshotIndex}`);
    this.#last = last;
    this.#offset = compactTo ?? this.#offset;
    if (snapshot === undefined) return;
    this.#snapshot = snapshot;
    this.#verified = this.#verified.filter(({ index }) => index > snapshot.index);
  }

  #checkTakeover(snapshot: Snapshot): void {
    const { index, bytes } = snapshot;
    const current = this.#snapshot;
    if (current !== null && isSame(current, snapshot)) return;
    assert(index > (current?.index ?? -1), `snapshot ${index} after snapshot ${current?.index}`);
    // One without bytes has nothing to verify: the founders' one.
    const isSound = bytes === 0 || this.#verified.some((sound) => isSame(sound, snapshot));
    assert(isSound, `snapshot ${index} is not verified`);
  }
}

function isSame(one: Snapshot, other: Snapshot): boolean {
  return (
    one.index === other.index &&
    one.term === other.term &&
    one.bytes === other.bytes &&
    one.checksum === other.checksum
  );
}
