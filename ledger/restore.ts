// A ledger brought back from the records of a snapshot.
//
// Guarantees: it cannot be told from the ledger that the records were made of, neither by its hash
// nor by anything that it answers later (I18, I19). Total: records that contradict themselves or
// each other, or are not all there, give a failure and no ledger; the first failure stays. Nothing
// is shared with the records but what never changes.
// Does not own: what one job may look like (kept-job-check.ts).

import { assert } from "./assert.ts";
import { type Counts, countsOf } from "./counts.ts";
import { indexDue } from "./due.ts";
import { type Backoff, JobState } from "./job.ts";
import { jobOf, type KeptJob } from "./kept-job.ts";
import { hasOptions, isWhole, type JobFault, jobFault } from "./kept-job-check.ts";
import { OrderedIndex } from "./ordered-index.ts";
import type { JobRecord } from "./record.ts";
import type { SnapshotHead, SnapshotKind, SnapshotRecord } from "./snapshot.ts";
import { createLedger, type Ledger } from "./state.ts";

export type RestoreFault =
  | JobFault
  /** Another record came first, a second head came, or its numbers make no sense. */
  | "head"
  | "kind"
  /** An id, an idempotency key, or an order of acceptance that is not possible. */
  | "job-place"
  /** A key with two holders, or put by for two jobs. */
  | "lock-owners"
  /** A job waits for a key that nobody will free. */
  | "stranded"
  /** A job twice in the queue, or one that is not QUEUED, or is parked. */
  | "queue"
  /** There are not as many kinds, jobs or places in the queue as there should be. */
  | "count";

export interface RestoreFailure {
  readonly failure: RestoreFault;
  /** The record at which it was seen, from 1; at the end, how many there were. */
  readonly record: number;
}

export class LedgerRestore {
  #head: SnapshotHead | null = null;
  #ledger: Ledger = createLedger();
  #failure: RestoreFailure | null = null;
  #records = 0;
  #isFinished = false;
  #running: JobRecord[] = [];
  #lastBackoff: Backoff | null = null;

  add(record: SnapshotRecord): "ok" | RestoreFailure {
    assert(!this.#isFinished, "a restored ledger takes no more records");
    if (this.#failure !== null) return this.#failure;
    this.#records += 1;
    const fault = this.#take(record);
    return fault === null ? "ok" : this.#fail(fault);
  }

  /** All records were added. Once. */
  finish(): { readonly ok: Ledger } | RestoreFailure {
    assert(!this.#isFinished, "a ledger is restored once");
    this.#isFinished = true;
    if (this.#failure !== null) return this.#failure;
    const fault = this.#complete();
    return fault === null ? { ok: this.#ledger } : this.#fail(fault);
  }

  #fail(failure: RestoreFault): RestoreFailure {
    this.#failure = { failure, record: this.#records };
    return this.#failure;
  }

  #take(record: SnapshotRecord): RestoreFault | null {
    if (record.kind === "head") return this.#takeHead(record);
    if (this.#head === null) return "head";
    switch (record.kind) {
      case "kind":
        return this.#takeKind(record);
      case "job":
        return this.#takeJob(this.#head, record.job);
      case "queue":
        return this.#takeQueue(record.numbers);
    }
  }

  #takeHead(head: SnapshotHead): RestoreFault | null {
    const { appliedIndex, clockMs, termOpenedMs, lastPlace, receiptsMax, counts } = head;
    if (this.#head !== null) return "head";
    const numbers = [appliedIndex, clockMs, termOpenedMs, lastPlace, receiptsMax, head.kindCount];
    if (![...numbers, counts.deduplicated].every(isWhole) || termOpenedMs > clockMs) return "head";
    this.#head = head;
    this.#ledger = createLedger({ receiptsMax });
    Object.assign(this.#ledger, { appliedIndex, clockMs, termOpenedMs, lastPlace });
    this.#ledger.counters.deduplicated = counts.deduplicated;
    return null;
  }

  #takeKind({ latest, queues }: SnapshotKind): RestoreFault | null {
    const { kinds } = this.#ledger;
    const isSound = !kinds.has(latest.kind) && queues.includes(latest.queue) && hasOptions(latest);
    if (!isSound) return "kind";
    kinds.set(latest.kind, { latest, queues: new Set(queues) });
    return null;
  }

  #takeJob(head: SnapshotHead, kept: KeptJob): RestoreFault | null {
    const fault = jobFault(kept, head);
    if (fault !== null) return fault;
    const { jobs, jobsById, jobsByKey, kinds, counters } = this.#ledger;
    if (kinds.get(kept.kind)?.queues.has(kept.queue) !== true) return "kind";
    if (kept.logIndex < (jobs.at(-1)?.logIndex ?? 0) || jobsById.has(kept.id)) return "job-place";
    const job = jobOf(kept, jobs.length, this.#shared(kept.backoff));
    if (job.idempotencyKey !== "") {
      if (jobsByKey.has(job.idempotencyKey)) return "job-place";
      jobsByKey.set(job.idempotencyKey, job);
    }
    jobs.push(job);
    jobsById.set(job.id, job);
    counters.accepted += 1;
    counters.byState[job.state] += 1;
    if (job.state === JobState.Succeeded || job.state === JobState.Failed) counters.recorded += 1;
    counters.refusedLate += job.refusedCount;
    counters.attemptsStarted += job.attempts.length;
    for (const { outcome } of job.attempts) if (outcome === "lost") counters.attemptsLost += 1;
    if (job.state === JobState.Running) this.#running.push(job);
    indexDue(this.#ledger, job);
    return job.lockKeys.length === 0 || this.#takeLocks(job) ? null : "lock-owners";
  }

  /** Most jobs have their kind's backoff; one object for all was what the ledger had. */
  #shared(backoff: Backoff): Backoff {
    const last = this.#lastBackoff;
    const isSame =
      last !== null &&
      last.initialMs === backoff.initialMs &&
      last.multiplier === backoff.multiplier &&
      last.maxMs === backoff.maxMs;
    if (isSame) return last;
    this.#lastBackoff = backoff;
    return backoff;
  }

  #takeLocks(job: JobRecord): boolean {
    const { holders, claims, lines } = this.#ledger;
    if (job.parkedFor !== "") {
      const line = lines.get(job.parkedFor) ?? new OrderedIndex();
      lines.set(job.parkedFor, line);
      line.set(job, job.place);
    }
    if (job.claimExpiryMs > 0 && !take(claims, job)) return false;
    const isHolder = job.state === JobState.Running || job.keysUntilMs > 0;
    return !isHolder || take(holders, job);
  }

  #takeQueue(numbers: readonly number[]): RestoreFault | null {
    const { jobs, queued } = this.#ledger;
    for (const number of numbers) {
      const job = jobs[number];
      if (job === undefined || !isInQueue(job) || queued.has(job)) return "queue";
      queued.add(job);
    }
    return null;
  }

  #complete(): RestoreFault | null {
    const head = this.#head;
    if (head === null) return "head";
    const { counters, kinds, queued, running, lines, holders, claims } = this.#ledger;
    if (kinds.size !== head.kindCount || !isSameCounts(countsOf(counters), head.counts)) {
      return "count";
    }
    let parked = 0;
    for (const [key, line] of lines) {
      if (!holders.has(key) && !claims.has(key)) return "stranded";
      parked += line.size;
    }
    if (queued.size + parked !== counters.byState[JobState.Queued]) return "count";
    // One start a command: they became running in the order of their tokens.
    this.#running.sort((one, other) => one.currentToken - other.currentToken);
    for (const job of this.#running) running.add(job);
    return null;
  }
}

/** QUEUED and not parked. */
function isInQueue({ state, parkedFor }: JobRecord): boolean {
  return state === JobState.Queued && parkedFor === "";
}

/** Whether none of the job's keys had an owner. */
function take(owners: Map<string, JobRecord>, job: JobRecord): boolean {
  for (const key of job.lockKeys) {
    if (owners.has(key)) return false;
    owners.set(key, job);
  }
  return true;
}

function isSameCounts(one: Counts, other: Counts): boolean {
  return (Object.keys(one) as (keyof Counts)[]).every((name) => one[name] === other[name]);
}
