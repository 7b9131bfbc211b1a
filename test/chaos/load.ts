// Callers that submit jobs at a steady rate and do what the README tells them on an error.
//
// Guarantees: arrivals do not wait for answers (an open loop), so a stalled pipeline meets a crowd.
// Each caller keeps one idempotency key and asks again on a retryable code until it is accepted;
// every code that any caller saw is counted, and a code that is not retryable is kept in full.
// Does not own: what happens to the pipeline meanwhile (fault.ts), nor the verdict (audit.ts).

import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { JobSpec } from "../../protos/gen/quorumq/v1/job.ts";
import type { JobsConnection } from "../../transport/grpc/client.ts";
import { PipelineError } from "../../transport/pipeline-error.ts";

const RETRYABLE = new Set<string>(["UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"]);
const CALL_TIMEOUT_MS = 5_000;
/** A caller gives up after this: then the run has failed. */
const CALLER_PATIENCE_MS = 90_000;
const TURN_MS = 20;

export interface AcceptedJob {
  readonly jobId: string;
  readonly logIndex: number;
  readonly key: string;
}

export interface LoadReport {
  readonly submitted: number;
  readonly accepted: readonly AcceptedJob[];
  /** Answers by code: OK, UNAVAILABLE, … */
  readonly codes: Readonly<Record<string, number>>;
  /** Codes that no caller may see, and callers that ran out of patience. */
  readonly failures: readonly string[];
  /** The longest time in which nobody was accepted. */
  readonly gapMsMax: number;
}

interface Waiter {
  readonly sinceMs: number;
  readonly resolve: (ms: number) => void;
}

export class Load {
  readonly #jobs: JobsConnection["jobs"];
  readonly #jobsPerSecond: number;
  readonly #accepted: AcceptedJob[] = [];
  readonly #codes: Record<string, number> = {};
  readonly #failures: string[] = [];
  readonly #callers = new Set<Promise<void>>();
  readonly #waiters = new Set<Waiter>();
  #submitted = 0;
  #lastAcceptedMs = performance.now();
  #gapMsMax = 0;
  #isRunning = true;
  readonly #arrivals: Promise<void>;

  constructor(jobs: JobsConnection["jobs"], jobsPerSecond: number) {
    this.#jobs = jobs;
    this.#jobsPerSecond = jobsPerSecond;
    this.#arrivals = this.#arrive();
  }

  /**
   * Resolves with the ms until a job is accepted whose submission began after now: an answer that
   * was on its way already says nothing about the pipeline as it is.
   */
  untilAccepted(): Promise<number> {
    const sinceMs = performance.now();
    return new Promise((resolve) => this.#waiters.add({ sinceMs, resolve }));
  }

  /** No more arrivals; resolves when every caller has been accepted or has given up. */
  async stop(): Promise<LoadReport> {
    this.#isRunning = false;
    await this.#arrivals;
    await Promise.all(this.#callers);
    return {
      submitted: this.#submitted,
      accepted: this.#accepted,
      codes: this.#codes,
      failures: this.#failures,
      gapMsMax: Math.round(this.#gapMsMax),
    };
  }

  async #arrive(): Promise<void> {
    const startedMs = performance.now();
    while (this.#isRunning) {
      const due = Math.floor(((performance.now() - startedMs) / 1_000) * this.#jobsPerSecond);
      while (this.#submitted < due) {
        const caller: Promise<void> = this.#call(jobSpec(this.#submitted)).finally(() =>
          this.#callers.delete(caller),
        );
        this.#callers.add(caller);
        this.#submitted += 1;
      }
      await delay(TURN_MS);
    }
  }

  async #call(job: JobSpec): Promise<void> {
    const untilMs = performance.now() + CALLER_PATIENCE_MS;
    for (let tries = 1; performance.now() < untilMs; tries += 1) {
      const callMs = performance.now();
      try {
        const { jobId, logIndex } = await this.#jobs.submitJob(
          { job },
          { timeoutMs: CALL_TIMEOUT_MS },
        );
        this.#count("OK");
        this.#noteAccepted({ jobId, logIndex, key: job.idempotencyKey }, callMs);
        return;
      } catch (error) {
        const failure = PipelineError.from(error);
        this.#count(failure.code);
        if (!RETRYABLE.has(failure.code)) {
          this.#failures.push(failure.message);
          return;
        }
        await delay(Math.min(100 * 2 ** tries, 1_000) * (0.5 + Math.random() / 2));
      }
    }
    this.#failures.push(`not accepted within ${CALLER_PATIENCE_MS} ms: ${job.idempotencyKey}`);
  }

  #count(code: string): void {
    this.#codes[code] = (this.#codes[code] ?? 0) + 1;
  }

  #noteAccepted(job: AcceptedJob, callMs: number): void {
    const nowMs = performance.now();
    this.#gapMsMax = Math.max(this.#gapMsMax, nowMs - this.#lastAcceptedMs);
    this.#lastAcceptedMs = nowMs;
    this.#accepted.push(job);
    for (const waiter of this.#waiters) {
      if (callMs < waiter.sinceMs) continue;
      this.#waiters.delete(waiter);
      waiter.resolve(nowMs - waiter.sinceMs);
    }
  }
}

/** Nine small readings for each charge, which needs a lock and fails now and then. */
function jobSpec(number: number): JobSpec {
  const isCharge = number % 10 === 9;
  const payload = isCharge
    ? { orderId: `o-${number}`, accountId: `a-${number % 50}`, amountCents: 100 }
    : { deviceId: `d-${number % 200}`, at: number + 1, celsius: 20 };
  return {
    kind: isCharge ? "charge-order" : "ingest-reading",
    queue: "",
    payload: Buffer.from(JSON.stringify(payload)),
    priority: 0,
    runAt: undefined,
    // Faults use attempts up, and the example's payment step fails: enough for all of them.
    maxAttempts: 50,
    backoff: undefined,
    attemptTimeout: undefined,
    lockKeys: [],
    idempotencyKey: randomUUID(),
  };
}
