// The node's ledger, and the committed entries on their way into it.
//
// Guarantees: each entry is applied once, in order, some milliseconds of work at a time, so that
// heartbeats are never kept waiting by a long backlog. A restored ledger replaces it at once.
// Does not own: what follows from an applied entry (driver.ts).

import type { CommandBody } from "../ledger/command.ts";
import { apply, type Ledger } from "../ledger/ledger.ts";
import type { Change, LockChange, Result } from "../ledger/result.ts";
import { entryBytes } from "../raft/log.ts";
import { type Entry, EntryKind, type LogIndex } from "../raft/message.ts";
import { decodeCommand } from "./command-codec.ts";

/** In one turn of the loop; one entry always goes: it may be a thousand jobs. */
const TURN_LIMIT = { entriesMax: 1_000, bytesMax: 512 * 1024 };

export interface AppliedEntry {
  readonly entry: Entry;
  /** Null for an entry that is not the ledger's. */
  readonly body: CommandBody | null;
  readonly result: Result | null;
  /** The ledger's own: to be read before the next entry is applied. */
  readonly changes: readonly Change[];
  readonly lockChanges: readonly LockChange[];
}

export class Applier {
  readonly #onApplied: (applied: AppliedEntry) => void;
  #ledger: Ledger;
  #waiting: Entry[] = [];
  /** So many of them are applied: a long backlog is not moved at each turn. */
  #appliedCount = 0;
  #lastApplied: LogIndex;

  constructor(ledger: Ledger, lastApplied: LogIndex, onApplied: (applied: AppliedEntry) => void) {
    this.#ledger = ledger;
    this.#lastApplied = lastApplied;
    this.#onApplied = onApplied;
  }

  get ledger(): Ledger {
    return this.#ledger;
  }

  get lastApplied(): LogIndex {
    return this.#lastApplied;
  }

  hand(entries: readonly Entry[]): void {
    for (const entry of entries) this.#waiting.push(entry);
  }

  /** The ledger counts commands only: behind the last one there may be other entries. */
  restore(ledger: Ledger, index: LogIndex): void {
    this.#ledger = ledger;
    this.#clear();
    this.#lastApplied = index;
  }

  /** Bytes of the entries that were applied; 0: none waited. */
  advance(): number {
    let bytes = 0;
    for (let count = 0; count < TURN_LIMIT.entriesMax; count += 1) {
      const entry = this.#waiting[this.#appliedCount];
      if (entry === undefined) break;
      const ownBytes = entryBytes(entry);
      if (count > 0 && bytes + ownBytes > TURN_LIMIT.bytesMax) break;
      this.#appliedCount += 1;
      this.#apply(entry);
      bytes += ownBytes;
    }
    if (this.#appliedCount === this.#waiting.length) this.#clear();
    return bytes;
  }

  #clear(): void {
    this.#waiting = [];
    this.#appliedCount = 0;
  }

  #apply(entry: Entry): void {
    this.#lastApplied = entry.index;
    if (entry.kind !== EntryKind.Command) {
      this.#onApplied({ entry, body: null, result: null, changes: [], lockChanges: [] });
      return;
    }
    const command = decodeCommand(entry.data);
    this.#onApplied({ entry, body: command.body, ...apply(this.#ledger, entry.index, command) });
  }
}
