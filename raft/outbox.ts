// The effects of one step, and what of the node's state is durable.
//
// Guarantees: a step gives at most one persist, and it comes first; a send names the write it must
// wait for. `durableIndex` counts only entries that are still in the log: when a write under way is
// cut off by a truncation, its completion proves just what was left of it. Otherwise the completion
// for (index, old term) would be taken for the new entry at that index (etcd's
// async_storage_writes_append_aba_race).

import type { Effect, HardState } from "./effect.ts";
import { assert } from "./invariant.ts";
import type { Entry, LogIndex, LogPosition, Message, NodeId, Snapshot } from "./message.ts";

interface PendingWrite {
  readonly writeId: number;
  /** The last index of the log once this write is durable, if it is still in the log. */
  lastIndex: LogIndex;
}

interface Draft {
  readonly writeId: number;
  hasHardState: boolean;
  truncateFrom: LogIndex | null;
  snapshot: Snapshot | null;
  compactTo: LogPosition | null;
  readonly entries: Entry[];
}

export class Outbox {
  #durableIndex: LogIndex;
  #durableWriteId = 0;
  #lastWriteId = 0;
  #hardStateWriteId = 0;
  #draft: Draft | null = null;
  #pending: PendingWrite[] = [];
  #effects: Effect[] = [];

  /** A recovered log is durable as it is. */
  constructor(recoveredLastIndex: LogIndex) {
    this.#durableIndex = recoveredLastIndex;
  }

  /** The last index of the log up to which every entry is durable. */
  get durableIndex(): LogIndex {
    return this.#durableIndex;
  }

  saveHardState(): void {
    const draft = this.#openDraft();
    draft.hasHardState = true;
    this.#hardStateWriteId = draft.writeId;
  }

  saveTruncation(from: LogIndex): void {
    const draft = this.#openDraft();
    assert(draft.entries.length === 0, "I15", "a truncation comes before what is appended", from);
    draft.truncateFrom = from;
    this.#cutOff(from - 1);
  }

  /** A snapshot of what the log holds, and how much of the log is dropped with it. */
  saveSnapshot(snapshot: Snapshot, compactTo: LogPosition | null): void {
    const draft = this.#openDraft();
    draft.snapshot = snapshot;
    draft.compactTo = compactTo;
  }

  /**
   * A snapshot in place of the whole log. What is not committed is cut off, what is goes with the
   * compaction. Until the write is done, no more is durable than what was committed before: the
   * rest of the old log may be another one.
   */
  saveInstall(snapshot: Snapshot, commitIndex: LogIndex): void {
    const draft = this.#openDraft();
    assert(draft.entries.length === 0, "I15", "a snapshot comes before entries", snapshot.index);
    draft.truncateFrom = commitIndex + 1;
    draft.snapshot = snapshot;
    draft.compactTo = { index: snapshot.index, term: snapshot.term };
    this.#cutOff(commitIndex);
    this.#pending.push({ writeId: draft.writeId, lastIndex: snapshot.index });
  }

  /** What is durable or under way behind this index is not in the log any more. */
  #cutOff(lastIndex: LogIndex): void {
    this.#durableIndex = Math.min(this.#durableIndex, lastIndex);
    for (const write of this.#pending) write.lastIndex = Math.min(write.lastIndex, lastIndex);
  }

  saveEntries(entries: readonly Entry[]): void {
    const last = entries.at(-1);
    if (last === undefined) return;
    const draft = this.#openDraft();
    draft.entries.push(...entries);
    this.#pending = this.#pending.filter((write) => write.writeId !== draft.writeId);
    this.#pending.push({ writeId: draft.writeId, lastIndex: last.index });
  }

  /** The write to wait for before anything of the current term and vote is told; 0: none. */
  afterHardState(): number {
    return this.#hardStateWriteId > this.#durableWriteId ? this.#hardStateWriteId : 0;
  }

  /** The write to wait for before entries up to `index` may be acknowledged; 0: none. */
  afterEntries(index: LogIndex): number {
    if (index <= this.#durableIndex) return this.afterHardState();
    const write = this.#pending.find(({ lastIndex }) => lastIndex >= index);
    assert(write !== undefined, "I15", "an entry that is in no write", index);
    return Math.max(write.writeId, this.afterHardState());
  }

  persisted(writeId: number): void {
    assert(writeId <= this.#lastWriteId, "I15", "a write never asked", writeId, this.#lastWriteId);
    this.#durableWriteId = Math.max(this.#durableWriteId, writeId);
    let write = this.#pending[0];
    while (write !== undefined && write.writeId <= writeId) {
      this.#durableIndex = Math.max(this.#durableIndex, write.lastIndex);
      this.#pending.shift();
      write = this.#pending[0];
    }
  }

  send(to: NodeId, message: Message, afterWriteId: number): void {
    this.#effects.push({ kind: "send", to, message, afterWriteId });
  }

  emit(effect: Effect): void {
    this.#effects.push(effect);
  }

  /** Ends the step. `first` goes right behind the persist. */
  take(hardState: HardState, first: readonly Effect[]): Effect[] {
    const effects = this.#effects;
    const draft = this.#draft;
    this.#effects = [];
    this.#draft = null;
    if (draft === null) return first.length === 0 ? effects : [...first, ...effects];
    const persist: Effect = {
      kind: "persist",
      writeId: draft.writeId,
      ...(draft.hasHardState ? { hardState } : {}),
      ...(draft.truncateFrom === null ? {} : { truncateFrom: draft.truncateFrom }),
      ...(draft.snapshot === null ? {} : { snapshot: draft.snapshot }),
      ...(draft.compactTo === null ? {} : { compactTo: draft.compactTo }),
      entries: draft.entries,
    };
    return [persist, ...first, ...effects];
  }

  #openDraft(): Draft {
    if (this.#draft === null) {
      this.#lastWriteId += 1;
      const writeId = this.#lastWriteId;
      this.#draft = {
        writeId,
        hasHardState: false,
        truncateFrom: null,
        snapshot: null,
        compactTo: null,
        entries: [],
      };
    }
    return this.#draft;
  }
}
