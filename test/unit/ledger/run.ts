// Random work done by a ledger: its log, and the invariants checked after every command.

import type { Command } from "../../../ledger/command.ts";
import { apply, createLedger, type Ledger, nextDueMs } from "../../../ledger/ledger.ts";
import { Invariants } from "./invariants.ts";
import { bodyOf, type Intent, KINDS } from "./workload.ts";
import { bytes, START_MS } from "./world.ts";

export class Run {
  readonly ledger: Ledger = createLedger({ receiptsMax: 3 });
  readonly log: Command[] = [];
  readonly #invariants = new Invariants();
  nowMs = START_MS;

  constructor(intents: readonly Intent[]) {
    this.#commit({ timeMs: this.nowMs, random: 0, body: { kind: "register-kinds", kinds: KINDS } });
    for (const one of intents) {
      this.nowMs += one.stepMs;
      const body = bodyOf(this.ledger, one, this.nowMs);
      this.#commit({ timeMs: this.nowMs, random: one.random, body });
    }
  }

  /** Workers run whatever is in BullMQ, holders let go, and time passes, until nothing waits. */
  drain(): void {
    for (const queue of ["*", ...this.ledger.queues.keys()]) this.setPaused(queue, false);
    this.settle();
  }

  setPaused(queue: string, isPaused: boolean): void {
    const limits = { runningMax: null, rate: null, waitingMax: null };
    this.#commitNow({ kind: "set-queue", queue, isPaused, ...limits });
  }

  /** As drain, but what is paused stays so: nobody is woken by the end of a pause. */
  settle(): void {
    for (let round = 0; round < 1_000; round++) {
      const job = [...this.ledger.queued][0];
      const live = [...this.ledger.running][0];
      const lock = [...this.ledger.locks.values()].find(({ state }) => state === "held");
      if (job !== undefined) {
        const start = { jobId: job.id, worker: "w", startId: `d${round}`, leaseMs: 5_000 };
        this.#commitNow({ kind: "start-attempt", ...start });
      } else if (live !== undefined) {
        const token = live.currentToken;
        const finish = { jobId: live.id, token, worker: "w", result: bytes(1), error: null };
        this.#commitNow({ kind: "finish-attempt", outcome: "succeeded", ...finish });
      } else if (lock !== undefined) {
        const locks = [{ lockId: lock.id, token: lock.token }];
        this.#commitNow({ kind: "release-locks", locks });
      } else {
        const dueMs = nextDueMs(this.ledger);
        if (dueMs === null) return;
        this.nowMs = Math.max(this.nowMs, dueMs);
        this.#commitNow({ kind: "tick" });
      }
    }
  }

  #commitNow(body: Command["body"]): void {
    this.#commit({ timeMs: this.nowMs, random: 7, body });
  }

  #commit(command: Command): void {
    this.log.push(command);
    const applied = apply(this.ledger, this.log.length, command);
    this.#invariants.check(this.ledger, this.log.length, command, applied);
  }
}
