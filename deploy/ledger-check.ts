// A node's files checked without the node: its snapshot restored, its log applied again.
//
// Guarantees: when a report is given, everything that the files hold was read and has passed its
// checksum, also what lies behind `toIndex`. Damage is an outcome that names its place, never a
// throw. Entries at the log's end may not be committed yet, here as on any other node: to compare
// two nodes, stop both at one index.
// Does not own: reading the files and their checksums (transport/disk/offline.ts).

import { apply, createLedger, hash, type Ledger } from "../ledger/ledger.ts";
import { decodeConfiguration } from "../raft/configuration.ts";
import { type Entry, EntryKind } from "../raft/message.ts";
import { decodeCommand } from "../transport/command-codec.ts";
import type { OfflineStore } from "../transport/disk/offline.ts";
import { StoreError } from "../transport/disk/store-error.ts";
import { RECEIPTS_MAX } from "../transport/limit.ts";
import { SnapshotDecoder } from "../transport/snapshot-codec.ts";

export type CheckedStore = Pick<OfflineStore, "snapshot" | "offset" | "snapshotBytes" | "entries">;

export interface LedgerReport {
  /** The last entry applied, or what the snapshot stands for. */
  readonly index: number;
  /** null: no snapshot. */
  readonly snapshotIndex: number | null;
  /** In the log, with those that the snapshot stands for too. */
  readonly entries: number;
  readonly applied: number;
  /** Commands of another version, which are applied as nothing. */
  readonly unreadable: number;
  readonly jobs: number;
  /** Of the ledger at `index`: equal on every node. */
  readonly hash: string;
}

export type CheckOutcome =
  | { readonly kind: "sound"; readonly report: LedgerReport }
  | { readonly kind: "damaged"; readonly problem: string }
  /** Nothing is wrong, but `toIndex` is before or behind what the files can give. */
  | { readonly kind: "elsewhere"; readonly firstIndex: number; readonly lastIndex: number };

/** Up to and with the entry at `toIndex`; Infinity: all that is there. */
export function checkLedger(
  store: CheckedStore,
  toIndex: number = Number.POSITIVE_INFINITY,
): CheckOutcome {
  try {
    return new Check(store, toIndex).run();
  } catch (error) {
    // The store hands out nothing that fails its checksum, and says so by throwing.
    if (error instanceof StoreError && error.code === "corrupt") return damaged(error.message);
    throw error;
  }
}

class Check {
  readonly #store: CheckedStore;
  readonly #toIndex: number;
  readonly #snapshotIndex: number;
  #ledger: Ledger = createLedger({ receiptsMax: RECEIPTS_MAX });
  #entries = 0;
  #applied = 0;
  #unreadable = 0;
  /** The last entry that was read, and its term. */
  #lastIndex: number;
  #lastTerm: number;

  constructor(store: CheckedStore, toIndex: number) {
    this.#store = store;
    this.#toIndex = toIndex;
    this.#snapshotIndex = store.snapshot?.index ?? 0;
    this.#lastIndex = store.offset.index;
    this.#lastTerm = store.offset.term;
  }

  run(): CheckOutcome {
    const { snapshot, offset } = this.#store;
    if (offset.index > this.#snapshotIndex) {
      return damaged(`entries ${this.#snapshotIndex + 1} to ${offset.index} are missing`);
    }
    const problem = this.#restore();
    if (problem !== null) return damaged(problem);
    for (const slice of this.#store.entries()) {
      for (const entry of slice) {
        const fault = this.#take(entry);
        if (fault !== null) return damaged(fault);
      }
    }
    const lastIndex = Math.max(this.#snapshotIndex, this.#lastIndex);
    const isBehind = Number.isFinite(this.#toIndex) && this.#toIndex > lastIndex;
    if (this.#toIndex < this.#snapshotIndex || isBehind) {
      return { kind: "elsewhere", firstIndex: this.#snapshotIndex, lastIndex };
    }
    return {
      kind: "sound",
      report: {
        index: Math.min(this.#toIndex, lastIndex),
        snapshotIndex: snapshot === null ? null : this.#snapshotIndex,
        entries: this.#entries,
        applied: this.#applied,
        unreadable: this.#unreadable,
        jobs: this.#ledger.jobs.length,
        hash: hash(this.#ledger),
      },
    };
  }

  /** What is wrong with the snapshot, if anything. */
  #restore(): string | null {
    // The founders' one stands for nothing, and has no bytes.
    if (this.#snapshotIndex === 0) return null;
    const name = `the snapshot up to entry ${this.#snapshotIndex}`;
    const decoder = new SnapshotDecoder();
    for (const piece of this.#store.snapshotBytes()) {
      if (decoder.push(piece) !== "ok") break;
    }
    const restored = decoder.finish();
    if ("failure" in restored) {
      return `${name} cannot be restored: ${restored.failure}, at record ${restored.record}`;
    }
    this.#ledger = restored.ok;
    const { appliedIndex } = this.#ledger;
    return appliedIndex > this.#snapshotIndex ? `${name} holds entry ${appliedIndex}` : null;
  }

  /** What is wrong with the entry, if anything; applies it if it is one to apply. */
  #take({ index, term, kind, data }: Entry): string | null {
    if (index !== this.#lastIndex + 1) return `entry ${this.#lastIndex + 1} is missing`;
    if (term < this.#lastTerm) return `entry ${index} is of an older term than the one before`;
    this.#lastIndex = index;
    this.#lastTerm = term;
    this.#entries += 1;
    if (kind === EntryKind.Configuration && decodeConfiguration(data) === null) {
      return `entry ${index} is no configuration`;
    }
    if (index <= this.#snapshotIndex || index > this.#toIndex) return null;
    this.#applied += 1;
    if (kind !== EntryKind.Command) return null;
    const command = decodeCommand(data);
    if (command.body.kind === "unknown") this.#unreadable += 1;
    apply(this.#ledger, index, command);
    return null;
  }
}

function damaged(problem: string): CheckOutcome {
  return { kind: "damaged", problem };
}
