// The log in memory: an array of entries behind an offset, where a compacted prefix ended.
//
// Guarantees: access by index is O(1), search by term O(log n) since terms never fall along a log;
// reading never copies more than the batch asked for. The entries are contiguous (I3).
// Does not own: what is durable (outbox.ts) nor what is committed (node.ts), so it is the caller
// that must not cut off committed entries.

import { assert } from "./invariant.ts";
import type { Entry, LogIndex, LogPosition, Term } from "./message.ts";

/** What an entry weighs beside its data: term, index, kind and framing on the wire. */
const ENTRY_OVERHEAD_BYTES = 24;

export function entryBytes(entry: Entry): number {
  return entry.data.length + entry.traceparent.length + ENTRY_OVERHEAD_BYTES;
}

export interface BatchLimit {
  readonly entriesMax: number;
  readonly bytesMax: number;
}

export class Log {
  #entries: Entry[] = [];
  /** Index and term of the entry before the first: 0 until something was compacted. */
  #offset: LogIndex;
  #offsetTerm: Term;

  constructor(entries: readonly Entry[], { index, term }: LogPosition = { index: 0, term: 0 }) {
    this.#offset = index;
    this.#offsetTerm = term;
    this.append(entries);
  }

  /** The place before the first entry. */
  get offset(): LogPosition {
    return { index: this.#offset, term: this.#offsetTerm };
  }

  get firstIndex(): LogIndex {
    return this.#offset + 1;
  }

  get lastIndex(): LogIndex {
    return this.#offset + this.#entries.length;
  }

  get lastTerm(): Term {
    return this.#entries.at(-1)?.term ?? this.#offsetTerm;
  }

  /** Null where the log has no entry: behind its end or in a compacted prefix. */
  termAt(index: LogIndex): Term | null {
    if (index === this.#offset) return this.#offsetTerm;
    return this.#entries[index - this.firstIndex]?.term ?? null;
  }

  /** The entries of [from, to), which must be there. */
  range(from: LogIndex, to: LogIndex): Entry[] {
    assert(from >= this.firstIndex, "I3", "before the first entry", from, this.firstIndex);
    assert(to <= this.lastIndex + 1, "I3", "behind the last entry", to, this.lastIndex);
    return this.#entries.slice(from - this.firstIndex, to - this.firstIndex);
  }

  /** A batch from `from` on: at least one entry if there is one, then as many as the limit lets. */
  batch(from: LogIndex, limit: BatchLimit): Entry[] {
    const end = Math.min(this.lastIndex + 1, from + limit.entriesMax);
    let bytes = 0;
    let to = from;
    while (to < end) {
      const entry = this.#entries[to - this.firstIndex];
      bytes += entry === undefined ? 0 : entryBytes(entry);
      if (bytes > limit.bytesMax && to > from) break;
      to += 1;
    }
    return to > from ? this.range(from, to) : [];
  }

  /** How many entries up to and with `upTo` fit the limit, the newest first. */
  tailLength(upTo: LogIndex, limit: BatchLimit): number {
    let bytes = 0;
    let length = 0;
    while (length < limit.entriesMax) {
      const entry = this.#entries[upTo - length - this.firstIndex];
      if (entry === undefined) break;
      bytes += entryBytes(entry);
      if (bytes > limit.bytesMax) break;
      length += 1;
    }
    return length;
  }

  append(entries: readonly Entry[]): void {
    for (const entry of entries) {
      assert(entry.index === this.lastIndex + 1, "I3", "a gap", entry.index, this.lastIndex);
      assert(entry.term >= this.lastTerm, "I3", "a term that falls", entry.term, this.lastTerm);
      this.#entries.push(entry);
    }
  }

  truncateFrom(index: LogIndex): void {
    assert(index >= this.firstIndex, "I13", "compacted entries", index, this.firstIndex);
    this.#entries.length = Math.min(this.#entries.length, index - this.firstIndex);
  }

  /** Drops the entries up to and with `index`, which must be there or dropped already. */
  compactTo(index: LogIndex): void {
    if (index <= this.#offset) return;
    const term = this.termAt(index);
    assert(term !== null, "I10", "compacted behind the end", index, this.lastIndex);
    this.#entries = this.#entries.slice(index - this.#offset);
    this.#offset = index;
    this.#offsetTerm = term;
  }

  /** Nothing but what a snapshot stands for. */
  resetTo({ index, term }: LogPosition): void {
    this.#entries = [];
    this.#offset = index;
    this.#offsetTerm = term;
  }

  /** The first index that has the term of the entry at `index`. */
  firstIndexOfTermAt(index: LogIndex): LogIndex {
    const term = this.termAt(index) ?? this.lastTerm;
    return this.lastIndexOfTermAtMost(term - 1, index) + 1;
  }

  /** The last index <= upTo whose term is at most `term`; the offset if there is none. */
  lastIndexOfTermAtMost(term: Term, upTo: LogIndex): LogIndex {
    let low = this.#offset;
    let high = Math.min(upTo, this.lastIndex);
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((this.termAt(middle) ?? 0) <= term) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** §5.4.1: the later last term wins, at equal terms the longer log. */
  isUpToDate(lastLogTerm: Term, lastLogIndex: LogIndex): boolean {
    if (lastLogTerm !== this.lastTerm) return lastLogTerm > this.lastTerm;
    return lastLogIndex >= this.lastIndex;
  }
}
