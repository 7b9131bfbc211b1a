// Properties of the whole ledger under random work: invariants, replay, and that all work ends.

import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { isTerminal } from "../../../ledger/job.ts";
import { apply, createLedger, hash } from "../../../ledger/ledger.ts";
import { Run } from "./run.ts";
import { intent } from "./workload.ts";

// The time limit bounds the shrinking of a failure; a passing run takes a few seconds.
const RUNS = 150;

const intents = fc.array(intent, { minLength: 30, maxLength: 120, size: "max" });

describe("under random work", () => {
  test("the invariants hold after every command", () => {
    const reached = { parked: 0, fenced: 0, lost: 0, retried: 0, granted: 0, expired: 0 };
    fc.assert(
      fc.property(intents, (work) => {
        const { ledger } = new Run(work);
        reached.parked += ledger.lastPlace;
        reached.fenced += ledger.counters.refusedLate;
        reached.lost += ledger.counters.attemptsLost;
        reached.granted += ledger.counters.locksGranted;
        reached.expired += ledger.counters.locksExpired;
        reached.retried += [...ledger.jobs].filter((job) => job.attempts.length > 1).length;
      }),
      { numRuns: RUNS, interruptAfterTimeLimit: 20_000 },
    );
    // The work reaches what it is meant to test.
    for (const count of Object.values(reached)) expect(count).toBeGreaterThan(RUNS / 6);
  });

  test("no job is stranded: with workers and time, every accepted job ends", () => {
    fc.assert(
      fc.property(intents, (work) => {
        const run = new Run(work);
        run.drain();
        const open = [...run.ledger.jobs].filter((job) => !isTerminal(job.state));
        expect(open.map((job) => `${job.id} ${job.state} ${job.parkedFor}`)).toEqual([]);
        const locks = [...run.ledger.locks.values()].filter(({ state }) => state !== "over");
        expect(locks.map((lock) => `${lock.id} ${lock.state} ${lock.parkedFor}`)).toEqual([]);
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
