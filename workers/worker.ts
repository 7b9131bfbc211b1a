// A worker process's work: registers its kinds, takes their jobs from Redis, runs them, and drains.
//
//   created ──run()──▶ registering ──▶ taking jobs ──close()──▶ draining ──▶ closed
//
// Guarantees: takes nothing before the ledger knows its kinds; `close` takes nothing new, lets
// running attempts end within the grace, then aborts them and hands back what has not ended, and
// leaves no connection open. A quorum or Redis that is away is waited for, never fatal.
// Does not own: a single attempt (attempt-runner.ts); signals of the process (deploy).

import assert from "node:assert";
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Started } from "../protos/gen/node/v1/exchange.ts";
import { KEY_LENGTH_MAX, LEASE_MS_MAX } from "../transport/limit.ts";
import type { Quorum } from "../transport/quorum.ts";
import {
  createBullJobWorker,
  type Delivery,
  type DeliveryEnd,
  type JobWorker,
} from "../transport/redis/job-worker.ts";
import { createRedisLock, NO_REDIS_LOCK, type RedisLock } from "../transport/redis/redis-lock.ts";
import { type Logger, silentLogger } from "../transport/telemetry/logger.ts";
import type { AttemptRef, EndReport } from "./attempt-report.ts";
import { AttemptRunner } from "./attempt-runner.ts";
import type { JobDefinition } from "./define-job.ts";
import { byKind, registerKinds } from "./kind-registration.ts";
import { LeaseKeeper } from "./lease-keeper.ts";
import { LeaseThread, type LeaseThreadOptions } from "./lease-thread.ts";
import { ProgressReporter } from "./progress-reporter.ts";

export interface WorkerOptions {
  readonly jobs: readonly JobDefinition[];
  /** Names this worker in attempts. Default: a random one. Two live workers need two ids. */
  readonly id?: string;
  /** Jobs at a time from each queue: one number for all, or one a queue (default 10). */
  readonly concurrency?: number | Readonly<Record<string, number>>;
  /** How long an attempt counts as alive without a sign of life. */
  readonly leaseMs?: number;
  /**
   * How long a worker whose event loop is blocked keeps its leases, which a thread renews
   * meanwhile. 0: no thread, so a loop that is blocked for a lease loses its jobs. Default: 60 s.
   */
  readonly blockedMsMax?: number;
  /**
   * False: no locks in Redis. The ledger alone keeps two from running under one key, and tells a
   * frozen worker. Default: true.
   */
  readonly redisLocks?: boolean;
  /** Default: says nothing. */
  readonly logger?: Logger;
}

export interface WorkerOnOptions extends WorkerOptions {
  readonly redis: { readonly url: string; readonly cluster: string };
  /** How a thread of its own reaches the quorum while the loop is blocked. Without: no thread. */
  readonly leaseThread?: Pick<LeaseThreadOptions, "amqpUrl" | "logLevel">;
  /** Told once of each attempt that was started or resumed here. */
  readonly attemptEnded?: (attempt: AttemptRef, report: EndReport) => void;
}

export interface Worker {
  readonly id: string;
  /** Resolves when the kinds are registered and jobs are being taken, or when closed before. */
  run(): Promise<void>;
  /**
   * True while it takes jobs: registered, a leader heard of within two seconds, and Redis answering
   * when it is asked for jobs.
   */
  isReady(): boolean;
  /** Why it is not ready: for a health check, or null. */
  problem(): string | null;
  /** Attempts that run now. */
  liveAttempts(): number;
  /** Default grace: 25 s. Calling it again waits for the same end; it can only come earlier. */
  close(options?: { readonly graceMs?: number }): Promise<void>;
}

export interface WorkerOn extends Worker {
  /** Goes on with an attempt that was started elsewhere, as the ledger has it. */
  resume(delivery: Delivery, started: Started): void;
  /** How long an attempt of this worker is still its own, as far as it knows. */
  leaseLeftMs(attempt: AttemptRef): number;
}

export const CONCURRENCY_DEFAULT = 10;
export const LEASE_MS_DEFAULT = 10_000;
export const LEASE_MS_MIN = 100;
export const BLOCKED_MS_MAX_DEFAULT = 60_000;
export const GRACE_MS_DEFAULT = 25_000;
const TIMER_MS_MAX = 2 ** 31 - 1;
/** After the grace: how long handing back may take. */
const HAND_BACK_MS = 5_000;
/**
 * A delivery of a kind that this worker does not know goes back into its queue: half the time at
 * once, when the worker that has waited longest gets it, which is not this one; else after this,
 * so that a worker that is alone does not spin. Never only later: workers that wait for the same
 * moment are woken in the order of their connections, every time the same.
 */
const UNKNOWN_KIND_DELAY_MS = 250;

/** A worker on a quorum that the caller owns and closes. */
export function createWorkerOn(quorum: Quorum, options: WorkerOnOptions): WorkerOn {
  return new QuorumWorker(quorum, options);
}

class QuorumWorker implements WorkerOn {
  readonly id: string;
  readonly #quorum: Quorum;
  readonly #options: WorkerOnOptions;
  readonly #jobs: ReadonlyMap<string, JobDefinition>;
  readonly #leaseMs: number;
  readonly #logger: Logger;
  readonly #draining = new AbortController();
  readonly #stopping = new AbortController();
  readonly #givingUp = new AbortController();
  readonly #locks: RedisLock;
  readonly #leases: LeaseKeeper;
  readonly #leaseThread: LeaseThread | null;
  readonly #progress: ProgressReporter;
  readonly #runner: AttemptRunner;
  readonly #live = new Set<Promise<unknown>>();
  readonly #graceOver = Promise.withResolvers<void>();
  #graceEndMs = Number.POSITIVE_INFINITY;
  #graceTimer: NodeJS.Timeout | undefined;
  readonly #unknownKinds = new Set<string>();
  #jobWorkers: JobWorker[] = [];
  #closing: Promise<void> | null = null;

  constructor(quorum: Quorum, options: WorkerOnOptions) {
    this.#quorum = quorum;
    this.#options = options;
    this.id = options.id ?? `worker-${randomUUID().slice(0, 8)}`;
    this.#jobs = byKind(options.jobs);
    this.#leaseMs = options.leaseMs ?? LEASE_MS_DEFAULT;
    assert(
      Number.isInteger(this.#leaseMs) &&
        this.#leaseMs >= LEASE_MS_MIN &&
        this.#leaseMs <= LEASE_MS_MAX,
      `leaseMs is a whole number from ${LEASE_MS_MIN} to ${LEASE_MS_MAX}, got ${this.#leaseMs}`,
    );
    const { blockedMsMax = 0 } = options;
    assert(
      Number.isInteger(blockedMsMax) && blockedMsMax >= 0,
      `blockedMsMax is a whole number from 0, got ${blockedMsMax}`,
    );
    assert(
      this.id !== "" && this.id.length <= KEY_LENGTH_MAX,
      `a worker's id has 1 to ${KEY_LENGTH_MAX} characters, got ${this.id.length}`,
    );
    this.#logger = options.logger ?? silentLogger();
    this.#locks =
      options.redisLocks === false
        ? NO_REDIS_LOCK
        : createRedisLock({ ...options.redis, id: this.id, logger: this.#logger });
    const parts = {
      quorum,
      locks: this.#locks,
      worker: this.id,
      leaseMs: this.#leaseMs,
      logger: this.#logger,
    };
    this.#leaseThread = leaseThreadOf(options, parts);
    this.#leases = new LeaseKeeper({ ...parts, thread: this.#leaseThread });
    this.#progress = new ProgressReporter({
      ...parts,
      stale: (fenced) => this.#leases.stale(fenced),
    });
    this.#runner = new AttemptRunner({
      ...parts,
      leases: this.#leases,
      progress: this.#progress,
      definitionOf: (kind) => this.#jobs.get(kind),
      draining: this.#draining.signal,
      stopping: this.#stopping.signal,
      givingUp: this.#givingUp.signal,
      ...(options.attemptEnded === undefined ? {} : { ended: options.attemptEnded }),
    });
  }

  async run(): Promise<void> {
    assert(this.#jobWorkers.length === 0, "run() is called once");
    const isRegistered = await registerKinds(this.#quorum, this.#jobs.values(), {
      signal: this.#draining.signal,
      logger: this.#logger,
    });
    // Closed meanwhile: nobody would close what is opened from here on.
    if (!isRegistered || this.#draining.signal.aborted) return;
    const queues = new Set([...this.#jobs.values()].map((job) => job.queue));
    this.#jobWorkers = [...queues].map((queue) =>
      createBullJobWorker({
        ...this.#options.redis,
        id: this.id,
        queue,
        concurrency: concurrencyOf(this.#options, queue),
        lockMs: this.#leaseMs,
        logger: this.#logger,
        process: (delivery) => this.#take(delivery),
      }),
    );
  }

  isReady(): boolean {
    return this.problem() === null;
  }

  problem(): string | null {
    if (this.#draining.signal.aborted) return "it drains";
    if (this.#quorum.leader().leader === null) return "no leader is known";
    if (this.#jobWorkers.length === 0) return "its kinds are not registered yet";
    for (const jobWorker of this.#jobWorkers) {
      const problem = jobWorker.problem();
      if (problem !== null) return problem;
    }
    return null;
  }

  liveAttempts(): number {
    return this.#live.size;
  }

  leaseLeftMs(attempt: AttemptRef): number {
    return this.#leases.leftMs(attempt);
  }

  resume(delivery: Delivery, started: Started): void {
    void this.#track(this.#runner.resume(delivery, started)).catch((error: unknown) => {
      this.#logger.error({ err: error, job_id: delivery.jobId }, "a resumed attempt failed");
    });
  }

  close({ graceMs = GRACE_MS_DEFAULT }: { readonly graceMs?: number } = {}): Promise<void> {
    this.#endGraceIn(graceMs);
    this.#closing ??= this.#drain(graceMs).finally(() => this.#endGraceIn(0));
    return this.#closing;
  }

  #endGraceIn(graceMs: number): void {
    const endMs = performance.now() + graceMs;
    if (endMs >= this.#graceEndMs) return;
    this.#graceEndMs = endMs;
    clearTimeout(this.#graceTimer);
    const end = this.#graceOver.resolve;
    if (graceMs === 0) end();
    else this.#graceTimer = setTimeout(end, Math.min(graceMs, TIMER_MS_MAX));
  }

  async #take(delivery: Delivery): Promise<DeliveryEnd> {
    if (!this.#jobs.has(delivery.kind)) return this.#passOn(delivery);
    return await this.#track(this.#runner.run(delivery));
  }

  async #track<T>(end: Promise<T>): Promise<T> {
    this.#live.add(end);
    try {
      return await end;
    } finally {
      this.#live.delete(end);
    }
  }

  #passOn({ kind, queue }: Delivery): DeliveryEnd {
    if (!this.#unknownKinds.has(kind)) {
      this.#unknownKinds.add(kind);
      this.#logger.warn({ kind, queue }, "a job of a kind that this worker does not know");
    }
    const delayMs = Math.random() < 0.5 ? 0 : UNKNOWN_KIND_DELAY_MS;
    return { kind: "put-back", delayMs };
  }

  async #drain(graceMs: number): Promise<void> {
    this.#logger.info({ live: this.#live.size, grace_ms: graceMs }, "draining");
    this.#draining.abort();
    await Promise.all(this.#jobWorkers.map((jobWorker) => jobWorker.pause()));
    const isDrained = await this.#endedBefore(this.#graceOver.promise);
    if (!isDrained) {
      this.#logger.warn({ live: this.#live.size }, "grace is over: handing back");
      this.#stopping.abort();
      await this.#endedWithin(HAND_BACK_MS);
      this.#givingUp.abort();
      await this.#endedWithin(HAND_BACK_MS);
    }
    this.#leases.stop();
    await this.#leaseThread?.stop();
    this.#progress.stop();
    const ends = await Promise.allSettled(this.#jobWorkers.map((jobWorker) => jobWorker.close()));
    for (const end of ends) {
      if (end.status === "rejected") this.#logger.warn({ error: String(end.reason) }, "closing");
    }
    await this.#locks.close();
  }

  async #endedWithin(timeoutMs: number): Promise<void> {
    const timer = new AbortController();
    // An abort only says that nobody waits any more.
    await this.#endedBefore(sleep(timeoutMs, null, { signal: timer.signal }).catch(() => null));
    timer.abort();
  }

  /** True when no attempt is left. */
  async #endedBefore(over: Promise<unknown>): Promise<boolean> {
    await Promise.race([Promise.allSettled(this.#live), over]);
    return this.#live.size === 0;
  }
}

function leaseThreadOf(
  { leaseThread, blockedMsMax = BLOCKED_MS_MAX_DEFAULT, redis: { cluster } }: WorkerOnOptions,
  parts: Pick<LeaseThreadOptions, "worker" | "leaseMs" | "logger">,
): LeaseThread | null {
  if (leaseThread === undefined || blockedMsMax === 0) return null;
  const { worker, leaseMs, logger } = parts;
  return new LeaseThread({ ...leaseThread, worker, leaseMs, logger, blockedMsMax, cluster });
}

function concurrencyOf({ concurrency }: WorkerOptions, queue: string): number {
  const count =
    typeof concurrency === "object" ? concurrency[queue] : (concurrency ?? CONCURRENCY_DEFAULT);
  return count ?? CONCURRENCY_DEFAULT;
}
