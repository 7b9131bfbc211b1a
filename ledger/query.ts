// What can be asked of a ledger. Asking changes nothing.
//
// Guarantees: nextDueMs costs a look at each queue that holds jobs back, however many jobs there
// are; queuedJobs passes over those and no others; a list, newest first, looks at the jobs that
// match only (job-index.ts), one of a job's children at the jobs of their entry.
// The jobs given are the ledger's own: read them at once, the next command may change them.

import { assert } from "./assert.ts";
import { type Counts, countsOf } from "./counts.ts";
import type { Job, JobState } from "./job.ts";
import { type JobPlace, placeOf } from "./job-id.ts";
import type { JobRecord } from "./record.ts";
import type { Schedule } from "./schedule.ts";
import { type ScheduleCounts, scheduleCounts } from "./schedule-standing.ts";
import type { Ledger } from "./state.ts";
import { limitsDueMs } from "./wake.ts";

export interface JobFilter {
  /** undefined or null matches all. */
  readonly state?: JobState | null | undefined;
  /** "" or undefined matches all; so with queue. */
  readonly kind?: string | undefined;
  readonly queue?: string | undefined;
  /** Only those that this schedule made. */
  readonly scheduleId?: string | undefined;
  /** Only this job's children. */
  readonly parentJobId?: string | undefined;
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
  return ledger.jobs.get(id);
}

export function listJobs(ledger: Ledger, filter: JobFilter): JobPage {
  const { beforeJobId = "", limit } = filter;
  const before = placeOf(beforeJobId);
  // Nothing is older than what is no job's id.
  if (beforeJobId !== "" && before === null) return { jobs: [], hasMore: false };
  const jobs: Readonly<Job>[] = [];
  // By its place, not by the job, which may have been forgotten since the last page.
  for (const job of matches(ledger, filter, before)) {
    if (jobs.length >= limit) return { jobs, hasMore: true };
    jobs.push(job);
  }
  return { jobs, hasMore: false };
}

function* matches(
  ledger: Ledger,
  { state = null, kind = "", queue = "", scheduleId = "", parentJobId = "" }: JobFilter,
  before: JobPlace | null,
): Generator<JobRecord, void, undefined> {
  const { jobs, index, counters } = ledger;
  if (parentJobId !== "") {
    for (const job of childrenBackwards(ledger, parentJobId, before)) {
      const isOfSort =
        (state === null || job.state === state) && (kind === "" || job.kind === kind);
      const isOfPlace =
        (queue === "" || job.queue === queue) &&
        (scheduleId === "" || job.scheduleId === scheduleId);
      if (isOfSort && isOfPlace) yield job;
    }
    return;
  }
  if (state === null && kind === "" && queue === "" && scheduleId === "") {
    yield* jobs.backwards(before);
    return;
  }
  const number = before === null ? counters.accepted : jobs.numberAt(before);
  const sought = { state, kind, queue, scheduleId };
  for (const one of index.newest(sought, Math.min(number, counters.accepted))) {
    const job = jobs.numbered(one);
    assert(job !== undefined, "what is indexed is there");
    yield job;
  }
}

/** A family is of one entry, so it looks at that one's jobs alone; the parent may be forgotten. */
function* childrenBackwards(
  { jobs }: Ledger,
  parentJobId: string,
  before: JobPlace | null,
): Generator<JobRecord, void, undefined> {
  const parent = placeOf(parentJobId);
  // One that came alone has no children.
  if (parent === null || parent.position === 0) return;
  const { logIndex, position } = parent;
  const behind = { logIndex: logIndex + 1, position: 0 };
  const isWithin = before !== null && before.logIndex <= logIndex;
  for (const job of jobs.backwards(isWithin ? before : behind)) {
    if (job.logIndex < logIndex) return;
    if (job.parentPosition === position) yield job;
  }
}

/**
 * The earliest run time, lease expiry, attempt timeout, end of a claim or of a lock, or room under
 * a limit; null if there is none.
 */
export function nextDueMs(ledger: Ledger): number | null {
  const { due, locksDue } = ledger;
  const times = [due.first()?.rank, locksDue.first()?.rank, limitsDueMs(ledger) ?? undefined];
  const known = times.filter((time) => time !== undefined);
  return known.length === 0 ? null : Math.min(...known);
}

/** What has to be in BullMQ: QUEUED, not parked and not held back, in the order they became so. */
export function queuedJobs(ledger: Ledger): Iterable<Readonly<Job>> {
  return ledger.queued;
}

/**
 * Whether no worker has to be given the job under this dispatch, now or ever again: it was taken
 * back, or has run. False while it is to start or runs, and of what is later than this ledger. A
 * worker that was given it before may still start it, when the job waits for a key that is free.
 */
export function isDispatchOver(ledger: Ledger, jobId: string, dispatch: number): boolean {
  const job = ledger.jobs.get(jobId);
  if (job === undefined) {
    const place = placeOf(jobId);
    return place !== null && place.logIndex <= ledger.appliedIndex;
  }
  if (job.dispatch !== dispatch) return dispatch < job.dispatch;
  return job.state !== "running" && !ledger.queued.has(job);
}

/** Whether a kind was ever registered for this queue, or limits were set for it. */
export function isKnownQueue(ledger: Ledger, queue: string): boolean {
  return ledger.queues.has(queue);
}

export interface SchedulePage {
  readonly schedules: readonly Readonly<Schedule>[];
  readonly hasMore: boolean;
}

export function getSchedule(ledger: Ledger, id: string): Readonly<Schedule> | undefined {
  return ledger.schedules.get(id);
}

/** In the order of creation, those after the one with this number (0: from the first on). */
export function listSchedules(ledger: Ledger, afterNumber: number, limit: number): SchedulePage {
  const schedules: Readonly<Schedule>[] = [];
  for (const schedule of ledger.schedules.values()) {
    if (schedule.number <= afterNumber) continue;
    if (schedules.length >= limit) return { schedules, hasMore: true };
    schedules.push(schedule);
  }
  return { schedules, hasMore: false };
}

/** The earliest next slot; 0: one is not computed yet; null: no schedule waits for any. */
export function nextSlotDueMs({ schedulesDue }: Ledger): number | null {
  return schedulesDue.first()?.rank ?? null;
}

/** Whose next slot has come, or is not computed yet; at most so many of them. */
export function dueSchedules(ledger: Ledger, nowMs: number, limit: number): readonly Schedule[] {
  return ledger.schedulesDue.upTo(nowMs, limit);
}

export function counts(ledger: Ledger): Counts & ScheduleCounts {
  return { ...countsOf(ledger.counters), ...scheduleCounts(ledger) };
}

export function clockMs(ledger: Ledger): number {
  return ledger.clockMs;
}
