// Which configuration is in force: the newest one in the log, committed or not (§6).
//
// Guarantees: a node takes a configuration when its entry is appended and gives it up when the
// entry is cut off or replaced by a snapshot, in the log's own order.
// Does not own: what a node does about it (adoption.ts), who may ask for another one
// (membership-change.ts), nor who is asked for what (configuration.ts, quorum.ts).

import { type Configuration, decodeConfiguration, NO_MEMBERS } from "./configuration.ts";
import { assert } from "./invariant.ts";
import { type Entry, EntryKind, type LogIndex, type Snapshot } from "./message.ts";

interface Adopted {
  readonly index: LogIndex;
  readonly configuration: Configuration;
}

/** The configurations of the log, oldest first; the first one is the snapshot's. */
export class Membership {
  #adopted: Adopted[];

  constructor(snapshot: Snapshot | null, entries: readonly Entry[]) {
    const index = snapshot?.index ?? 0;
    this.#adopted = [{ index, configuration: snapshot?.configuration ?? NO_MEMBERS }];
    this.append(entries.filter((entry) => entry.index > index));
  }

  get current(): Configuration {
    return this.#last.configuration;
  }

  /** The entry that brought the current configuration; the snapshot's index if it was none. */
  get currentIndex(): LogIndex {
    return this.#last.index;
  }

  /** The configuration that was in force at this place of the log. */
  at(index: LogIndex): Configuration {
    const adopted = this.#adopted.findLast((one) => one.index <= index);
    assert(adopted !== undefined, "I11", "a configuration before the snapshot", index);
    return adopted.configuration;
  }

  /** True if there was a configuration among them. */
  append(entries: readonly Entry[]): boolean {
    let isChanged = false;
    for (const { kind, index, data } of entries) {
      if (kind !== EntryKind.Configuration) continue;
      const configuration = decodeConfiguration(data);
      assert(configuration !== null, "I11", "an entry that holds no configuration", index);
      this.#adopted.push({ index, configuration });
      isChanged = true;
    }
    return isChanged;
  }

  /** True if the current configuration went with the entries from this one on. */
  truncate(from: LogIndex): boolean {
    const kept = this.#adopted.filter((one) => one.index < from);
    const isChanged = kept.length < this.#adopted.length;
    assert(kept.length > 0, "I13", "the snapshot's configuration", from);
    this.#adopted = kept;
    return isChanged;
  }

  /** What came before the snapshot is part of it. */
  compact(snapshot: Snapshot): void {
    const later = this.#adopted.filter((one) => one.index > snapshot.index);
    this.#adopted = [{ index: snapshot.index, configuration: snapshot.configuration }, ...later];
  }

  /** How many are not committed: never more than one (I11). */
  uncommittedCount(commitIndex: LogIndex): number {
    return this.#adopted.filter((one) => one.index > commitIndex).length;
  }

  get #last(): Adopted {
    const last = this.#adopted.at(-1);
    assert(last !== undefined, "I11", "no configuration");
    return last;
  }
}

/** What founders begin with: an empty state machine before the first entry, and who votes. */
export function foundingSnapshot(configuration: Configuration): Snapshot {
  return { index: 0, term: 0, configuration, bytes: 0, checksum: 0 };
}
