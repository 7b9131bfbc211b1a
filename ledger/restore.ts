// A ledger brought back from the records of a snapshot.
//
// Guarantees: it cannot be told from the ledger that the records were made of, neither by its hash
// nor by anything that it answers later (I18, I19). Total: records that contradict themselves or
// each other, or are not all there, give a failure and no ledger; the first failure stays. Nothing
// is shared with the records but what never changes.
// Does not own: what one job may look like (kept-job-check.ts), nor whether the line of a limit
// goes on: the next tick looks at it.

import { countClaim, standAgain } from "./admission.ts";
import { assert } from "./assert.ts";
import { indexDue } from "./due.ts";
import { isTerminal, JobState } from "./job.ts";
import { jobIdOf } from "./job-id.ts";
import { takeCounts } from "./kept-counts.ts";
import { jobOf, type KeptJob, termsOf } from "./kept-job.ts";
import { hasOptions, isWhole, type JobFault, jobFault } from "./kept-job-check.ts";
import { isSoundLock, type KeptLock, lockOf } from "./kept-lock.ts";
import { isSoundSchedule, type KeptSchedule, scheduleOf } from "./kept-schedule.ts";
import type { ForgottenKey } from "./key-book.ts";
import { countUnder, isShortFor, type KeyGate } from "./key-gate.ts";
import { isTakenFrom, standInLines } from "./line.ts";
import { type Contender, isLock } from "./lock.ts";
import { indexLockDue } from "./lock-life.ts";
import { opened } from "./open-slots.ts";
import { countIn, knowQueue, queueOf } from "./queue.ts";
import type { JobRecord } from "./record.ts";
import { indexEnded } from "./retention.ts";
import { RATE_COUNT_MAX, setLimits } from "./set-queue.ts";
import { indexSchedule } from "./slots.ts";
import {
  COUNTED_ONLY,
  type SnapshotHead,
  type SnapshotKind,
  type SnapshotQueueLimits,
  type SnapshotRecord,
} from "./snapshot.ts";
import { createLedger, type Ledger } from "./state.ts";

export type RestoreFault =
  | JobFault
  /** Another record came first, a second head came, or its numbers make no sense. */
  | "head"
  | "kind"
  /** A queue twice, or limits that cannot be. */
  | "queue-limits"
  /** One that no commands have made, or of a kind that nobody registered. */
  | "schedule"
  /** An id, an idempotency key, or an order of acceptance that is not possible. */
  | "job-place"
  /** A child that its parent does not know or that comes before it, or that is another's. */
  | "family"
  /** A key with two holders, or put by for two jobs. */
  | "lock-owners"
  /** A lock that commands cannot have made, or that is there twice. */
  | "lock"
  /** Somebody waits for a key that nobody will free, or a slot for a job that is not there. */
  | "stranded"
  /** A key with another owner, or of a job that is there. */
  | "forgotten-key"
  /** A job twice in the queue, or one that is not QUEUED, or is parked or held back. */
  | "queue"
  /** There are not as many kinds, queues, jobs or places in the queue as there should be. */
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
  #lastSchedule = 0;
  /** Schedule id to the last slot that has a job. */
  readonly #lastSlots = new Map<string, number>();
  readonly #parents: JobRecord[] = [];
  /** Parent to the place in its list behind the last child that came. */
  readonly #childPlaces = new Map<JobRecord, number>();
  #waiting: Contender[] = [];
  #lastLiveLock = 0;
  #heldLocks = 0;
  /** SCHEDULED and QUEUED. */
  #arrived: JobRecord[] = [];
  readonly #limitedNames = new Set<string>();

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
      case "queue-limits":
        return this.#takeLimits(this.#head, record);
      case "schedule":
        return this.#takeSchedule(this.#head, record.schedule);
      case "job":
        return this.#takeJob(this.#head, record.job);
      case "queue":
        return this.#takeQueue(record.numbers);
      case "lock":
        return this.#takeLock(this.#head, record.lock);
      case "forgotten-key":
        return this.#takeForgotten(this.#head, record.forgotten);
    }
  }

  #takeHead(head: SnapshotHead): RestoreFault | null {
    const { appliedIndex, clockMs, termOpenedMs, lastPlace, receiptsMax, counts } = head;
    if (this.#head !== null) return "head";
    const { kindCount, lockCount, scheduleCount, forgottenKeyCount, queueCount } = head;
    const { lastArrival, isPaused, runningMax, keysDue } = head;
    const places = [appliedIndex, clockMs, termOpenedMs, lastPlace, receiptsMax, lastArrival];
    const sizes = [kindCount, lockCount, scheduleCount, forgottenKeyCount, queueCount];
    const numbers = [...places, ...sizes, runningMax, ...Object.values(counts)];
    if (!numbers.every(isWhole) || termOpenedMs > clockMs) return "head";
    this.#head = head;
    this.#ledger = createLedger({ receiptsMax });
    Object.assign(this.#ledger, { appliedIndex, clockMs, termOpenedMs, lastPlace });
    this.#ledger.lastArrival = lastArrival;
    Object.assign(this.#ledger.allQueues, { isPaused, runningMax });
    for (const key of keysDue) this.#ledger.keysDue.add(key);
    for (const name of COUNTED_ONLY) this.#ledger.counters[name] = counts[name];
    return null;
  }

  #takeKind({ latest, queues }: SnapshotKind): RestoreFault | null {
    const { kinds } = this.#ledger;
    const isSound = !kinds.has(latest.kind) && queues.includes(latest.queue) && hasOptions(latest);
    if (!isSound) return "kind";
    kinds.set(latest.kind, { latest, queues: new Set(queues) });
    for (const queue of queues) knowQueue(this.#ledger, queue);
    return null;
  }

  #takeLimits(head: SnapshotHead, record: SnapshotQueueLimits): RestoreFault | null {
    const queue = knowQueue(this.#ledger, record.name);
    if (this.#limitedNames.has(queue.name) || !isSoundLimits(record, head)) return "queue-limits";
    this.#limitedNames.add(queue.name);
    queue.recentStarts = [...record.recentStarts];
    setLimits(queue, record.isPaused, record.limits);
    return null;
  }

  #takeSchedule(head: SnapshotHead, kept: KeptSchedule): RestoreFault | null {
    if (!isSoundSchedule(kept, this.#ledger, head, this.#lastSchedule)) return "schedule";
    const schedule = scheduleOf(kept);
    this.#lastSchedule = schedule.number;
    this.#ledger.schedules.set(schedule.id, schedule);
    indexSchedule(this.#ledger, schedule);
    return null;
  }

  #takeJob(head: SnapshotHead, kept: KeptJob): RestoreFault | null {
    const fault = jobFault(kept, head);
    if (fault !== null) return fault;
    const { jobs, index, keys, kinds, counters, terms } = this.#ledger;
    if (kinds.get(kept.kind)?.queues.has(kept.queue) !== true) return "kind";
    const job = jobOf(kept, terms.share(termsOf(kept)));
    if (!jobs.isNext(job) || keys.has(job.idempotencyKey)) return "job-place";
    if (!this.#takeSlot(kept)) return "schedule";
    if (!this.#takeFamily(job)) return "family";
    keys.add(job);
    jobs.push(job);
    index.add(job);
    counters.byState[job.state] += 1;
    if (job.state === JobState.Succeeded || job.state === JobState.Failed) counters.recorded += 1;
    for (const { state } of job.earlierRuns) if (state === JobState.Failed) counters.recorded += 1;
    counters.retried += job.earlierRuns.length;
    counters.refusedLate += job.refusedCount;
    counters.attemptsStarted += job.attempts.length;
    for (const { outcome } of job.attempts) if (outcome === "lost") counters.attemptsLost += 1;
    if (job.state === JobState.Running) this.#running.push(job);
    if (job.arrival > 0) this.#arrived.push(job);
    else countIn(queueOf(this.#ledger, job), job);
    this.#takePlaces(job);
    if (!isTerminal(job.state)) opened(this.#ledger, job);
    indexDue(this.#ledger, job);
    return job.lockKeys.length === 0 || this.#takeLocks(job) ? null : "lock-owners";
  }

  /** Jobs are made in the order of their slots, one a slot; those made by hand have none. */
  #takeSlot({ scheduleId, slotMs }: KeptJob): boolean {
    if (slotMs === 0) return true;
    if (slotMs <= (this.#lastSlots.get(scheduleId) ?? 0)) return false;
    this.#lastSlots.set(scheduleId, slotMs);
    return true;
  }

  /** No slot that has a job, or that is decided, gets another one. */
  #scheduleFault(): RestoreFault | null {
    const { schedules, openSlots } = this.#ledger;
    for (const { id, isPaused, pending, decidedMs } of schedules.values()) {
      const slotMs = this.#lastSlots.get(id) ?? 0;
      if (slotMs > decidedMs || slotMs >= (pending[0] ?? decidedMs + 1)) return "schedule";
      if (!isPaused && pending.length > 0 && !openSlots.has(id)) return "stranded";
    }
    return null;
  }

  /** Whether the job is the child that its parent says; a parent may be forgotten before it. */
  #takeFamily(job: JobRecord): boolean {
    const { parentPosition, childPositions, position } = job;
    if (childPositions.length > 0) this.#parents.push(job);
    if (parentPosition === 0) return true;
    if (!isWhole(parentPosition) || parentPosition >= position) return false;
    const parent = this.#ledger.jobs.get(job.parentJobId);
    if (parent === undefined) return true;
    // Children come in the order of the list, though some may be forgotten.
    const from = this.#childPlaces.get(parent) ?? 0;
    const place = parent.childPositions.indexOf(position, from);
    if (place < 0) return false;
    this.#childPlaces.set(parent, place + 1);
    if (!isTerminal(job.state)) {
      parent.pendingChildCount += 1;
      indexDue(this.#ledger, parent);
    }
    return true;
  }

  /** All that it names and that were not forgotten name it, too. */
  #hasOwnChildren({ position, childJobIds }: JobRecord): boolean {
    const { jobs } = this.#ledger;
    return childJobIds.every((id) => (jobs.get(id)?.parentPosition ?? position) === position);
  }

  #takeLocks(job: JobRecord): boolean {
    const { holders, claims } = this.#ledger;
    if (job.parkedFor !== "") this.#wait(job);
    if (job.claimExpiryMs > 0 && !take(claims, job)) return false;
    const isHolder = job.state === JobState.Running || job.keysUntilMs > 0;
    return !isHolder || take(holders, job);
  }

  /** What the job runs, claims or waits under. */
  #takePlaces(job: JobRecord): void {
    if (job.state === JobState.Running) countUnder(this.#ledger, job, "running", 1);
    if (job.claimExpiryMs > 0) countClaim(this.#ledger, job, 1);
    if (job.waitsAt !== "") standAgain(this.#ledger, job);
  }

  #takeLock(head: SnapshotHead, kept: KeptLock): RestoreFault | null {
    const { locks, locksByRequest, endedLocks, holders } = this.#ledger;
    if (!isSoundLock(kept, head)) return "lock";
    const lock = lockOf(kept);
    if (locks.has(lock.id) || locksByRequest.has(lock.requestId)) return "lock";
    if (lock.state === "over") {
      endedLocks.add(lock);
    } else {
      if (lock.number <= this.#lastLiveLock || endedLocks.size > 0) return "lock";
      this.#lastLiveLock = lock.number;
    }
    locks.set(lock.id, lock);
    if (lock.requestId !== "") locksByRequest.set(lock.requestId, lock);
    indexLockDue(this.#ledger, lock);
    if (lock.state === "waiting") this.#wait(lock);
    if (lock.state !== "held") return null;
    this.#heldLocks += 1;
    return take(holders, lock) ? null : "lock-owners";
  }

  #wait(one: Contender): void {
    standInLines(this.#ledger, one);
    this.#waiting.push(one);
  }

  #takeQueue(numbers: readonly number[]): RestoreFault | null {
    const { jobs, queued } = this.#ledger;
    for (const number of numbers) {
      const job = jobs.numbered(number);
      if (job === undefined || !isInQueue(job) || queued.has(job)) return "queue";
      queued.add(job);
    }
    return null;
  }

  #takeForgotten(head: SnapshotHead, forgotten: ForgottenKey): RestoreFault | null {
    const { keys } = this.#ledger;
    const { key, logIndex, position, untilMs, members } = forgotten;
    const isPlace = isWhole(logIndex) && logIndex > 0 && logIndex <= head.appliedIndex;
    const isSound = isPlace && [position, untilMs, ...members].every(isWhole) && key !== "";
    if (!isSound || keys.has(key)) return "forgotten-key";
    keys.keep(forgotten);
    return null;
  }

  #complete(): RestoreFault | null {
    const head = this.#head;
    if (head === null) return "head";
    const { counters, kinds, queues, locks, queued, running, jobs, keys } = this.#ledger;
    const { schedules, keyGates, keysDue } = this.#ledger;
    if (schedules.size !== head.scheduleCount) return "count";
    const fault = this.#scheduleFault();
    if (fault !== null) return fault;
    const isAll = kinds.size === head.kindCount && queues.size === head.queueCount;
    if (!isAll || this.#limitedNames.size !== queues.size) return "count";
    if (keys.forgottenCount !== head.forgottenKeyCount) return "count";
    if (!takeCounts(counters, head.counts, jobs.length)) return "count";
    for (const one of keys.forgotten()) if (jobs.has(jobIdOf(one))) return "forgotten-key";
    for (const job of jobs) indexEnded(this.#ledger, job);
    const endedAfterGrant = counters.locksGranted - this.#heldLocks;
    if (locks.size !== head.lockCount || counters.locksExpired > endedAfterGrant) return "count";
    let parked = 0;
    for (const one of this.#waiting) {
      if (!isTakenFrom(this.#ledger, one.parkedFor, one)) return "stranded";
      if (!isLock(one)) parked += 1;
    }
    for (const { line } of queues.values()) parked += line.size;
    for (const [key, gate] of keyGates) {
      if (isStranded(key, gate) && !keysDue.has(key)) return "stranded";
      parked += gate.line.size;
    }
    if (!this.#parents.every((parent) => this.#hasOwnChildren(parent))) return "family";
    if (queued.size + parked !== counters.byState[JobState.Queued]) return "count";
    this.#arrived.sort(byArrival);
    for (const job of this.#arrived) countIn(queueOf(this.#ledger, job), job);
    // One start a command: they became running in the order of their tokens.
    this.#running.sort((one, other) => one.currentToken - other.currentToken);
    for (const job of this.#running) running.add(job);
    return null;
  }
}

/** QUEUED, not parked and not held back. */
function isInQueue({ state, parkedFor, waitsAt }: JobRecord): boolean {
  return state === JobState.Queued && parkedFor === "" && waitsAt === "";
}

/** Whether the first in the key's line could go on. */
function isStranded(key: string, gate: KeyGate): boolean {
  const first = gate.line.first()?.item;
  const limit = first?.concurrencyKeys.find((one) => one.key === key);
  return limit !== undefined && !isShortFor(gate, limit);
}

function byArrival(one: JobRecord, other: JobRecord): number {
  return one.arrival - other.arrival || one.number - other.number;
}

function isSoundLimits({ limits, recentStarts }: SnapshotQueueLimits, head: SnapshotHead): boolean {
  const { rateCount, ratePeriodMs } = limits;
  if (!Object.values(limits).every(isWhole) || recentStarts.length > rateCount) return false;
  if (rateCount > RATE_COUNT_MAX || rateCount > 0 !== ratePeriodMs > 0) return false;
  return recentStarts.every((startMs, at) => {
    return isWhole(startMs) && startMs <= head.clockMs && startMs >= (recentStarts[at - 1] ?? 0);
  });
}

/** Whether none of its keys had an owner. */
function take<T extends Contender>(owners: Map<string, T>, one: T): boolean {
  for (const key of one.lockKeys) {
    if (owners.has(key)) return false;
    owners.set(key, one);
  }
  return true;
}
