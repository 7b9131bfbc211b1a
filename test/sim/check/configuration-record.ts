// Which configuration each member's log puts in force, followed from what it asked its disk to do.
//
// Guarantees: independent of the core's own record (raft/membership.ts), with which it is compared;
// consecutive configurations must have quorums that overlap (I11): one voter more or less, into a
// joint one, or out of it.
// Does not own: which entries are committed.

import { type Configuration, decodeConfiguration } from "../../../raft/configuration.ts";
import { type Entry, EntryKind, type LogIndex, type NodeId } from "../../../raft/message.ts";
import type { Persist, Store } from "../store.ts";
import { demand } from "../violation.ts";

interface Adopted {
  readonly index: LogIndex;
  readonly configuration: Configuration;
}

const NOBODY: Configuration = { voters: [], outgoing: [], learners: [] };

/** Counted here anew, not with the core's functions. */
export function isQuorum(
  { voters, outgoing }: Configuration,
  has: (id: NodeId) => boolean,
): boolean {
  return isMajority(voters, has) && (outgoing.length === 0 || isMajority(outgoing, has));
}

function isMajority(ids: readonly NodeId[], has: (id: NodeId) => boolean): boolean {
  let count = 0;
  for (const id of ids) if (has(id)) count += 1;
  return 2 * count > ids.length;
}

export function isSameConfiguration(one: Configuration, other: Configuration): boolean {
  if (one === other) return true;
  return (
    isSameSet(one.voters, other.voters) &&
    isSameSet(one.outgoing, other.outgoing) &&
    isSameSet(one.learners, other.learners)
  );
}

function isSameSet(one: readonly NodeId[], other: readonly NodeId[]): boolean {
  return one.length === other.length && one.every((id) => other.includes(id));
}

export class ConfigurationRecord {
  #adopted: Adopted[];

  constructor(store: Store) {
    const stored = store.snapshot?.snapshot;
    const base = { index: stored?.index ?? 0, configuration: stored?.configuration ?? NOBODY };
    this.#adopted = [base];
    for (const entry of store.entries) if (entry.index > base.index) this.#append(entry);
  }

  get current(): Configuration {
    return this.#adopted.at(-1)?.configuration ?? NOBODY;
  }

  get currentIndex(): LogIndex {
    return this.#adopted.at(-1)?.index ?? 0;
  }

  /** True if another one is in force now. */
  persistAsked({ truncateFrom, snapshot, compactTo, entries }: Persist): boolean {
    const before = this.current;
    if (truncateFrom !== undefined && this.#adopted.length > 1) {
      this.#adopted = this.#adopted.filter(
        ({ index }, place) => place === 0 || index < truncateFrom,
      );
    }
    if (snapshot !== undefined) {
      // The whole log goes with it: what was behind it is another log's.
      const isInstall = compactTo?.index === snapshot.index && truncateFrom !== undefined;
      const later = isInstall ? [] : this.#adopted.filter(({ index }) => index > snapshot.index);
      const base = { index: snapshot.index, configuration: snapshot.configuration };
      this.#adopted = [base, ...later];
    }
    for (const entry of entries) this.#append(entry);
    return this.current !== before;
  }

  #append(entry: Entry): void {
    if (entry.kind !== EntryKind.Configuration) return;
    const configuration = decodeConfiguration(entry.data);
    demand(configuration !== null, "I11 configuration", `entry ${entry.index} holds none`);
    const before = this.current;
    const isKnown = before.voters.length > 0;
    demand(!isKnown || hasOverlap(before, configuration), "I11 configuration-overlap", () => {
      return `${textOf(before)} to ${textOf(configuration)} at ${entry.index}`;
    });
    this.#adopted.push({ index: entry.index, configuration });
  }
}

/** Any quorum of the one has a member in common with any of the other. */
function hasOverlap(before: Configuration, after: Configuration): boolean {
  if (before.outgoing.length > 0) {
    return after.outgoing.length === 0 && isSameSet(after.voters, before.voters);
  }
  if (after.outgoing.length > 0) return isSameSet(after.outgoing, before.voters);
  const gone = before.voters.filter((id) => !after.voters.includes(id)).length;
  const come = after.voters.filter((id) => !before.voters.includes(id)).length;
  return gone + come <= 1;
}

export function textOf({ voters, outgoing, learners }: Configuration): string {
  const names = (ids: readonly NodeId[]): string => ids.join(" ");
  const joint = outgoing.length === 0 ? "" : ` + outgoing ${names(outgoing)}`;
  return `[${names(voters)}${joint}${learners.length === 0 ? "" : ` learners ${names(learners)}`}]`;
}
