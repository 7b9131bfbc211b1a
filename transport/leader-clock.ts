// The time that a leader gives to its commands: its wall clock, made fit for a ledger.
//
// Guarantees: what is read never goes back behind the ledger's own clock, and never stands still:
// while the wall clock is behind it (set back, or another leader's was ahead) the time goes on at
// half its pace, so that leases still end, retries still fall due, and the two meet again. A wall
// clock that leaps forward is told of once: leases must not end by it.
// Does not own: the ledger's clock, which is the greatest time that a command has brought.

import { performance } from "node:perf_hooks";

/** Of the time that passes, while waiting for the wall clock. */
const PACE = 1 / 2;
/** Beyond, the wall clock was set, or the machine was asleep. Slewing stays far below. */
const LEAP_MS = 50;

export interface ClockSources {
  readonly wallMs: () => number;
  readonly monotonicMs: () => number;
}

const MACHINE: ClockSources = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};

export class LeaderClock {
  readonly #ledgerMs: () => number;
  readonly #sources: ClockSources;
  #lastMs = 0;
  #lastWallMs: number;
  #lastMonotonicMs: number;
  #hasLeapt = false;

  constructor(ledgerMs: () => number, sources: ClockSources = MACHINE) {
    this.#ledgerMs = ledgerMs;
    this.#sources = sources;
    this.#lastWallMs = sources.wallMs();
    this.#lastMonotonicMs = sources.monotonicMs();
  }

  /** Unix milliseconds, whole. */
  nowMs(): number {
    const wallMs = this.#sources.wallMs();
    const monotonicMs = this.#sources.monotonicMs();
    const elapsedMs = monotonicMs - this.#lastMonotonicMs;
    if (wallMs - this.#lastWallMs > elapsedMs + LEAP_MS) this.#hasLeapt = true;
    const leastMs = Math.max(this.#ledgerMs(), this.#lastMs + elapsedMs * PACE);
    this.#lastMs = Math.max(wallMs, leastMs);
    this.#lastWallMs = wallMs;
    this.#lastMonotonicMs = monotonicMs;
    return Math.floor(this.#lastMs);
  }

  /** Whether the wall clock has leapt forward since this was asked last. */
  takeLeap(): boolean {
    const hasLeapt = this.#hasLeapt;
    this.#hasLeapt = false;
    return hasLeapt;
  }
}
