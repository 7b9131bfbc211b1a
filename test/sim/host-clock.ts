// One machine's two clocks: a monotonic one that drifts, and a wall clock that is set now and then.
//
// Guarantees: the monotonic clock of a life never goes back and never jumps, whatever the wall
// clock does; each life's begins at a number of its own, as performance.now() does.
// Does not own: the ledger's time (transport/leader-clock.ts).

import type { Scheduler } from "./scheduler.ts";

const WALL_START_MS = 1_700_000_000_000;

export class HostClock {
  /** Milliseconds of this clock in one of the world's. */
  readonly rate: number;
  readonly #scheduler: Scheduler;
  #wallOffsetMs: number;
  #bootMs = 0;
  #bootReadsMs = 0;

  constructor(scheduler: Scheduler, rate: number, skewMs: number) {
    this.#scheduler = scheduler;
    this.rate = rate;
    this.#wallOffsetMs = skewMs;
  }

  boot(readsMs: number): void {
    this.#bootMs = this.#scheduler.nowMs;
    this.#bootReadsMs = readsMs;
  }

  monotonicMs(): number {
    return this.#bootReadsMs + (this.#scheduler.nowMs - this.#bootMs) * this.rate;
  }

  wallMs(): number {
    return WALL_START_MS + this.#scheduler.nowMs * this.rate + this.#wallOffsetMs;
  }

  setWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }
}
