// Properties of the whole ledger under random work: invariants, replay, and that all work ends.

import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { isTerminal } from "../../../ledger/job.ts";
import { apply, createLedger, hash, type Ledger, nextDueMs } from "../../../ledger/ledger.ts";
import type { JobRecord } from "../../../ledger/record.ts";
import { assertRuns } from "../../support/bounded-shrink.ts";
import { Run } from "./run.ts";
import { intent } from "./workload.ts";

const RUNS = 150;

const intents = fc.array(intent, { minLength: 30, maxLength: 120, size: "max" });

describe("under random work", () => {
  test("the invariants hold after every command", () => {
    const reached = { parked: 0, fenced: 0, lost: 0, retried: 0, granted: 0, expired: 0 };
    assertRuns(
      fc.property(intents, (work) => {
        const { ledger } = new Run(work);
        reached.parked += ledger.lastPlace;
        reached.fenced += ledger.counters.refusedLate;
        reached.lost += ledger.counters.attemptsLost;
        reached.granted += ledger.counters.locksGranted;
        reached.expired += ledger.counters.locksExpired;
        reached.retried += [...ledger.jobs].filter((job) => job.attempts.length > 1).length;
      }),
      { numRuns: RUNS },
    );
    // The work reaches what it is meant to test.
    for (const count of Object.values(reached)) expect(count).toBeGreaterThan(RUNS / 6);
  });

  test("no job is stranded: with workers and time, every accepted job ends", () => {
    assertRuns(
      fc.property(intents, (work) => {
        const run = new Run(work);
        run.drain();
        const open = [...run.ledger.jobs].filter((job) => !isTerminal(job.state));
        expect(open.map((job) => `${job.id} ${job.state} ${job.parkedFor}`)).toEqual([]);
        const locks = [...run.ledger.locks.values()].filter(({ state }) => state !== "over");
        expect(locks.map((lock) => `${lock.id} ${lock.state} ${lock.parkedFor}`)).toEqual([]);
      }),
      { numRuns: RUNS },
    );
  });

  test("nor by the pause of another queue, which wakes nobody by its end", () => {
    let paused = 0;
    assertRuns(
      fc.property(intents, fc.constantFrom("default", "q0", "none"), (work, queue) => {
        const run = new Run(work);
        run.setPaused(queue, true);
        run.settle();
        const open = [...run.ledger.jobs].filter((job) => !isTerminal(job.state));
        const held = heldByPause(run.ledger, open);
        expect(open.filter((job) => !held.has(job)).map(({ id }) => id)).toEqual([]);
        const locks = [...run.ledger.locks.values()].filter(({ state }) => state !== "over");
        expect(locks.map(({ id }) => id)).toEqual([]);
        // Nothing is due for ever.
        expect(nextDueMs(run.ledger)).toBeNull();
        paused += held.size;
      }),
      { numRuns: RUNS / 2 },
    );
    expect(paused).toBeGreaterThan(RUNS / 6);
  });

  test("a replay of the log gives the same hash after every command", () => {
    assertRuns(
      fc.property(intents, (work) => {
        const { log } = new Run(work);
        const [one, other] = [createLedger({ receiptsMax: 3 }), createLedger({ receiptsMax: 3 })];
        log.forEach((command, position) => {
          const answers = [one, other].map((ledger) => apply(ledger, position + 1, command));
          expect(answers[0]).toEqual(answers[1]);
          expect(hash(one)).toBe(hash(other));
        });
      }),
      { numRuns: 20 },
    );
  });
});

/** Queued in a queue that is paused, or a parent of such a job, or its parent. */
function heldByPause({ queues, allQueues }: Ledger, open: readonly JobRecord[]): Set<JobRecord> {
  const isPaused = (queue: string) => allQueues.isPaused || queues.get(queue)?.isPaused === true;
  const held = new Set(open.filter(({ state, queue }) => state === "queued" && isPaused(queue)));
  // Grows while it is walked.
  for (const job of held) {
    const parent = open.find(({ id, state }) => id === job.parentJobId && state === "scheduled");
    if (parent !== undefined) held.add(parent);
  }
  return held;
}
