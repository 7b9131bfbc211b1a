// Every entry that was ever in any log.
//
// Guarantees: Log Matching (§5.3) in O(1) an entry: index and term name one entry, and one entry
// before it; by induction they name the whole log up to it.

import type { Entry, LogIndex, Term } from "../../../raft/message.ts";
import { demand } from "../violation.ts";

interface Known {
  readonly entry: Entry;
  readonly prevTerm: Term | null;
}

const TERM_SPAN = 2 ** 20;

export class EntryRegistry {
  readonly #known = new Map<number, Known>();

  /** `prevTerm` is null where the entry before is compacted. */
  note(entry: Entry, prevTerm: Term | null, where: () => string): void {
    const key = entry.index * TERM_SPAN + entry.term;
    const known = this.#known.get(key);
    if (known === undefined) {
      this.#known.set(key, { entry, prevTerm });
      return;
    }
    const isSame = known.entry === entry || isEqual(known.entry, entry);
    demand(isSame, "I3 log-matching", () => `${where()}: another entry ${nameOf(entry)}`);
    const isAfterSame = prevTerm === null || known.prevTerm === null || prevTerm === known.prevTerm;
    demand(isAfterSame, "I3 log-matching", () => {
      return `${where()}: ${nameOf(entry)} behind term ${prevTerm}, elsewhere ${known.prevTerm}`;
    });
  }

  entry(index: LogIndex, term: Term): Entry | undefined {
    return this.#known.get(index * TERM_SPAN + term)?.entry;
  }
}

function nameOf({ index, term }: Entry): string {
  return `${index}/${term}`;
}

function isEqual(one: Entry, other: Entry): boolean {
  if (one.kind !== other.kind || one.traceparent !== other.traceparent) return false;
  if (one.data.length !== other.data.length) return false;
  for (let place = 0; place < one.data.length; place += 1) {
    if (one.data[place] !== other.data[place]) return false;
  }
  return true;
}
