// What one worker thread is asked to do, and what it answers: some seeds, one after the other.
//
// Guarantees: the answer is the sum of the runs, and each failure by itself. With `isTwice` a seed
// whose second trace differs is a failure of its own kind.
// Does not own: threads (pool.ts, worker.ts).

import { type Outcome, runSeed } from "../run.ts";
import { drawOptions, type Overrides } from "../swarm.ts";
import { type Counts, Tally } from "../tally.ts";

export interface Job {
  readonly from: number;
  readonly to: number;
  readonly overrides: Overrides;
  readonly isTwice: boolean;
}

export interface Failure {
  readonly seed: number;
  readonly invariant: string;
  readonly text: string;
}

export interface Done {
  readonly seedCount: number;
  readonly virtualMs: number;
  readonly eventCount: number;
  readonly counts: Counts;
  readonly failures: readonly Failure[];
}

export function runOne(seed: number, overrides: Overrides): Outcome {
  return runSeed(drawOptions(seed, overrides));
}

export function runJob({ from, to, overrides, isTwice }: Job): Done {
  const tally = new Tally();
  const failures: Failure[] = [];
  let virtualMs = 0;
  let eventCount = 0;
  for (let seed = from; seed <= to; seed += 1) {
    const outcome = runOne(seed, overrides);
    tally.addAll(outcome.counts);
    virtualMs += outcome.virtualMs;
    eventCount += outcome.eventCount;
    if (outcome.violation !== null) failures.push({ seed, ...outcome.violation });
    if (isTwice) {
      const { digest } = runOne(seed, overrides);
      const text = `digest ${outcome.digest}, then ${digest}`;
      if (digest !== outcome.digest) failures.push({ seed, invariant: "determinism", text });
    }
  }
  const seedCount = to - from + 1;
  return { seedCount, virtualMs, eventCount, counts: tally.counts, failures };
}
