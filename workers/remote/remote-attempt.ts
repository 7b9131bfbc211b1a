// One attempt that runs behind a stream: waits for its outcome, or for the worker's silence.
//
// Guarantees: it settles once, with the first outcome that the worker hands in, or as silent. The
// sign of life that counts is one that names this attempt.

import type { AttemptEnd } from "../outcome.ts";
import { type RelayedAttempt, SILENT } from "../relay.ts";

export class RemoteAttempt {
  readonly given: RelayedAttempt;
  readonly settled: Promise<AttemptEnd | typeof SILENT>;
  readonly #resolve: (end: AttemptEnd | typeof SILENT) => void;
  #seenMs: number;
  #outcome: AttemptEnd | null = null;

  constructor(given: RelayedAttempt, nowMs: number) {
    this.given = given;
    const { promise, resolve } = Promise.withResolvers<AttemptEnd | typeof SILENT>();
    this.settled = promise;
    this.#resolve = resolve;
    this.#seenMs = nowMs;
  }

  /** What the worker has handed in; null as long as it has not. */
  get outcome(): AttemptEnd | null {
    return this.#outcome;
  }

  seen(nowMs: number): void {
    this.#seenMs = nowMs;
  }

  /** Time in which the gateway itself did not run is no silence of the worker. */
  forgive(ms: number): void {
    this.#seenMs += ms;
  }

  /** Without an outcome it is awaited no longer than this. */
  isSilent(nowMs: number, leaseMs: number): boolean {
    return this.#outcome === null && nowMs - this.#seenMs > leaseMs;
  }

  /** False when it has one already. */
  finish(outcome: AttemptEnd): boolean {
    if (this.#outcome !== null) return false;
    this.#outcome = outcome;
    this.#resolve(outcome);
    return true;
  }

  leave(): void {
    this.#resolve(SILENT);
  }
}
