// Properties of the whole ledger under random work: invariants, replay, and that all work ends.

import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Command } from "../../../ledger/command.ts";
import { isTerminal } from "../../../ledger/job.ts";
import { apply, createLedger, hash, type Ledger, nextDueMs } from "../../../ledger/ledger.ts";
import { Invariants } from "./invariants.ts";
import { bodyOf, type Intent, intent, KINDS } from "./workload.ts";
import { bytes, START_MS } from "./world.ts";

// The time limit bounds the shrinking of a failure; a passing run takes a few seconds.
const RUNS = 150;

class Run {
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

  /** Workers run whatever is in BullMQ, and time passes, until nothing waits. */
  drain(): void {
    for (let round = 0; round < 1_000; round++) {
      const job = [...this.ledger.queued][0];
      const live = [...this.ledger.running][0];
      if (job !== undefined) {
        const start = { jobId: job.id, worker: "w", startId: `d${round}`, leaseMs: 5_000 };
        this.#commitNow({ kind: "start-attempt", ...start });
      } else if (live !== undefined) {
        const token = live.currentToken;
        const finish = { jobId: live.id, token, worker: "w", result: bytes(1), error: null };
        this.#commitNow({ kind: "finish-attempt", outcome: "succeeded", ...finish });
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

const intents = fc.array(intent, { minLength: 30, maxLength: 120, size: "max" });

describe("under random work", () => {
  test("the invariants hold after every command", () => {
    const reached = { parked: 0, fenced: 0, lost: 0, retried: 0 };
    fc.assert(
      fc.property(intents, (work) => {
        const { ledger } = new Run(work);
        reached.parked += ledger.lastPlace;
        reached.fenced += ledger.counters.refusedLate;
        reached.lost += ledger.counters.attemptsLost;
        reached.retried += ledger.jobs.filter((job) => job.attempts.length > 1).length;
      }),
      { numRuns: RUNS, interruptAfterTimeLimit: 20_000 },
    );
    // The work reaches what it is meant to test.
    for (const count of Object.values(reached)) expect(count).toBeGreaterThan(RUNS / 3);
  });

  test("no job is stranded: with workers and time, every accepted job ends", () => {
    fc.assert(
      fc.property(intents, (work) => {
        const run = new Run(work);
        run.drain();
        const open = run.ledger.jobs.filter((job) => !isTerminal(job.state));
        expect(open.map((job) => `${job.id} ${job.state} ${job.parkedFor}`)).toEqual([]);
      }),
      { numRuns: RUNS, interruptAfterTimeLimit: 20_000 },
    );
  });

  test("a replay of the log gives the same hash after every command", () => {
    fc.assert(
      fc.property(intents, (work) => {
        const { log } = new Run(work);
        const [one, other] = [createLedger({ receiptsMax: 3 }), createLedger({ receiptsMax: 3 })];
        log.forEach((command, position) => {
          const answers = [one, other].map((ledger) => apply(ledger, position + 1, command));
          expect(answers[0]).toEqual(answers[1]);
          expect(hash(one)).toBe(hash(other));
        });
      }),
      { numRuns: 20, interruptAfterTimeLimit: 20_000 },
    );
  });
});
