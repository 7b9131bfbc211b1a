// Callers that come at a steady rate, and what became of them.
//
// Guarantees: arrivals do not wait for answers (an open loop), so a stalled pipeline meets a crowd,
// which may be given an end: who comes when it is reached goes away again.
// Every code that any caller saw is counted; when jobs were accepted is known for the whole run.
// Does not own: what a caller does (caller.ts), what happens to the pipeline meanwhile (fault.ts),
// the verdict (audit.ts).

import { setTimeout as delay } from "node:timers/promises";
import type { JobsConnection } from "../../transport/grpc/client.ts";
import { type AcceptedJob, Caller } from "./caller.ts";
import type { ClientHistory } from "./client-history.ts";
import type { Dice } from "./dice.ts";
import { planOf } from "./job-mix.ts";

const TURN_MS = 20;
const ACCEPTED_TIMEOUT_MS = 150_000;

export interface LoadOptions {
  readonly jobs: JobsConnection["jobs"];
  readonly jobsPerSecond: number;
  readonly history: ClientHistory;
  readonly dice: Dice;
  /** How many callers there may be at once; as many as come, if left out. */
  readonly callersMax?: number;
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
  readonly #options: LoadOptions;
  readonly #accepted: AcceptedJob[] = [];
  readonly #acceptedAtMs: number[] = [performance.now()];
  readonly #codes: Record<string, number> = {};
  readonly #failures: string[] = [];
  readonly #callers = new Set<Promise<void>>();
  readonly #waiters = new Set<Waiter>();
  #submitted = 0;
  #isRunning = true;
  readonly #arrivals: Promise<void>;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#arrivals = this.#arrive();
  }

  /**
   * Resolves with the ms until a job is accepted whose submission began after now: an answer that
   * was on its way already says nothing about the pipeline as it is.
   */
  untilAccepted(): Promise<number> {
    const sinceMs = performance.now();
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const timer = setTimeout(() => {
      reject(new Error(`no job accepted within ${ACCEPTED_TIMEOUT_MS} ms`));
    }, ACCEPTED_TIMEOUT_MS);
    this.#waiters.add({ sinceMs, resolve });
    return promise.finally(() => clearTimeout(timer));
  }

  /** Resolves when so many more have been accepted. */
  async untilMoreAccepted(count: number): Promise<void> {
    const enough = this.#accepted.length + count;
    while (this.#accepted.length < enough) await this.untilAccepted();
  }

  /** The longest time within these in which nobody was accepted. */
  gapMs(fromMs: number, toMs: number): number {
    let gap = 0;
    let lastMs = fromMs;
    for (const atMs of this.#acceptedAtMs) {
      if (atMs <= fromMs) continue;
      if (atMs >= toMs) break;
      gap = Math.max(gap, atMs - lastMs);
      lastMs = atMs;
    }
    return Math.round(Math.max(gap, toMs - lastMs));
  }

  /** No more arrivals; resolves when every caller has been accepted or has given up. */
  async stop(): Promise<LoadReport> {
    this.#isRunning = false;
    await this.#arrivals;
    await Promise.all(this.#callers);
    const [firstMs = 0] = this.#acceptedAtMs;
    return {
      submitted: this.#submitted,
      accepted: this.#accepted,
      codes: this.#codes,
      failures: this.#failures,
      gapMsMax: this.gapMs(firstMs, this.#acceptedAtMs.at(-1) ?? firstMs),
    };
  }

  async #arrive(): Promise<void> {
    const { jobsPerSecond, callersMax = Number.POSITIVE_INFINITY } = this.#options;
    const startedMs = performance.now();
    let arrived = 0;
    while (this.#isRunning) {
      const dueMs = performance.now() - startedMs;
      const due = Math.floor((dueMs / 1_000) * jobsPerSecond);
      for (; arrived < due; arrived += 1) {
        if (this.#callers.size < callersMax) this.#begin();
      }
      await delay(TURN_MS);
    }
  }

  #begin(): void {
    const { jobs, history, dice } = this.#options;
    const caller = new Caller({
      jobs,
      history,
      name: `c${this.#submitted}`,
      plan: planOf(this.#submitted, dice),
      countCode: (code) => {
        this.#codes[code] = (this.#codes[code] ?? 0) + 1;
      },
      onAccepted: (job, calledAtMs) => this.#noteAccepted(job, calledAtMs),
      onFailure: (what) => this.#failures.push(what),
    });
    const running: Promise<void> = caller.run().finally(() => this.#callers.delete(running));
    this.#callers.add(running);
    this.#submitted += 1;
  }

  #noteAccepted(job: AcceptedJob, calledAtMs: number): void {
    const nowMs = performance.now();
    this.#acceptedAtMs.push(nowMs);
    this.#accepted.push(job);
    for (const waiter of this.#waiters) {
      if (calledAtMs < waiter.sinceMs) continue;
      this.#waiters.delete(waiter);
      waiter.resolve(nowMs - waiter.sinceMs);
    }
  }
}
