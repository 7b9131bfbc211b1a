// Brings back into BullMQ what ought to be there and is not: Redis is a cache of the ledger.
//
// Guarantees: while started, every queued job is added again soon after this node began to lead,
// after Redis came back, and after Redis was found to have lost its data; and, slowly, all the
// time. Adding what is there does nothing. The ledger is read in pieces, each at once, so that
// however many jobs there are, the event loop is never held up.
// Does not own: what has just fallen due (dispatcher.ts), what is there and should not be
// (sweeper.ts).

import type { DueJob, JobQueue } from "../transport/redis/job-queue.ts";
import type { Logger } from "../transport/telemetry/logger.ts";
import { type QueuedJob, toDueJob } from "./due-job.ts";

const PIECE_MAX = 500;
/** Pause between the pieces of a pass that nothing has caused: 2000 jobs/s at most. */
const SLOW_PAUSE_MS = 250;
const RETRY_MS = 500;
const RECONCILE_MS_DEFAULT = 10_000;
/** How often Redis is asked whether it is still the same. */
const EPOCH_CHECK_MS = 1_000;

export interface ReconcilerOptions {
  readonly jobQueue: JobQueue;
  readonly queued: () => Iterable<Readonly<QueuedJob>>;
  readonly isOver: (jobId: string, dispatch: number) => boolean;
  readonly logger: Logger;
  readonly reconcileMs?: number;
}

export class Reconciler {
  readonly #jobQueue: JobQueue;
  readonly #queued: () => Iterable<Readonly<QueuedJob>>;
  readonly #isOver: (jobId: string, dispatch: number) => boolean;
  readonly #logger: Logger;
  readonly #reconcileMs: number;
  /** The pass that is on: where it stands. Kept while Redis is away. */
  #cursor: Iterator<Readonly<QueuedJob>> | null = null;
  #isUrgent = false;
  #isStepping = false;
  #addedInPass = 0;
  /** Rises with each start and stop: what was begun before does not go on. */
  #life = 0;
  #isStarted = false;
  #timers: NodeJS.Timeout[] = [];
  #stepTimer: NodeJS.Timeout | null = null;
  #forgetReady: (() => void) | null = null;

  constructor(options: ReconcilerOptions) {
    this.#jobQueue = options.jobQueue;
    this.#queued = options.queued;
    this.#isOver = options.isOver;
    this.#logger = options.logger;
    this.#reconcileMs = options.reconcileMs ?? RECONCILE_MS_DEFAULT;
  }

  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#life += 1;
    this.#forgetReady = this.#jobQueue.onReady(() => {
      // Before anything is added: a loss is only seen by who knows what was there before.
      this.#checkEpoch();
      this.#begin("redis-ready");
    });
    this.#timers = [
      setInterval(() => this.#beginSlowly(), this.#reconcileMs),
      setInterval(() => this.#checkEpoch(), EPOCH_CHECK_MS),
    ];
    this.#checkEpoch();
    this.#begin("leading");
  }

  stop(): void {
    this.#isStarted = false;
    this.#life += 1;
    this.#forgetReady?.();
    this.#forgetReady = null;
    for (const timer of this.#timers) clearInterval(timer);
    this.#timers = [];
    if (this.#stepTimer !== null) clearTimeout(this.#stepTimer);
    this.#stepTimer = null;
    this.#cursor = null;
    this.#isStepping = false;
  }

  /** All of them, from the first on, as fast as Redis takes them. */
  #begin(why: "leading" | "redis-ready" | "redis-lost-its-data"): void {
    this.#logger.info({ why }, "reconciling the queues with the ledger");
    this.#cursor = this.#queued()[Symbol.iterator]();
    this.#addedInPass = 0;
    this.#isUrgent = true;
    this.#stepAfter(0);
  }

  #beginSlowly(): void {
    if (this.#cursor !== null) return;
    this.#cursor = this.#queued()[Symbol.iterator]();
    this.#addedInPass = 0;
    this.#isUrgent = false;
    this.#stepAfter(0);
  }

  #checkEpoch(): void {
    const life = this.#life;
    this.#jobQueue.checkEpoch().then(
      (epoch) => {
        if (epoch === "lost" && life === this.#life) this.#begin("redis-lost-its-data");
      },
      (error: unknown) => this.#logger.error({ error: String(error) }, "epoch check failed"),
    );
  }

  #stepAfter(delayMs: number): void {
    if (this.#stepTimer !== null) clearTimeout(this.#stepTimer);
    this.#stepTimer = setTimeout(() => {
      this.#stepTimer = null;
      this.#step().catch((error: unknown) => {
        this.#logger.error({ error: String(error) }, "reconciling failed");
      });
    }, delayMs);
  }

  /** One piece. Whatever is begun while it is on its way is stepped when it has ended. */
  async #step(): Promise<void> {
    const cursor = this.#cursor;
    if (cursor === null || this.#isStepping) return;
    this.#isStepping = true;
    const life = this.#life;
    let delayMs = this.#isUrgent ? 0 : SLOW_PAUSE_MS;
    let piece: readonly DueJob[] = [];
    // A piece that Redis did not take begins the pass anew: what it held may have changed.
    if (!this.#jobQueue.isReady()) {
      delayMs = RETRY_MS;
    } else {
      piece = takePiece(cursor);
      const queue = this.#jobQueue;
      // Without a cause nearly all are there.
      const added = await (this.#isUrgent ? queue.addMany(piece) : queue.addMissing(piece));
      // Taken back while they were on their way: whoever took them out may have been too early.
      const over = piece.filter(({ jobId, dispatch }) => this.#isOver(jobId, dispatch));
      const isDone = added.kind === "unreachable" || over.length === 0;
      const outcome = isDone ? added : await queue.remove(over);
      if (life !== this.#life) return;
      if (outcome.kind === "unreachable") {
        this.#cursor = this.#queued()[Symbol.iterator]();
        delayMs = RETRY_MS;
      } else {
        this.#addedInPass += piece.length;
        if (piece.length < PIECE_MAX && this.#cursor === cursor) this.#endPass();
      }
    }
    this.#isStepping = false;
    if (this.#cursor !== null) this.#stepAfter(delayMs);
  }

  #endPass(): void {
    this.#cursor = null;
    if (this.#isUrgent) this.#logger.info({ jobs: this.#addedInPass }, "queues reconciled");
  }
}

/** Copies the next jobs, without leaving the ledger time to change under its hands. */
function takePiece(cursor: Iterator<Readonly<QueuedJob>>): DueJob[] {
  const piece: DueJob[] = [];
  while (piece.length < PIECE_MAX) {
    const next = cursor.next();
    if (next.done === true) break;
    const due = toDueJob(next.value);
    if (due !== null) piece.push(due);
  }
  return piece;
}
