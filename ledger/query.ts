// What can be asked of a ledger. Asking changes nothing.
//
// Guarantees: nextDueMs costs one look whatever the number of jobs; queuedJobs passes over those
// and no others; a list costs the jobs that it passes, newest first.
// The jobs given are the ledger's own: read them at once, the next command may change them.

import { type Counts, countsOf } from "./counts.ts";
import type { Job, JobState } from "./job.ts";
import type { Ledger } from "./state.ts";

export interface JobFilter {
  /** undefined or null matches all. */
  readonly state?: JobState | null | undefined;
  /** "" or undefined matches all; so with queue. */
  readonly kind?: string | undefined;
  readonly queue?: string | undefined;
  /** Only jobs older than this one; "" or undefined begins with the newest. */
  readonly beforeJobId?: string | undefined;
  readonly limit: number;
}

export interface JobPage {
  readonly jobs: readonly Readonly<Job>[];
  /** Whether an older job would match, too. */
  readonly hasMore: boolean;
}

export function getJob(ledger: Ledger, id: string): Readonly<Job> | undefined {
  return ledger.jobsById.get(id);
}

export function listJobs(ledger: Ledger, filter: JobFilter): JobPage {
  const { beforeJobId = "", limit } = filter;
  const before = beforeJobId === "" ? ledger.jobs.length : ledger.jobsById.get(beforeJobId)?.number;
  // Nothing is older than a job that never was.
  if (before === undefined) return { jobs: [], hasMore: false };
  const jobs: Readonly<Job>[] = [];
  for (let number = before - 1; number >= 0; number--) {
    const job = ledger.jobs[number];
    if (job === undefined || !isMatch(job, filter)) continue;
    if (jobs.length >= limit) return { jobs, hasMore: true };
    jobs.push(job);
  }
  return { jobs, hasMore: false };
}

function isMatch(job: Readonly<Job>, { state, kind = "", queue = "" }: JobFilter): boolean {
  return (
    (state === undefined || state === null || job.state === state) &&
    (kind === "" || job.kind === kind) &&
    (queue === "" || job.queue === queue)
  );
}

/**
 * The earliest run time, lease expiry, attempt timeout or end of a claim; null if there is none.
 */
export function nextDueMs(ledger: Ledger): number | null {
  return ledger.due.first()?.rank ?? null;
}

/** What has to be in BullMQ: QUEUED and not parked, in the order they became so. */
export function queuedJobs(ledger: Ledger): Iterable<Readonly<Job>> {
  return ledger.queued;
}

export function counts(ledger: Ledger): Counts {
  return countsOf(ledger.counters);
}

export function clockMs(ledger: Ledger): number {
  return ledger.clockMs;
}
