// A whole pipeline in one process for the tests of those who write jobs: no broker, no network, and
// a clock that stands still until it is told to move.
//
// Guarantees: the ledger, the checks of the gateway and the code around handlers are those that run
// in production, so retries, backoffs, leases, locks, families and cancellations are, too. Time
// moves only by `advance`, `runUntilIdle` and by waiting for a job's end; while it moves, it stops
// at every moment at which something is due. Handlers run in real time: one that awaits a real
// timer or a real server is waited for, unless time is moved by `advance`.
// Does not own: durability, brokers. Nothing outlives the process.

import assert from "node:assert";
import { setImmediate as nextTurn } from "node:timers/promises";
import { isTerminal } from "../../ledger/job.ts";
import { counts, getJob, nextDueMs, queuedJobs } from "../../ledger/ledger.ts";
import type { Job } from "../../protos/gen/quorumq/v1/job.ts";
import { PipelineError } from "../../transport/pipeline-error.ts";
import { refusal } from "../../transport/reason.ts";
import { type Logger, silentLogger } from "../../transport/telemetry/logger.ts";
import { clientOver } from "../client/over-connection.ts";
import type { Client, WaitOptions } from "../client.ts";
import type { JobDefinition } from "../define-job.ts";
import { toDueJob } from "../due-job.ts";
import { JobFollower } from "../gateway/follower.ts";
import { LockWaits } from "../gateway/lock-waits.ts";
import { serviceHandlers } from "../gateway/services.ts";
import { isEnded } from "../gateway/wait.ts";
import { byKind, toKind } from "../kind-registration.ts";
import { FaultPlan } from "./fault-plan.ts";
import { connectInProcess } from "./in-process.ts";
import { TestWorker, whileWaiting } from "./test-worker.ts";
import { VirtualClock } from "./virtual-clock.ts";
import { VirtualQuorum } from "./virtual-quorum.ts";

export interface TestPipelineOptions {
  readonly jobs: readonly JobDefinition[];
  /** What the clock shows at first. Default: 2025-01-01T00:00:00Z. */
  readonly startTime?: Date;
  /** Jobs at a time from each queue. Default 10. */
  readonly concurrency?: number;
  /** How long an attempt counts as alive without a sign of life. Default 10 s. */
  readonly leaseMs?: number;
  /** Default: says nothing. */
  readonly logger?: Logger;
}

export interface TestPipeline extends AsyncDisposable {
  /** The client that `createClient` gives, to this pipeline. Waiting for a result moves time. */
  readonly client: Client;
  now(): Date;
  /**
   * Lets this much time pass: jobs that fall due meanwhile run, timeouts and leases end. 0 starts
   * what is due now. Does not wait for handlers that wait for something else than time.
   */
  advance(ms: number): Promise<void>;
  /** Runs all jobs to their ends, moving time over backoffs and delays as far as needed. */
  runUntilIdle(): Promise<void>;
  /** The next attempts of this kind throw this error instead of running its handler. */
  failNext(definition: JobDefinition, error?: unknown, times?: number): void;
  /** The worker that runs this job dies, with all its attempts; another one takes its place. */
  loseWorker(jobId: string): void;
  /**
   * The worker that runs this job stands still, as in a long pause of its machine; another one
   * takes its place. What it says when it is thawed, by the function returned, may come too late.
   */
  freezeWorker(jobId: string): () => void;
  close(): Promise<void>;
}

const START_TIME = new Date("2025-01-01T00:00:00Z");
const CONCURRENCY_DEFAULT = 10;
const LEASE_MS_DEFAULT = 10_000;
/** Turns of the loop without a command, after which handlers wait for something else. */
const QUIET_TURNS = 3;

export function createTestPipeline(options: TestPipelineOptions): TestPipeline {
  return new Pipeline(options);
}

class Pipeline implements TestPipeline {
  readonly client: Client;
  readonly #options: TestPipelineOptions;
  readonly #clock: VirtualClock;
  readonly #quorum: VirtualQuorum;
  readonly #follower: JobFollower;
  readonly #lockWaits: LockWaits;
  readonly #faults: FaultPlan;
  readonly #logger: Logger;
  /** The last one takes jobs; those before it are lost, or were frozen. */
  readonly #workers: TestWorker[] = [];
  /** Deliveries that were given out, named as in BullMQ. */
  readonly #delivered = new Set<string>();
  /** Whoever moves time, one after the other. */
  #mover: Promise<void> = Promise.resolve();
  #isMoving = false;
  #isClosed = false;

  constructor(options: TestPipelineOptions) {
    this.#options = options;
    this.#logger = options.logger ?? silentLogger();
    this.#clock = new VirtualClock((options.startTime ?? START_TIME).getTime());
    this.#quorum = new VirtualQuorum(this.#clock);
    this.#follower = new JobFollower(this.#quorum, this.#logger);
    this.#lockWaits = new LockWaits(this.#quorum, this.#logger);
    this.#faults = new FaultPlan(byKind(options.jobs));
    this.#addWorker();
    this.#quorum.register(options.jobs.map(toKind));
    this.client = clientOver({
      ...connectInProcess(serviceHandlers(this.#quorum, this.#follower, this.#lockWaits)),
      close: () => undefined,
      nowMs: () => this.#clock.nowMs(),
      clock: this.#clock,
      wait: (jobId, wait) => whileWaiting(() => this.#wait(jobId, wait)),
    });
  }

  now(): Date {
    return new Date(this.#clock.nowMs());
  }

  advance(ms: number): Promise<void> {
    assert(ms >= 0, `time goes on, got ${ms}`);
    return this.#move(async () => {
      const endMs = this.#clock.nowMs() + ms;
      await this.#settle();
      while (this.#stepBefore(endMs)) await this.#settle();
      this.#clock.moveTo(endMs);
      await this.#settle();
    });
  }

  runUntilIdle(): Promise<void> {
    return this.#move(async () => {
      for (;;) {
        await this.#settle();
        if (await this.#somethingHappened()) continue;
        if (!this.#hasOpenJobs() || nextDueMs(this.#quorum.ledger) === null) return;
        this.#stepBefore(Number.POSITIVE_INFINITY);
      }
    });
  }

  failNext(
    definition: JobDefinition,
    error: unknown = new Error("failNext: this attempt was to fail"),
    times = 1,
  ): void {
    this.#faults.failNext(definition.kind, error, times);
  }

  loseWorker(jobId: string): void {
    this.#replace(jobId).lose();
  }

  freezeWorker(jobId: string): () => void {
    const worker = this.#replace(jobId);
    worker.freeze();
    return () => worker.thaw();
  }

  /** The worker that runs this job; a new one takes jobs from now on. */
  #replace(jobId: string): TestWorker {
    const worker = this.#workers.at(-1);
    assert(worker?.runs(jobId) === true, `no worker runs ${jobId}: advance(0) starts what is due`);
    this.#addWorker();
    return worker;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const worker of this.#workers) worker.close();
    this.#follower.close();
    this.#lockWaits.close();
    await this.#quorum.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** One after the other: two that move time at once would take it from each other. */
  async #move<T>(move: () => Promise<T>): Promise<T> {
    assert(!this.#isClosed, "a pipeline that was closed runs nothing");
    const before = this.#mover;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#mover = promise;
    await before;
    this.#isMoving = true;
    try {
      return await move();
    } finally {
      this.#isMoving = false;
      resolve();
    }
  }

  /** Until nothing happens any more without time: what handlers wait for then is outside. */
  async #settle(): Promise<void> {
    for (let quiet = 0; quiet < QUIET_TURNS; ) {
      const { index } = this.#quorum;
      // Also what was to run at once.
      this.#clock.moveTo(this.#clock.nowMs());
      this.#quorum.tickIfDue();
      this.#deliver();
      await nextTurn();
      quiet = this.#quorum.index === index ? quiet + 1 : 0;
    }
  }

  /** To the next moment at which something is due. False: there is none before this time. */
  #stepBefore(endMs: number): boolean {
    const timerMs = this.#clock.nextMs() ?? Number.POSITIVE_INFINITY;
    const dueMs = this.#quorum.nextMs() ?? Number.POSITIVE_INFINITY;
    const nextMs = Math.min(timerMs, dueMs);
    if (nextMs > endMs || nextMs === Number.POSITIVE_INFINITY) return false;
    this.#clock.moveTo(Math.max(nextMs, this.#clock.nowMs()));
    return true;
  }

  /** False at once if no handler is busy; else waits for it, or for the next command. */
  async #somethingHappened(): Promise<boolean> {
    const busy = this.#workers.flatMap((worker) => worker.busy());
    if (busy.length === 0) return false;
    await Promise.race([...busy, this.#quorum.changed()]);
    return true;
  }

  #hasOpenJobs(): boolean {
    const { scheduled, queued, running } = counts(this.#quorum.ledger);
    return scheduled + queued + running > 0;
  }

  async #wait(jobId: string, { deadlineMs, signal }: WaitOptions = {}): Promise<Job> {
    const endMs = this.#clock.nowMs() + (deadlineMs ?? Number.POSITIVE_INFINITY);
    for (;;) {
      const job = await this.client.get(jobId);
      if (isEnded(job)) return job;
      if (signal?.aborted === true) throw PipelineError.from(signal.reason);
      // Somebody moves time already, who may wait for the very handler that has asked.
      if (this.#isMoving) await Promise.race([this.#quorum.changed(), this.#mover]);
      else await this.#move(() => this.#stepTowardsEnd(jobId, endMs));
    }
  }

  async #stepTowardsEnd(jobId: string, endMs: number): Promise<void> {
    await this.#settle();
    const state = getJob(this.#quorum.ledger, jobId)?.state;
    if (state === undefined || isTerminal(state)) return;
    if (await this.#somethingHappened()) return;
    if (nextDueMs(this.#quorum.ledger) === null) {
      throw new Error(`${jobId} is ${state}, and nothing is due that could change it`);
    }
    if (this.#stepBefore(endMs)) return;
    this.#clock.moveTo(endMs);
    throw refusal("OUTCOME_UNKNOWN", `job ${jobId} has not ended yet: wait again`, {
      metadata: { job_id: jobId },
    });
  }

  /** What would be in BullMQ, in its order: by priority, then as it was queued. */
  #deliver(): void {
    const due = Array.from(queuedJobs(this.#quorum.ledger), toDueJob).filter((job) => job !== null);
    for (const job of due.sort((one, other) => other.priority - one.priority)) {
      const { jobId, dispatch, kind, queue, traceparent } = job;
      const name = `${jobId}#${dispatch}`;
      const worker = this.#workers.at(-1);
      const { concurrency = CONCURRENCY_DEFAULT } = this.#options;
      if (worker === undefined || worker.countOf(queue) >= concurrency) continue;
      if (this.#delivered.has(name)) continue;
      this.#delivered.add(name);
      worker.take({ jobId, kind, queue, traceparent });
    }
  }

  #addWorker(): void {
    this.#workers.push(
      new TestWorker({
        quorum: this.#quorum,
        clock: this.#clock,
        id: `worker-${this.#workers.length + 1}`,
        leaseMs: this.#options.leaseMs ?? LEASE_MS_DEFAULT,
        logger: this.#logger,
        definitionOf: (kind) => this.#faults.definitionOf(kind),
      }),
    );
  }
}
