// Puts due jobs before the workers: from the ledger's changes into BullMQ, in the leader's process.
//
// Guarantees: what falls due in one turn of the event loop is added in bulk; a job stays pending
// while Redis is away and is added when it is back; adding twice does nothing. The ledger's jobs
// are read at once and copied, since they are its own. Does nothing while not leading.
// Does not own: what nobody told it of. That is the reconciler's, which it starts and stops.

import type { Change } from "../ledger/result.ts";
import type { DueJob, JobQueue } from "../transport/redis/job-queue.ts";
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
import { type QueuedJob, toDueJob } from "./due-job.ts";
import { Reconciler } from "./reconciler.ts";

export interface DispatcherOptions {
  /** Owned by the caller, who closes it. */
  readonly jobQueue: JobQueue;
  /** The ledger's jobs that are queued; those that are parked may be among them. */
  readonly queued: () => Iterable<Readonly<QueuedJob>>;
  readonly logger: Logger;
  /** How often, without a cause, all queued jobs are looked at again. Default 10 s. */
  readonly reconcileMs?: number;
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
/** Beyond, the oldest are forgotten: after an outage all are reconciled anyway. */
const PENDING_MAX = 20_000;
const RETRY_MS = 500;

export function createDispatcher(options: DispatcherOptions): Dispatcher {
  return new LeaderDispatcher(options);
}

class LeaderDispatcher implements Dispatcher {
  readonly #jobQueue: JobQueue;
  readonly #logger: Logger;
  readonly #reconciler: Reconciler;
  readonly #pending = new Map<string, DueJob>();
  #isStarted = false;
  #isFlushing = false;
  #retryTimer: NodeJS.Timeout | null = null;
  #forgetReady: (() => void) | null = null;

  constructor(options: DispatcherOptions) {
    this.#jobQueue = options.jobQueue;
    this.#logger = options.logger;
    this.#reconciler = new Reconciler(options);
  }

  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#forgetReady = this.#jobQueue.onReady(() => this.#flushSoon());
    this.#reconciler.start();
  }

  stop(): void {
    if (!this.#isStarted) return;
    this.#isStarted = false;
    this.#forgetReady?.();
    if (this.#retryTimer !== null) clearTimeout(this.#retryTimer);
    this.#retryTimer = null;
    this.#reconciler.stop();
    this.#pending.clear();
  }

  changed(changes: readonly Change[]): void {
    if (!this.#isStarted) return;
    for (const { job } of changes) {
      const due = toDueJob(job);
      this.#pending.delete(job.id);
      if (due !== null) this.#pending.set(due.jobId, due);
    }
    this.#bound();
    if (this.#pending.size > 0) this.#flushSoon();
  }

  pendingCount(): number {
    return this.#pending.size;
  }

  #bound(): void {
    if (this.#pending.size <= PENDING_MAX) return;
    for (const jobId of this.#pending.keys()) {
      if (this.#pending.size <= PENDING_MAX) return;
      this.#pending.delete(jobId);
    }
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
          if (this.#pending.size > 0 && this.#retryTimer === null) this.#flushSoon();
        });
    });
  }

  async #flush(): Promise<void> {
    while (this.#isStarted && this.#pending.size > 0) {
      if (!this.#jobQueue.isReady()) {
        this.#retryLater("not connected");
        return;
      }
      const batch = [...this.#pending.values().take(BATCH_MAX)];
      const spans = batch.map(startDispatchSpan);
      const outcome = await this.#jobQueue.addMany(batch.map((job, at) => under(job, spans[at])));
      for (const span of spans) {
        if (outcome.kind === "unreachable") span && failSpan(span, outcome.kind, "Redis is away");
        span?.end();
      }
      if (outcome.kind === "unreachable") {
        this.#retryLater(outcome.cause);
        return;
      }
      for (const job of batch) {
        // Queued anew meanwhile: still pending.
        if (this.#pending.get(job.jobId) === job) this.#pending.delete(job.jobId);
      }
    }
  }

  #retryLater(cause: unknown): void {
    if (this.#retryTimer !== null || !this.#isStarted) return;
    this.#logger.debug({ pending: this.#pending.size, cause: String(cause) }, "not dispatched");
    this.#retryTimer = setTimeout(() => {
      this.#retryTimer = null;
      if (this.#pending.size > 0) this.#flushSoon();
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
