// A clock that stands still until it is moved, with the timers that wait for it.
//
// Guarantees: timers run in the order of their times, then of their setting; the
// clock shows each timer's own time while it runs.

import assert from "node:assert";
import type { Clock } from "../clock.ts";

interface Timer {
  dueMs: number;
  /** null: once. */
  readonly everyMs: number | null;
  readonly run: () => void;
}

export class VirtualClock implements Clock {
  #nowMs: number;
  readonly #timers = new Set<Timer>();

  constructor(startMs: number) {
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  after(ms: number, run: () => void): () => void {
    return this.#set({ dueMs: this.#nowMs + ms, everyMs: null, run });
  }

  every(ms: number, run: () => void): () => void {
    return this.#set({ dueMs: this.#nowMs + ms, everyMs: ms, run });
  }

  /** When the next timer is due; null if there is none. */
  nextMs(): number | null {
    return this.#first()?.dueMs ?? null;
  }

  /** To this time, running what is due then. No timer may be due earlier. */
  moveTo(timeMs: number): void {
    assert((this.nextMs() ?? timeMs) >= timeMs, "time is moved from one timer to the next");
    this.#nowMs = Math.max(this.#nowMs, timeMs);
    for (;;) {
      const timer = this.#first();
      if (timer === null || timer.dueMs > this.#nowMs) return;
      if (timer.everyMs === null) this.#timers.delete(timer);
      else timer.dueMs += timer.everyMs;
      timer.run();
    }
  }

  #set(timer: Timer): () => void {
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** A look at all of them: a test has few. */
  #first(): Timer | null {
    let first: Timer | null = null;
    for (const timer of this.#timers) {
      if (first === null || timer.dueMs < first.dueMs) first = timer;
    }
    return first;
  }
}
