// Where every job stands, written down from what committed commands told of it, and nothing else.
//
// Guarantees: states, places in lines and times follow from the changes and the commands' times:
// the ledger's counts, lines and clock are not looked at, so they can be compared with these.
// Costs what a command changed.
// Does not own: what must hold of it (queue-check.ts, drain-check.ts, retention-check.ts).

import type { Command } from "../../../ledger/command.ts";
import { type ConcurrencyKey, isTerminal, JobState } from "../../../ledger/job.ts";
import type { JobRecord } from "../../../ledger/record.ts";
import type { Applied } from "../../../ledger/result.ts";

export interface BookedJob {
  /** The ledger's own: for what never changes, and to say how it was when it went. */
  readonly record: JobRecord;
  readonly id: string;
  readonly queue: string;
  readonly keys: readonly ConcurrencyKey[];
  readonly parentId: string;
  state: JobState;
  /** Order in which it came to wait. */
  arrival: number;
  /** QUEUED, and not before the workers. */
  isHeld: boolean;
  endMs: number;
  /** Which of all changes was its last. */
  changed: number;
}

export interface BookedQueue {
  readonly byState: Record<JobState, number>;
  /** In the order in which they began to wait. */
  readonly queued: Set<BookedJob>;
  readonly scheduled: Set<BookedJob>;
  /** Of the queued. */
  readonly held: Set<BookedJob>;
}

export interface BookedKey {
  readonly running: Set<BookedJob>;
  readonly queued: Set<BookedJob>;
}

export class JobBook {
  clockMs = 0;
  /** Of the last command that acts on time. */
  tickMs = 0;
  /** Changes so far. */
  #changes = 0;
  /** Those that came to wait so far. */
  arrivals = 0;
  /** With those that are forgotten. */
  readonly jobs = new Map<string, BookedJob>();
  /** Terminal, and not forgotten. */
  readonly ended = new Set<BookedJob>();
  readonly queues = new Map<string, BookedQueue>();
  readonly keys = new Map<string, BookedKey>();

  /** `accepting` sees a new job before it is counted. */
  follow(
    { timeMs, body }: Command,
    { changes }: Applied,
    accepting: (job: BookedJob) => void,
  ): void {
    this.clockMs = Math.max(this.clockMs, timeMs);
    if (body.kind === "tick") this.tickMs = this.clockMs;
    for (const { job: record, event } of changes) {
      if (event === "progress") continue;
      const known = this.jobs.get(record.id);
      if (event === "parked" || event === "unparked") {
        if (known !== undefined) this.#hold(known, event === "parked");
      } else if (known === undefined) {
        const job = newJob(record as JobRecord, event);
        accepting(job);
        this.jobs.set(job.id, job);
        this.#arrive(job);
      } else {
        this.#leave(known);
        known.state = event;
        this.#arrive(known);
      }
    }
  }

  forget(job: BookedJob): void {
    this.#leave(job);
  }

  queueOf(name: string): BookedQueue {
    const known = this.queues.get(name);
    if (known !== undefined) return known;
    const queue: BookedQueue = {
      byState: noStates(),
      queued: new Set(),
      scheduled: new Set(),
      held: new Set(),
    };
    this.queues.set(name, queue);
    return queue;
  }

  /** Of all queues, or of one. */
  countsOf(name: string | null): Record<JobState, number> {
    if (name !== null) return this.queueOf(name).byState;
    const total = noStates();
    for (const { byState } of this.queues.values()) {
      for (const state of Object.values(JobState)) total[state] += byState[state];
    }
    return total;
  }

  #hold(job: BookedJob, isHeld: boolean): void {
    job.isHeld = isHeld;
    this.#changes += 1;
    job.changed = this.#changes;
    const { held } = this.queueOf(job.queue);
    if (isHeld) held.add(job);
    else held.delete(job);
  }

  #arrive(job: BookedJob): void {
    const { state } = job;
    this.#changes += 1;
    job.changed = this.#changes;
    const queue = this.queueOf(job.queue);
    queue.byState[state] += 1;
    if (state === JobState.Queued || state === JobState.Scheduled) {
      this.arrivals += 1;
      job.arrival = this.arrivals;
      queue[state].add(job);
    }
    if (isTerminal(state)) {
      job.endMs = this.clockMs;
      this.ended.add(job);
    }
    if (state !== JobState.Queued && state !== JobState.Running) return;
    for (const { key } of job.keys) {
      const booked = this.keys.get(key) ?? { running: new Set(), queued: new Set() };
      this.keys.set(key, booked);
      booked[state].add(job);
    }
  }

  #leave(job: BookedJob): void {
    const queue = this.queueOf(job.queue);
    queue.byState[job.state] -= 1;
    queue.queued.delete(job);
    queue.scheduled.delete(job);
    this.ended.delete(job);
    this.#hold(job, false);
    for (const { key } of job.keys) {
      const booked = this.keys.get(key);
      booked?.running.delete(job);
      booked?.queued.delete(job);
      if (booked?.running.size === 0 && booked.queued.size === 0) this.keys.delete(key);
    }
  }
}

function newJob(record: JobRecord, state: JobState): BookedJob {
  const { id, queue, concurrencyKeys: keys, parentJobId: parentId } = record;
  const never = { arrival: 0, isHeld: false, endMs: 0, changed: 0 };
  return { record, id, queue, keys, parentId, state, ...never };
}

function noStates(): Record<JobState, number> {
  return { scheduled: 0, queued: 0, running: 0, succeeded: 0, failed: 0, cancelled: 0 };
}

/** Whether one goes before the other in a line. */
export function comesBefore(one: BookedJob, other: BookedJob): boolean {
  const [mine, theirs] = [one.record.priority, other.record.priority];
  return mine === theirs ? one.arrival < other.arrival : mine > theirs;
}
