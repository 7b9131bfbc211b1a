// A ledger and the log that feeds it, for tests: each call is one committed command.
//
// Guarantees: indexes rise by one; time moves only by `at`; every command is kept, so that a test
// can replay the log into another ledger.

import type {
  AttemptReport,
  Command,
  CommandBody,
  JobSpec,
  Kind,
} from "../../../ledger/command.ts";
import type { Job } from "../../../ledger/job.ts";
import { apply, createLedger, getJob, type Ledger } from "../../../ledger/ledger.ts";
import type { Applied, LockStanding, Result } from "../../../ledger/result.ts";
import type { ScheduleRule } from "../../../ledger/schedule.ts";
import { ledgerSpec } from "../../support/ledger-spec.ts";

export const START_MS = 1_700_000_000_000;
export const LEASE_MS = 10_000;
export const TTL_MS = 5_000;

type AcquireLock = Extract<CommandBody, { kind: "acquire-lock" }>;

export function bytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

export function kindOf(overrides: Partial<Kind> = {}): Kind {
  return {
    kind: "mail",
    queue: "default",
    maxAttempts: 3,
    backoff: { initialMs: 1_000, multiplier: 2, maxMs: 60_000, jitter: 0.5 },
    attemptTimeoutMs: 0,
    totalTimeoutMs: 0,
    lockTemplates: [],
    concurrencyTemplates: [],
    ...overrides,
  };
}

export function specOf(overrides: Partial<JobSpec> = {}): JobSpec {
  return ledgerSpec({ payload: bytes({ to: "ada" }), ...overrides });
}

export function ruleOf(overrides: Partial<ScheduleRule> = {}): ScheduleRule {
  return {
    cron: "",
    timeZone: "UTC",
    intervalMs: 0,
    startMs: 0,
    endMs: 0,
    overlap: "skip",
    missed: "skip",
    missedAfterMs: 30_000,
    ...overrides,
  };
}

export class World {
  ledger: Ledger;
  readonly log: { readonly index: number; readonly command: Command }[] = [];
  /** What the last command changed, as "job event". */
  changes: string[] = [];
  /** As "lock event". */
  lockChanges: string[] = [];
  nowMs = START_MS;
  random = 0;
  #starts = 0;

  constructor(kinds: readonly Kind[] = [kindOf()], receiptsMax = 16) {
    this.ledger = createLedger({ receiptsMax });
    this.commit({ kind: "register-kinds", kinds });
  }

  /** This world from here on, with another ledger that has applied the same. */
  withLedger(ledger: Ledger): World {
    const world = new World();
    world.ledger = ledger;
    world.log.splice(0, 1, ...this.log);
    world.nowMs = this.nowMs;
    world.#starts = this.#starts;
    return world;
  }

  get index(): number {
    return this.log.length;
  }

  /** Milliseconds after the start. */
  at(ms: number): this {
    this.nowMs = START_MS + ms;
    return this;
  }

  commit(body: CommandBody): Result {
    const command = { timeMs: this.nowMs, random: this.random, body };
    this.log.push({ index: this.log.length + 1, command });
    const applied: Applied = apply(this.ledger, this.log.length, command);
    this.changes = applied.changes.map(({ job, event }) => `${job.id} ${event}`);
    this.lockChanges = applied.lockChanges.map(({ lock, event }) => `${lock.id} ${event}`);
    return applied.result;
  }

  submit(...overrides: Partial<JobSpec>[]): Result {
    return this.commit({ kind: "submit-jobs", jobs: overrides.map(specOf) });
  }

  /** The id of a job that has to be accepted. */
  add(overrides: Partial<JobSpec> = {}): string {
    const result = this.submit(overrides);
    const id = result.kind === "submitted" ? result.jobs[0]?.jobId : undefined;
    if (id === undefined) throw new Error(`not accepted: ${JSON.stringify(result)}`);
    return id;
  }

  start(jobId: string, startId = this.#newStartId(), worker = "w1"): Result {
    return this.commit({ kind: "start-attempt", jobId, worker, startId, leaseMs: LEASE_MS });
  }

  /** The token of an attempt that has to start. */
  begin(jobId: string, startId?: string): number {
    const result = this.start(jobId, startId);
    if (result.kind !== "started") throw new Error(`not started: ${JSON.stringify(result)}`);
    return result.token;
  }

  renew(...renewals: { jobId: string; token: number }[]): Result {
    return this.commit({ kind: "renew-leases", worker: "w1", renewals });
  }

  succeed(jobId: string, token: number, result: unknown = "done"): Result {
    const [outcome, error] = ["succeeded", null] as const;
    const finish = { jobId, token, worker: "w1", outcome, result: bytes(result), error };
    return this.commit({ kind: "finish-attempt", ...finish });
  }

  fail(
    jobId: string,
    token: number,
    outcome: "failed" | "timed-out" | "fenced" | "handed-back" = "failed",
    retryable = true,
  ): Result {
    const error = { code: "Boom", message: "it broke", retryable };
    const finish = { jobId, token, worker: "w1", outcome, result: null, error };
    return this.commit({ kind: "finish-attempt", ...finish });
  }

  cancel(jobId: string, reason = ""): Result {
    return this.commit({ kind: "cancel-job", jobId, reason });
  }

  retry(jobId: string, requestId = ""): Result {
    return this.commit({ kind: "retry-job", jobId, requestId });
  }

  report(jobId: string, token: number, change: Partial<AttemptReport> = {}): Result {
    const { lines = [] } = change;
    const nothing = { sequence: 1, progress: null, lines, lineCount: lines.length };
    const reports = [{ jobId, token, ...nothing, ...change }];
    return this.commit({ kind: "report-progress", worker: "w1", reports });
  }
  /** How a lock that is asked for stands. */
  acquire(lockKeys: readonly string[], more: Partial<AcquireLock> = {}): LockStanding {
    const requestId = `r-${this.index}`;
    const ask = { lockKeys, owner: "o", requestId, ttlMs: TTL_MS, waitMs: 0, ...more };
    return this.#standing({ kind: "acquire-lock", ...ask });
  }

  keep(lockId: string, token: number): LockStanding {
    return this.#standing({ kind: "renew-locks", locks: [{ lockId, token }] });
  }

  letGo(lockId: string, token: number): LockStanding {
    return this.#standing({ kind: "release-locks", locks: [{ lockId, token }] });
  }

  #standing(body: CommandBody): LockStanding {
    const result = this.commit(body);
    const standing = result.kind === "locks" ? result.standings[0] : undefined;
    if (standing === undefined) throw new Error(`refused: ${JSON.stringify(result)}`);
    return standing;
  }

  tick(): Result {
    return this.commit({ kind: "tick" });
  }

  openTerm(): Result {
    return this.commit({ kind: "open-term", leader: "n1" });
  }

  job(id: string): Readonly<Job> {
    const job = getJob(this.ledger, id);
    if (job === undefined) throw new Error(`no job ${id}`);
    return job;
  }

  #newStartId(): string {
    this.#starts += 1;
    return `start-${this.#starts}`;
  }
}
