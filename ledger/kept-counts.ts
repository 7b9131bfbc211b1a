// The counters of a restored ledger: counted again from its jobs, as far as these are still there.
//
// Guarantees: what is taken over unseen is no less than what is seen, and only where jobs were
// forgotten; all else has to be equal.

import { type Counters, type Counts, countsOf } from "./counts.ts";

/** What a job has added to these stays when it is forgotten. */
const LASTING = ["recorded", "retried", "refusedLate", "attemptsStarted", "attemptsLost"] as const;

/** False if they are not those of the jobs and of what the forgotten ones left in them. */
export function takeCounts(counters: Counters, counts: Counts, jobs: number): boolean {
  counters.forgotten = counts.forgotten;
  counters.accepted = jobs + counts.forgotten;
  for (const name of LASTING) {
    if (counts.forgotten === 0 || counts[name] < counters[name]) continue;
    counters[name] = counts[name];
  }
  const counted = countsOf(counters);
  return (Object.keys(counted) as (keyof Counts)[]).every((name) => counted[name] === counts[name]);
}
