// Puts due jobs before the workers, and takes them back: from the ledger's changes into BullMQ, in
// the leader's process.
//
// Guarantees: what falls due in one turn of the event loop is added in bulk; a job stays pending
// while Redis is away and is added when it is back; adding twice does nothing. What is cancelled,
// drained, failed, parked or held back before a worker has it is taken out, in bulk and behind
// whatever adds it: of this dispatch only, so that a job that is queued again is not touched. The
// ledger's jobs are read at once and copied, since they are its own. Idle while not leading.
// Does not own: what nobody told it of. That is the reconciler's and the sweeper's, which it starts
// and stops.

import type { Change } from "../ledger/result.ts";
import type { DeliveryRef } from "../transport/redis/delivery.ts";
import type { DueJob, JobQueue, Unreachable } from "../transport/redis/job-queue.ts";
import type { Logger } from "../transport/telemetry/logger.ts";
import { AttributeName, SpanName } from "../transport/telemetry/name.ts";
import {
  failSpan,
  isTraced,
  type Span,
  SpanKind,
  startSpan,
  traceparentOf,
} from "../transport/telemetry/trace.ts";
import { type QueuedJob, toDueJob, toTakenBack } from "./due-job.ts";
import { Reconciler } from "./reconciler.ts";
import { Sweeper } from "./sweeper.ts";

export interface DispatcherOptions {
  /** Owned by the caller, who closes it. */
  readonly jobQueue: JobQueue;
  /** The ledger's jobs that are queued; those that are parked may be among them. */
  readonly queued: () => Iterable<Readonly<QueuedJob>>;
  /** The ledger's word: no worker has to be given the job under this dispatch, now or later. */
  readonly isOver: (jobId: string, dispatch: number) => boolean;
  /** Whether the ledger has a queue of this name. */
  readonly isKnownQueue: (queue: string) => boolean;
  readonly logger: Logger;
  /** How often, without a cause, all queued jobs are looked at again. Default 10 s. */
  readonly reconcileMs?: number;
  /** How long after it has looked at all that is in Redis it does so again. Default 60 s. */
  readonly sweepMs?: number;
}

export interface Dispatcher {
  /** This node leads: begin with everything that the ledger has queued. */
  start(): void;
  /** It does not any more. */
  stop(): void;
  /** To be called with the changes of each entry, when it is applied. Ignored while stopped. */
  changed(changes: readonly Change[]): void;
  /** Jobs that are not in BullMQ yet, as far as is known. */
  pendingCount(): number;
}

const BATCH_MAX = 500;
/** Beyond, the oldest are forgotten: after an outage all are reconciled, and swept, anyway. */
const PENDING_MAX = 20_000;
const RETRY_MS = 500;
const NOT_CONNECTED: Unreachable = { kind: "unreachable", cause: "not connected" };

export function createDispatcher(options: DispatcherOptions): Dispatcher {
  return new LeaderDispatcher(options);
}

class LeaderDispatcher implements Dispatcher {
  readonly #jobQueue: JobQueue;
  readonly #logger: Logger;
  readonly #reconciler: Reconciler;
  readonly #sweeper: Sweeper;
  readonly #pending = new Map<string, DueJob>();
  readonly #takenBack = new Set<DeliveryRef>();
  #isStarted = false;
  #isFlushing = false;
  #retryTimer: NodeJS.Timeout | null = null;
  #forgetReady: (() => void) | null = null;

  constructor(options: DispatcherOptions) {
    this.#jobQueue = options.jobQueue;
    this.#logger = options.logger;
    this.#reconciler = new Reconciler(options);
    this.#sweeper = new Sweeper(options);
  }

  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#forgetReady = this.#jobQueue.onReady(() => this.#flushSoon());
    this.#reconciler.start();
    this.#sweeper.start();
  }

  stop(): void {
    if (!this.#isStarted) return;
    this.#isStarted = false;
    this.#forgetReady?.();
    if (this.#retryTimer !== null) clearTimeout(this.#retryTimer);
    this.#retryTimer = null;
    this.#reconciler.stop();
    this.#sweeper.stop();
    this.#pending.clear();
    this.#takenBack.clear();
  }

  changed(changes: readonly Change[]): void {
    if (!this.#isStarted) return;
    for (const { job } of changes) {
      const due = toDueJob(job);
      this.#pending.delete(job.id);
      if (due !== null) this.#pending.set(due.jobId, due);
      const takenBack = toTakenBack(job);
      if (takenBack !== null) this.#takenBack.add(takenBack);
    }
    this.#bound();
    if (this.#hasWork()) this.#flushSoon();
  }

  pendingCount(): number {
    return this.#pending.size;
  }

  #bound(): void {
    for (const jobId of this.#pending.keys()) {
      if (this.#pending.size <= PENDING_MAX) break;
      this.#pending.delete(jobId);
    }
    for (const delivery of this.#takenBack) {
      if (this.#takenBack.size <= PENDING_MAX) break;
      this.#takenBack.delete(delivery);
    }
  }

  #hasWork(): boolean {
    return this.#pending.size + this.#takenBack.size > 0;
  }

  /** At the end of this turn, so that all it brings leaves together. */
  #flushSoon(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    setImmediate(() => {
      this.#flush()
        .catch((error: unknown) => this.#logger.error({ error: String(error) }, "dispatch failed"))
        .finally(() => {
          this.#isFlushing = false;
          // Came in while the last batch was on its way, and nothing holds it back.
          if (this.#hasWork() && this.#retryTimer === null) this.#flushSoon();
        });
    });
  }

  /** Batches of either kind in turn: what was added and taken back is taken out behind it. */
  async #flush(): Promise<void> {
    while (this.#isStarted && this.#hasWork()) {
      const added = await this.#addBatch();
      // Also when nothing could be added: that may be for want of room.
      const failure = (await this.#takeOutBatch()) ?? added;
      if (failure === null) continue;
      this.#retryLater(failure.cause);
      return;
    }
  }

  /** null: done. */
  async #addBatch(): Promise<Unreachable | null> {
    if (this.#pending.size === 0) return null;
    if (!this.#jobQueue.isReady()) return NOT_CONNECTED;
    const batch = [...this.#pending.values().take(BATCH_MAX)];
    const spans = batch.map(startDispatchSpan);
    const outcome = await this.#jobQueue.addMany(batch.map((job, at) => under(job, spans[at])));
    for (const span of spans) {
      if (outcome.kind === "unreachable") span && failSpan(span, outcome.kind, "Redis is away");
      span?.end();
    }
    if (outcome.kind === "unreachable") return outcome;
    for (const job of batch) {
      // Queued anew meanwhile: still pending.
      if (this.#pending.get(job.jobId) === job) this.#pending.delete(job.jobId);
    }
    return null;
  }

  async #takeOutBatch(): Promise<Unreachable | null> {
    if (this.#takenBack.size === 0) return null;
    if (!this.#jobQueue.isReady()) return NOT_CONNECTED;
    const batch = [...this.#takenBack.values().take(BATCH_MAX)];
    const outcome = await this.#jobQueue.remove(batch);
    if (outcome.kind === "unreachable") return outcome;
    for (const delivery of batch) this.#takenBack.delete(delivery);
    return null;
  }

  #retryLater(cause: unknown): void {
    if (this.#retryTimer !== null || !this.#isStarted) return;
    this.#logger.debug({ pending: this.#pending.size, cause: String(cause) }, "not dispatched");
    this.#retryTimer = setTimeout(() => {
      this.#retryTimer = null;
      if (this.#hasWork()) this.#flushSoon();
    }, RETRY_MS);
  }
}

function startDispatchSpan(job: DueJob): Span | null {
  if (!isTraced(job.traceparent)) return null;
  return startSpan({
    name: `${SpanName.Dispatch} ${job.queue}`,
    kind: SpanKind.PRODUCER,
    parent: job.traceparent,
    attributes: {
      [AttributeName.MessagingSystem]: "bullmq",
      [AttributeName.MessagingDestination]: job.queue,
      [AttributeName.MessagingOperationType]: "send",
      [AttributeName.MessagingOperationName]: SpanName.Dispatch,
      [AttributeName.JobId]: job.jobId,
      [AttributeName.JobKind]: job.kind,
      [AttributeName.JobQueue]: job.queue,
    },
  });
}

/** The worker's span becomes a child of the dispatch, not of the submission. */
function under(job: DueJob, span: Span | null | undefined): DueJob {
  return span ? { ...job, traceparent: traceparentOf(span) } : job;
}
