// What a test worker can do of what it wants to: all of it, nothing for the time being while it is
// frozen, or nothing any more once it is lost.
//
// Guarantees: what a frozen worker called, and what its clock and the quorum told it, happens when
// it is thawed, in that order, timers once; a lost one's never does.

import type { Quorum } from "../../transport/quorum.ts";
import type { Clock } from "../clock.ts";

export class Reach {
  #state: "here" | "frozen" | "lost" = "here";
  readonly #held = new Set<() => void>();

  get isHere(): boolean {
    return this.#state === "here";
  }

  freeze(): void {
    if (this.#state === "here") this.#state = "frozen";
  }

  thaw(): void {
    if (this.#state !== "frozen") return;
    this.#state = "here";
    const held = [...this.#held];
    this.#held.clear();
    for (const run of held) run();
  }

  lose(): void {
    this.#state = "lost";
    this.#held.clear();
  }

  clockOf(clock: Clock): Clock {
    const guarded = (run: () => void) => () => this.#do(run);
    return {
      nowMs: () => clock.nowMs(),
      after: (ms, run) => clock.after(ms, guarded(run)),
      every: (ms, run) => clock.every(ms, guarded(run)),
    };
  }

  quorumOf(quorum: Quorum): Quorum {
    return {
      propose: (body, options) => this.#call(() => quorum.propose(body, options)),
      read: (read, options) => this.#call(() => quorum.read(read, options)),
      administer: (action, options) => this.#call(() => quorum.administer(action, options)),
      leader: () => quorum.leader(),
      onLeader: (listener) => quorum.onLeader((view) => this.#do(() => listener(view))),
      onEvent: (listener) => quorum.onEvent((event) => this.#do(() => listener(event))),
      onLockEvent: (listener) => quorum.onLockEvent((event) => this.#do(() => listener(event))),
      onEventGap: (listener) => quorum.onEventGap(() => this.#do(listener)),
      close: () => Promise.resolve(),
    };
  }

  #do(run: () => void): void {
    if (this.#state === "here") run();
    else if (this.#state === "frozen") this.#held.add(run);
  }

  #call<T>(call: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => this.#do(() => call().then(resolve, reject)));
  }
}
