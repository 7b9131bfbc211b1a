// The calls and returns of a history in the order of time, and which operation may be next.
//
//   head ⇄ call a ⇄ call b ⇄ return b ⇄ call c ⇄ return a ⇄ ...      candidates: a, b
//
// Guarantees: an operation may be next if nothing that is left had come back before it was called:
// its call stands before the first return. lift takes an operation's two entries out in constant
// time and unlift puts them back, in the reverse order of lifting (Wing and Gong's list, as in Lowe
// 2017). Calls stand before returns of the same time. Operations of unknown outcome have no return
// and stand apart: they are offered last, since most histories need none of them.
// Does not own: which candidate is taken (checker.ts).

import assert from "node:assert";
import type { History } from "./history.ts";

export const NONE = -1;

export class EntryList {
  /** Operations of unknown outcome, in the order of their calls. */
  readonly #open: number[] = [];
  /** By operation: whether it is an open one, and whether an open one has been taken out. */
  readonly #isOpen: Uint8Array;
  readonly #isLifted: Uint8Array;
  /** By operation: the entries of its call and return, numbered in the order of time from 1. */
  readonly #callEntry: Int32Array;
  readonly #returnEntry: Int32Array;
  /** By entry: its operation, and its neighbours among those in the list; 0 is the head. */
  readonly #operation: Int32Array;
  readonly #next: Int32Array;
  readonly #previous: Int32Array;

  /** `isIdle`: of no use to the search, such as a read that nobody saw the outcome of. */
  constructor(history: History<unknown, unknown>, isIdle: (operation: number) => boolean) {
    const size = history.length;
    this.#isOpen = new Uint8Array(size);
    this.#isLifted = new Uint8Array(size);
    this.#callEntry = new Int32Array(size);
    this.#returnEntry = new Int32Array(size);
    const events = eventsOf(history);
    this.#operation = new Int32Array(events.length + 1);
    this.#next = new Int32Array(events.length + 1);
    this.#previous = new Int32Array(events.length + 1);
    let last = 0;
    for (const [position, event] of events.entries()) {
      const entry = position + 1;
      const operation = event >> 1;
      this.#operation[entry] = operation;
      if ((event & 1) === 1) this.#returnEntry[operation] = entry;
      else this.#callEntry[operation] = entry;
      if (history[operation]?.outcome === "unknown") {
        this.#isOpen[operation] = 1;
        if (!isIdle(operation)) this.#open.push(operation);
      } else {
        this.#next[last] = entry;
        this.#previous[entry] = last;
        last = entry;
      }
    }
    this.#next[last] = 0;
    this.#previous[0] = last;
  }

  /** Whether all operations of known outcome are lifted. */
  get isEmpty(): boolean {
    return this.#next[0] === 0;
  }

  /** The operation that may be next and comes after this one in the order of trying; or NONE. */
  candidateAfter(operation: number): number {
    if (operation !== NONE && this.#isOpen[operation] === 1) return this.#openAfter(operation);
    const known = this.knownCandidateAfter(operation);
    return known === NONE ? this.#openAfter(NONE) : known;
  }

  /** The same among those of known outcome only. */
  knownCandidateAfter(operation: number): number {
    const entry = this.#next[operation === NONE ? 0 : at(this.#callEntry, operation)] ?? 0;
    if (entry === 0) return NONE;
    const found = at(this.#operation, entry);
    return this.#callEntry[found] === entry ? found : NONE;
  }

  /** The operation whose return no other may be placed beyond. The list must not be empty. */
  firstReturning(): number {
    let entry = at(this.#next, 0);
    while (this.#returnEntry[at(this.#operation, entry)] !== entry) entry = at(this.#next, entry);
    return at(this.#operation, entry);
  }

  /** A measure of progress: how far in time the return of this operation stands. */
  returnPosition(operation: number): number {
    return at(this.#returnEntry, operation);
  }

  callPosition(operation: number): number {
    return at(this.#callEntry, operation);
  }

  lift(operation: number): void {
    if (this.#isOpen[operation] === 1) {
      this.#isLifted[operation] = 1;
      return;
    }
    this.#unlink(at(this.#callEntry, operation));
    this.#unlink(at(this.#returnEntry, operation));
  }

  unlift(operation: number): void {
    if (this.#isOpen[operation] === 1) {
      this.#isLifted[operation] = 0;
      return;
    }
    this.#relink(at(this.#returnEntry, operation));
    this.#relink(at(this.#callEntry, operation));
  }

  #openAfter(operation: number): number {
    if (this.#open.length === 0 || this.isEmpty) return NONE;
    const limit = this.returnPosition(this.firstReturning());
    const from = operation === NONE ? 0 : this.#open.indexOf(operation) + 1;
    for (let position = from; position < this.#open.length; position++) {
      const open = this.#open[position] ?? NONE;
      if (at(this.#callEntry, open) > limit) return NONE;
      if (this.#isLifted[open] === 0) return open;
    }
    return NONE;
  }

  #unlink(entry: number): void {
    const [previous, next] = [at(this.#previous, entry), at(this.#next, entry)];
    this.#next[previous] = next;
    this.#previous[next] = previous;
  }

  #relink(entry: number): void {
    this.#next[at(this.#previous, entry)] = entry;
    this.#previous[at(this.#next, entry)] = entry;
  }
}

/** Two numbers an operation, twice its position for the call and one more for the return. */
function eventsOf(history: History<unknown, unknown>): number[] {
  const events: number[] = [];
  for (const [operation, { calledAt, returnedAt, outcome }] of history.entries()) {
    events.push(operation * 2);
    if (outcome === "unknown") continue;
    assert(calledAt <= returnedAt, `operation ${operation} came back before it was called`);
    assert(Number.isFinite(returnedAt), `operation ${operation} has an outcome and no return`);
    events.push(operation * 2 + 1);
  }
  const timeOf = (event: number): number => {
    const operation = history[event >> 1];
    return ((event & 1) === 1 ? operation?.returnedAt : operation?.calledAt) ?? 0;
  };
  return events.sort((a, b) => timeOf(a) - timeOf(b) || (a & 1) - (b & 1) || a - b);
}

function at(numbers: Int32Array, position: number): number {
  return numbers[position] ?? 0;
}
