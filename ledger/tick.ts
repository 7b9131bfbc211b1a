// What time brings about: due jobs are queued, attempts without a sign of life end, deadlines pass.
//
// Guarantees: only a tick does this, so a lease that has run out by the clock still counts until
// one is committed; a new leader's first command gives each live attempt a whole lease and ends
// nothing, since workers could not renew while there was no leader. Jobs are taken in the order of
// their due times, so many a tick: the others are due at the next one, which comes at once. Lines
// of limits that time, or a wake cut short, lets go on are looked at last.
// Does not own: when a tick is proposed (the driver, by nextDueMs).

import { extendLease } from "./attempt.ts";
import { endAttempt } from "./attempt-end.ts";
import { enter } from "./change.ts";
import { isPastDeadline, passDeadline } from "./deadline.ts";
import { indexDue, timeoutMsOf } from "./due.ts";
import { liveAttempt } from "./fencing.ts";
import { JobState } from "./job.ts";
import { expireLocks, extendAllLocks } from "./lock-life.ts";
import { ATTEMPT_TIMED_OUT, LEASE_EXPIRED } from "./own-error.ts";
import { expireClaim, letGo, wakeLine } from "./park.ts";
import type { JobRecord } from "./record.ts";
import type { Turn } from "./state.ts";
import { wakeDue } from "./wake.ts";

/** Of one tick: some milliseconds of work, also when a million jobs are due at midnight. */
export const TICK_JOBS_MAX = 1_000;

export function tick(turn: Turn): void {
  const { ledger } = turn;
  // First, so that no key is put by for a request whose caller is gone.
  wakeLine(turn, expireLocks(turn));
  // All are taken before the first is changed: a job falls due once a tick, whatever follows.
  const jobsDue: JobRecord[] = [];
  while (jobsDue.length < TICK_JOBS_MAX) {
    const first = ledger.due.first();
    if (first === null || first.rank > ledger.clockMs) break;
    ledger.due.remove(first.item);
    jobsDue.push(first.item);
  }
  for (const job of jobsDue) fallDue(turn, job);
  wakeDue(turn);
}

function fallDue(turn: Turn, job: JobRecord): void {
  const { ledger } = turn;
  const { clockMs } = ledger;
  if (job.keysUntilMs > 0 && job.keysUntilMs <= clockMs) letGo(turn, job);
  if (isPastDeadline(ledger, job)) {
    passDeadline(turn, job);
  } else if (job.state === JobState.Scheduled) {
    const isDue = job.runAtMs <= clockMs && job.pendingChildCount === 0;
    if (isDue) enter(turn, job, JobState.Queued);
  } else if (job.state === JobState.Queued) {
    if (job.claimExpiryMs > 0 && job.claimExpiryMs <= clockMs) expireClaim(turn, job);
  } else if (job.state === JobState.Running) {
    endOverdue(turn, job);
  }
  // Whatever it waits for next, also if somebody before it has changed that in this very tick.
  indexDue(ledger, job);
}

function endOverdue(turn: Turn, job: JobRecord): void {
  const attempt = liveAttempt(job);
  const timeoutMs = timeoutMsOf(turn.ledger, job, attempt);
  if (Math.min(attempt.leaseExpiryMs, timeoutMs) > turn.ledger.clockMs) return;
  const lost = { outcome: "lost", error: LEASE_EXPIRED } as const;
  const timedOut = { outcome: "timed-out", error: ATTEMPT_TIMED_OUT } as const;
  endAttempt(turn, job, attempt.leaseExpiryMs <= timeoutMs ? lost : timedOut);
}

export function openTerm({ ledger }: Turn): void {
  ledger.termOpenedMs = ledger.clockMs;
  for (const job of ledger.running) extendLease(ledger, job);
  extendAllLocks(ledger);
}
