// One node's state machine: the real ledger, and where it stands in the log.
//
// Guarantees: entries are applied once each, in order; what a snapshot holds is what was applied.
// Does not own: which entries are committed (the core), nor a snapshot's bytes (state-bytes.ts).

import { crc32 } from "node:zlib";
import { apply, createLedger, type Ledger } from "../../ledger/ledger.ts";
import type { Applied } from "../../ledger/result.ts";
import { type Configuration, decodeConfiguration, NO_MEMBERS } from "../../raft/configuration.ts";
import { type Entry, EntryKind, type Snapshot } from "../../raft/message.ts";
import { commandOf } from "./command-of.ts";
import { decodeState, encodeState } from "./state-bytes.ts";

export const RECEIPTS_MAX = 16;

export class Replica {
  ledger: Ledger = createLedger({ receiptsMax: RECEIPTS_MAX });
  lastApplied = 0;
  lastTerm = 0;
  /** As of lastApplied. */
  configuration: Configuration = NO_MEMBERS;

  /** Null for an entry that is no command. */
  apply(entry: Entry): Applied | null {
    this.lastApplied = entry.index;
    this.lastTerm = entry.term;
    if (entry.kind === EntryKind.Command) {
      return apply(this.ledger, entry.index, commandOf(entry));
    }
    if (entry.kind === EntryKind.Configuration) {
      this.configuration = decodeConfiguration(entry.data) ?? this.configuration;
    }
    return null;
  }

  /** `configuration` is the one in force at lastApplied. */
  takeSnapshot(configuration: Configuration): {
    readonly snapshot: Snapshot;
    readonly bytes: Uint8Array;
  } {
    const bytes = encodeState(this.ledger);
    const { lastApplied: index, lastTerm: term } = this;
    const checksum = crc32(bytes);
    return { snapshot: { index, term, configuration, bytes: bytes.length, checksum }, bytes };
  }

  restore(snapshot: Snapshot, bytes: Uint8Array): void {
    this.ledger = decodeState(bytes, RECEIPTS_MAX);
    this.lastApplied = snapshot.index;
    this.lastTerm = snapshot.term;
    this.configuration = snapshot.configuration;
  }
}
