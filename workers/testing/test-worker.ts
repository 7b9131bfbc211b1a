// A worker of a test pipeline: the attempt runner and lease keeper that every worker has, on the
// pipeline's clock, without Redis.
//
// Guarantees: attempts are started, renewed, aborted and reported by the code that runs in
// production; the ledger's locks are the only ones. A lost worker says nothing more to the quorum,
// as if its process had died; what its handlers still do in this one reaches nobody. A frozen one
// says it when it is thawed.
// Does not own: which jobs it gets (test-pipeline.ts).

import { AsyncLocalStorage } from "node:async_hooks";
import type { Quorum } from "../../transport/quorum.ts";
import type { Delivery } from "../../transport/redis/job-worker.ts";
import type { RedisLock } from "../../transport/redis/redis-lock.ts";
import type { Logger } from "../../transport/telemetry/logger.ts";
import { AttemptRunner } from "../attempt-runner.ts";
import type { Clock } from "../clock.ts";
import type { JobDefinition } from "../define-job.ts";
import { LeaseKeeper } from "../lease-keeper.ts";
import { ProgressReporter } from "../progress-reporter.ts";
import { Reach } from "./reach.ts";

export interface TestWorkerOptions {
  readonly quorum: Quorum;
  readonly clock: Clock;
  readonly id: string;
  readonly leaseMs: number;
  readonly logger: Logger;
  readonly definitionOf: (kind: string) => JobDefinition | undefined;
}

/** Every lock is to be had: the ledger has given it before. */
const NO_REDIS: RedisLock = {
  acquire: () => Promise.resolve({ kind: "held" }),
  renew: () => Promise.resolve({ kind: "held" }),
  release: () => Promise.resolve({ kind: "released", count: 0 }),
  close: () => Promise.resolve(),
};

/** An attempt that runs here. */
interface LiveAttempt {
  readonly queue: string;
  readonly end: Promise<unknown>;
  /** How many calls of its handler wait for other jobs of the pipeline. */
  waitCount: number;
}

const RUNNING = new AsyncLocalStorage<{ attempt: LiveAttempt | null }>();

/** Waits for other jobs: called from within a handler, its attempt is not waited for meanwhile. */
export async function whileWaiting<T>(wait: () => Promise<T>): Promise<T> {
  const attempt = RUNNING.getStore()?.attempt ?? null;
  if (attempt === null) return await wait();
  attempt.waitCount += 1;
  try {
    return await wait();
  } finally {
    attempt.waitCount -= 1;
  }
}

export class TestWorker {
  readonly #leases: LeaseKeeper;
  readonly #progress: ProgressReporter;
  readonly #runner: AttemptRunner;
  readonly #stopping = new AbortController();
  readonly #live = new Map<string, LiveAttempt>();
  readonly #reach = new Reach();

  constructor(options: TestWorkerOptions) {
    const parts = {
      ...options,
      quorum: this.#reach.quorumOf(options.quorum),
      clock: this.#reach.clockOf(options.clock),
      worker: options.id,
      locks: NO_REDIS,
    };
    this.#leases = new LeaseKeeper(parts);
    this.#progress = new ProgressReporter({
      ...parts,
      stale: (fenced) => this.#leases.stale(fenced),
    });
    this.#runner = new AttemptRunner({
      ...parts,
      leases: this.#leases,
      progress: this.#progress,
      draining: new AbortController().signal,
      stopping: this.#stopping.signal,
      givingUp: this.#stopping.signal,
    });
  }

  /** The ends of attempts that wait for nothing here: none of a worker that is frozen or lost. */
  busy(): readonly Promise<unknown>[] {
    if (!this.#reach.isHere) return [];
    const attempts = [...this.#live.values()].filter(({ waitCount }) => waitCount === 0);
    return attempts.map(({ end }) => end);
  }

  countOf(queue: string): number {
    let count = 0;
    for (const attempt of this.#live.values()) if (attempt.queue === queue) count += 1;
    return count;
  }

  runs(jobId: string): boolean {
    return this.#live.has(jobId);
  }

  take(delivery: Delivery): void {
    const { jobId, queue } = delivery;
    const store: { attempt: LiveAttempt | null } = { attempt: null };
    const run = RUNNING.run(store, () => this.#runner.run(delivery));
    const end = run.finally(() => this.#forget(jobId, store));
    const attempt: LiveAttempt = { queue, end, waitCount: 0 };
    store.attempt = attempt;
    this.#live.set(jobId, attempt);
  }

  freeze(): void {
    this.#reach.freeze();
  }

  thaw(): void {
    this.#reach.thaw();
  }

  lose(): void {
    this.#reach.lose();
    this.#leases.stop();
    this.#progress.stop();
  }

  /** Its handlers are told to stop; what they report is not awaited. */
  close(): void {
    this.lose();
    this.#stopping.abort();
  }

  #forget(jobId: string, { attempt }: { attempt: LiveAttempt | null }): void {
    if (this.#live.get(jobId) === attempt) this.#live.delete(jobId);
  }
}
