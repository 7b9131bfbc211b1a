// What time brings about: due jobs are queued, attempts without a sign of life end.
//
// Guarantees: only a tick does this, so a lease that has run out by the clock still counts until
// one is committed; a new leader's first command gives each live attempt a whole lease and ends
// nothing, since workers could not renew while there was no leader. Jobs are taken in the order of
// their due times.
// Does not own: when a tick is proposed (the driver, by nextDueMs).

import { assert } from "./assert.ts";
import { extendLease } from "./attempt.ts";
import { ATTEMPT_TIMED_OUT, endAttempt, LEASE_EXPIRED } from "./attempt-end.ts";
import { enter } from "./change.ts";
import { timeoutMsOf } from "./due.ts";
import { liveAttempt } from "./fencing.ts";
import { JobState } from "./job.ts";
import { expireClaim, letGo } from "./park.ts";
import type { JobRecord } from "./record.ts";
import type { Turn } from "./state.ts";

export function tick(turn: Turn): void {
  const { ledger } = turn;
  // All are taken before the first is changed: a job falls due once a tick, whatever follows.
  const jobsDue: JobRecord[] = [];
  for (;;) {
    const first = ledger.due.first();
    if (first === null || first.rank > ledger.clockMs) break;
    ledger.due.remove(first.job);
    jobsDue.push(first.job);
  }
  for (const job of jobsDue) fallDue(turn, job);
}

function fallDue(turn: Turn, job: JobRecord): void {
  switch (job.state) {
    case JobState.Scheduled:
      enter(turn, job, JobState.Queued);
      break;
    case JobState.Running: {
      const attempt = liveAttempt(job);
      const isLost = attempt.leaseExpiryMs <= timeoutMsOf(turn.ledger, job, attempt);
      const lost = { outcome: "lost", error: LEASE_EXPIRED } as const;
      const timedOut = { outcome: "timed-out", error: ATTEMPT_TIMED_OUT } as const;
      endAttempt(turn, job, isLost ? lost : timedOut);
      break;
    }
    case JobState.Queued:
      expireClaim(turn, job);
      break;
    case JobState.Cancelled:
      letGo(turn, job);
      break;
    default:
      assert(false, `${job.id} is ${job.state} and waits for nothing`);
  }
}

export function openTerm({ ledger }: Turn): void {
  ledger.termOpenedMs = ledger.clockMs;
  for (const job of ledger.running) extendLease(ledger, job);
}
