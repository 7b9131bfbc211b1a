// Limits of queues and of concurrency keys, as the committed commands set them (I31, I33, I36).
//
// Guarantees: no start is beyond a limit, within a pause, or more than a rate allows in any stretch
// of time; no job is accepted beyond a backlog; whoever nothing holds back is before the workers,
// after every command; nobody overtakes in a queue's line; what an operator is told adds up. All of
// it is counted from the book of jobs, never by the ledger.
// Does not own: lock keys and their lines (the ledger's own invariants, at drawn moments).

import type { Command, CommandBody } from "../../../ledger/command.ts";
import type { QueueView } from "../../../ledger/queue-view.ts";
import type { Applied } from "../../../ledger/result.ts";
import type { Tally } from "../tally.ts";
import { demand } from "../violation.ts";
import { type BookedJob, type BookedQueue, comesBefore, type JobBook } from "./job-book.ts";

type SetQueue = Extract<CommandBody, { kind: "set-queue" }>;

const ALL = "*";
/** A command may stop after letting so many jobs go on; the next tick goes on with the rest. */
const CUT_OFF_CHANGES = 200;

/** 0: no limit. */
interface Settings {
  isPaused: boolean;
  runningMax: number;
  rateCount: number;
  ratePeriodMs: number;
  waitingMax: number;
  /** Starts since there is a rate, as many of the last as it has ever allowed. */
  starts: number[];
}

export class QueueCheck {
  readonly #book: JobBook;
  readonly #tally: Tally;
  readonly #settings = new Map<string, Settings>();
  /** A wake may have been cut off. */
  #isCutOff = false;
  /** Keys that were looked at after this command. */
  readonly #busy = new Map<string, boolean>();

  constructor(book: JobBook, tally: Tally) {
    this.#book = book;
    this.#tally = tally;
  }

  /** Before the book is written: a limit holds for what its own command brings about. */
  set({ body }: Command, { result }: Applied): void {
    if (body.kind !== "set-queue" || result.kind !== "queue-set") return;
    const settings = this.#settingsOf(body.queue);
    settings.isPaused = body.isPaused ?? settings.isPaused;
    settings.runningMax = body.runningMax ?? settings.runningMax;
    settings.waitingMax = body.waitingMax ?? settings.waitingMax;
    if (body.rate !== null) setRate(settings, body.rate);
  }

  /** A new job, before it is counted. */
  accepting(job: BookedJob): void {
    const { waitingMax } = this.#settingsOf(job.queue);
    const { queued, scheduled } = this.#book.queueOf(job.queue);
    const waiting = queued.size + scheduled.size;
    demand(waitingMax === 0 || waiting < waitingMax, "I31 limits-held", () => {
      return `${job.id} is accepted in ${job.queue}, where ${waiting} of ${waitingMax} wait`;
    });
  }

  /** When the book is written. */
  follow(command: Command, applied: Applied): void {
    const { result, changes } = applied;
    if (result.kind === "started" && changes.length > 0) this.#started(result.job.id);
    if (result.kind === "submit-refused") this.#refused(command.body, result);
    if (result.kind === "queue-set" && command.body.kind === "set-queue") {
      this.#view(command.body, result.queue);
    }
    if (result.kind === "start-refused" && result.reason === "limited") {
      this.#tally.add("count.starts-limited");
    }
    this.#checkWaiting(command, applied);
  }

  #started(id: string): void {
    const job = this.#jobOf(id);
    const [own, all] = [this.#settingsOf(job.queue), this.#settingsOf(ALL)];
    const running = this.#book.queueOf(job.queue).byState.running;
    const isOpen = !own.isPaused && !all.isPaused;
    demand(isOpen, "I31 limits-held", `${id} starts while ${job.queue} is paused`);
    demand(own.runningMax === 0 || running <= own.runningMax, "I31 limits-held", () => {
      return `${id} is the ${running}th that runs in ${job.queue}, ${own.runningMax} may`;
    });
    const total = all.runningMax === 0 ? 0 : this.#book.countsOf(null).running;
    demand(total <= all.runningMax, "I31 limits-held", () => {
      return `${id} is the ${total}th that runs, ${all.runningMax} may`;
    });
    for (const { key } of job.keys) {
      const under = [...(this.#book.keys.get(key)?.running ?? [])];
      const most = leastLimit(under, key);
      demand(under.length <= most, "I31 limits-held", () => {
        return `${id} is the ${under.length}th that runs under ${key}, ${most} may`;
      });
      this.#tally.add("count.keyed-starts");
    }
    this.#countStart(id, own);
  }

  #countStart(id: string, own: Settings): void {
    if (own.rateCount === 0) return;
    own.starts.push(this.#book.clockMs);
    const within = startsAfter(own, this.#book.clockMs);
    demand(within <= own.rateCount, "I31 limits-held", () => {
      return `${id} is start ${within} within ${own.ratePeriodMs} ms, ${own.rateCount} may be`;
    });
    own.starts = own.starts.slice(-own.rateCount);
    this.#tally.add("count.rated-starts");
  }

  #refused(
    body: CommandBody,
    { reason, value, position }: Extract<Applied["result"], { kind: "submit-refused" }>,
  ): void {
    if (reason !== "backlog-full" || body.kind !== "submit-jobs") return;
    const { waitingMax } = this.#settingsOf(value);
    const { queued, scheduled } = this.#book.queueOf(value);
    const most = queued.size + scheduled.size + position;
    demand(waitingMax > 0 && most >= waitingMax, "I31 limits-held", () => {
      return `a job is refused in ${value}, where ${most} of ${waitingMax} wait`;
    });
    this.#tally.add("count.backlog-refusals");
  }

  /** What the operator is told of the queue. */
  #view({ queue }: SetQueue, view: QueueView): void {
    const { isPaused, runningMax, rateCount, ratePeriodMs, waitingMax } = this.#settingsOf(queue);
    const counts = this.#book.countsOf(queue === ALL ? null : queue);
    const limits = { runningMax, rateCount, ratePeriodMs, waitingMax };
    const expected = { name: queue, isPaused, limits, byState: counts };
    const { heldBack: _heldBack, oldestSinceMs: _oldestSinceMs, ...told } = view;
    demand(textOf(told) === textOf(expected), "I36 counts", () => {
      return `${queue} is told as ${textOf(told)}, and is ${textOf(expected)}`;
    });
    this.#tally.add("count.queues-set");
  }

  #checkWaiting({ body }: Command, { changes }: Applied): void {
    if (changes.length >= CUT_OFF_CHANGES) this.#isCutOff = true;
    else if (body.kind === "tick") this.#isCutOff = false;
    this.#busy.clear();
    for (const [name, queue] of this.#book.queues) {
      if (queue.held.size === 0) continue;
      if (!this.#isCutOff && this.#hasRoom(name, queue)) this.#checkNoneIsStranded(name, queue);
    }
    for (const { job, event } of changes) {
      if (event === "queued" || event === "unparked") this.#checkTurn(this.#jobOf(job.id));
    }
  }

  /**
   * Counts every job before the workers as one that will start: less room than there may be. The
   * clock moves lines at ticks only, so the rate is counted as of the last one.
   */
  #hasRoom(name: string, { byState, held }: BookedQueue): boolean {
    const [own, all] = [this.#settingsOf(name), this.#settingsOf(ALL)];
    if (own.isPaused || all.isPaused) return false;
    const letIn = byState.queued - held.size;
    if (own.runningMax > 0 && byState.running + letIn >= own.runningMax) return false;
    if (own.rateCount > 0 && startsAfter(own, this.#book.tickMs) + letIn >= own.rateCount) {
      return false;
    }
    return all.runningMax === 0 || this.#runningOrLetIn() < all.runningMax;
  }

  #runningOrLetIn(): number {
    let count = 0;
    for (const { byState, held } of this.#book.queues.values()) {
      count += byState.running + byState.queued - held.size;
    }
    return count;
  }

  #checkNoneIsStranded(name: string, { held }: BookedQueue): void {
    for (const job of held) {
      // Lines for lock keys are others' to look at.
      if (job.record.lockKeys.length > 0) continue;
      const isKept = job.keys.some(({ key }) => this.#isBusy(key));
      demand(isKept, "I33 held-back", () => {
        return `${job.id} is held back in ${name}, and nothing holds it back`;
      });
    }
  }

  /** Whether as many as may run under the key do, will, or have their places put by. */
  #isBusy(key: string): boolean {
    const isBusy = this.#busy.get(key) ?? this.#count(key);
    this.#busy.set(key, isBusy);
    return isBusy;
  }

  #count(key: string): boolean {
    const under = this.#book.keys.get(key);
    if (under === undefined) return false;
    const { running, queued } = under;
    const most = leastLimit([...running, ...queued], key);
    let count = running.size;
    for (const job of queued) {
      // Who waits for its queue may have a place put by under its keys.
      const mayHave = !job.isHeld || !this.#hasRoom(job.queue, this.#book.queueOf(job.queue));
      if (mayHave) count += 1;
    }
    return count >= most;
  }

  /** It has come before the workers: nobody who only waits for the queue was there before it. */
  #checkTurn(job: BookedJob): void {
    if (job.isHeld || job.state !== "queued") return;
    for (const other of this.#book.queueOf(job.queue).held) {
      if (other.record.lockKeys.length > 0 || other.keys.length > 0) continue;
      // Who came to the line by the same command, but later, has not been overtaken.
      const wasThere = other.changed < job.changed;
      demand(!wasThere || !comesBefore(other, job), "I33 held-back", () => {
        return `${job.id} goes before ${other.id}, which came first, in ${job.queue}`;
      });
    }
  }

  #settingsOf(queue: string): Settings {
    const known = this.#settings.get(queue);
    if (known !== undefined) return known;
    const none = { isPaused: false, runningMax: 0, rateCount: 0, ratePeriodMs: 0, waitingMax: 0 };
    const settings: Settings = { ...none, starts: [] };
    this.#settings.set(queue, settings);
    return settings;
  }

  #jobOf(id: string): BookedJob {
    const job = this.#book.jobs.get(id);
    demand(job !== undefined, "I36 counts", `${id} was never accepted`);
    return job;
  }
}

function setRate(settings: Settings, { count, periodMs }: NonNullable<SetQueue["rate"]>): void {
  settings.rateCount = count;
  settings.ratePeriodMs = count === 0 ? 0 : periodMs;
  settings.starts = count === 0 ? [] : settings.starts.slice(-count);
}

/** Within the period that ends at this moment, and later. */
function startsAfter({ starts, ratePeriodMs }: Settings, atMs: number): number {
  return starts.filter((startMs) => startMs > atMs - ratePeriodMs).length;
}

function leastLimit(jobs: readonly BookedJob[], key: string): number {
  let least = Number.POSITIVE_INFINITY;
  for (const { keys } of jobs) {
    for (const one of keys) if (one.key === key) least = Math.min(least, one.limit);
  }
  return least;
}

function textOf(view: object): string {
  return JSON.stringify(view, (_key, value: unknown) => {
    const isPlain = typeof value === "object" && value !== null && !Array.isArray(value);
    return isPlain ? Object.fromEntries(Object.entries(value).toSorted(byName)) : value;
  });
}

function byName([one]: [string, unknown], [other]: [string, unknown]): number {
  return one < other ? -1 : 1;
}
