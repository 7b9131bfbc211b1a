// A worker: starts attempts, keeps their leases, reports how they end.
//
// Guarantees: what to run is a hint taken from any replica, however old, as BullMQ's is; the start
// is repeated with its id and the report with its token until they are answered. A worker that
// stalls comes back with an old token.
// Does not own: what is right (the ledger).

import type { ReportedOutcome } from "../../../ledger/command.ts";
import { bytes } from "../../unit/ledger/world.ts";
import type { JobCall } from "../linearizability/job-call.ts";
import { Caller, type Clients } from "./caller.ts";
import { isTold } from "./history-witness.ts";

const REPORTS: readonly ReportedOutcome[] = [
  "succeeded",
  "succeeded",
  "succeeded",
  "failed",
  "timed-out",
  "handed-back",
  "fenced",
];

interface Attempt {
  readonly jobId: string;
  readonly token: number;
  /** False: it is not in the history (gateway.ts and scheduler.ts say why). */
  readonly isTold: boolean;
  isOver: boolean;
}

export class Worker {
  isDraining = false;
  /** Nothing is done before. */
  stalledUntilMs = 0;
  readonly #clients: Clients;
  readonly #caller: Caller;
  #starts = 0;

  constructor(clients: Clients, name: string) {
    this.#clients = clients;
    this.#caller = new Caller(clients, name);
  }

  start(): void {
    this.#thinkThenTake();
  }

  #after(delayMs: number, happen: () => void): void {
    const { scheduler } = this.#clients.sim;
    scheduler.after(delayMs, () => {
      if (scheduler.nowMs < this.stalledUntilMs) {
        this.#after(this.stalledUntilMs - scheduler.nowMs, happen);
      } else happen();
    });
  }

  #thinkThenTake(): void {
    const { sim } = this.#clients;
    const thinkMs = this.isDraining ? 10 : sim.options.workload.thinkMs;
    this.#after(sim.random.workload.exponential(thinkMs), () => this.#take());
  }

  #take(): void {
    const jobId = this.#hint();
    if (jobId === undefined) {
      this.#thinkThenTake();
      return;
    }
    const isInHistory = this.#isTold(jobId);
    this.#starts += 1;
    const startId = `${this.#caller.name}-${this.#starts}`;
    const { leaseMs } = this.#clients.sim.options.workload;
    const worker = this.#caller.name;
    this.#caller.command(
      { kind: "start-attempt", jobId, worker, startId, leaseMs },
      () => (isInHistory ? { kind: "start", jobId, startId } : null),
      (outcome) => {
        if (outcome?.kind === "started") {
          this.#run({ jobId, token: outcome.token, isTold: isInHistory, isOver: false });
        } else this.#thinkThenTake();
      },
    );
  }

  #hint(): string | undefined {
    const { sim } = this.#clients;
    const { workload: random } = sim.random;
    // A replica that was left out for good would give old hints for ever.
    const ledger = this.isDraining
      ? sim.checker.history.canon.ledger
      : random.one(sim.hosts).life?.replica.ledger;
    if (ledger === undefined) return undefined;
    const first: string[] = [];
    for (const { id } of ledger.queued) {
      first.push(id);
      if (first.length === 5) break;
    }
    // Now and then a job that is not to be run at all.
    if (!this.isDraining && random.chance(0.1)) return random.pick([...ledger.jobs].slice(-10))?.id;
    return random.pick(first);
  }

  /** Whichever ledger the hint was of: what was ever committed is in the book, too. */
  #isTold(jobId: string): boolean {
    const job = this.#clients.sim.checker.watch.book.jobs.get(jobId);
    return job === undefined || isTold(job.record.kind);
  }

  #run(attempt: Attempt): void {
    const { sim } = this.#clients;
    const { leaseMs } = sim.options.workload;
    const { workload: random } = sim.random;
    const workMs = this.isDraining ? 5 : leaseMs * random.logarithmic(0.05, 1.5);
    this.#renewLater(attempt, leaseMs / 3);
    if (random.chance(sim.options.workload.reportShare)) this.#report(attempt, workMs, 1);
    this.#after(workMs, () => this.#finish(attempt));
  }

  #renewLater(attempt: Attempt, everyMs: number): void {
    this.#after(everyMs, () => {
      if (attempt.isOver) return;
      const { jobId, token, isTold } = attempt;
      const worker = this.#caller.name;
      this.#caller.command(
        { kind: "renew-leases", worker, renewals: [{ jobId, token }] },
        () => (isTold ? { kind: "renew", jobId, token } : null),
        () => {},
      );
      this.#renewLater(attempt, everyMs);
    });
  }

  /** Now and then while it works; its numbers rise, whatever became of the one before. */
  #report(attempt: Attempt, workMs: number, sequence: number): void {
    this.#after(workMs / 4, () => {
      if (attempt.isOver) return;
      const { jobId, token } = attempt;
      const lines = [`line ${sequence}`];
      const report = { jobId, token, sequence, progress: bytes(sequence), lines, lineCount: 1 };
      this.#caller.command(
        { kind: "report-progress", worker: this.#caller.name, reports: [report] },
        () => null,
        () => {},
      );
      this.#report(attempt, workMs, sequence + 1);
    });
  }

  #finish(attempt: Attempt): void {
    attempt.isOver = true;
    const { jobId, token, isTold } = attempt;
    const { workload: random } = this.#clients.sim.random;
    const outcome = this.isDraining ? "succeeded" : random.one(REPORTS);
    const isRetryable = random.chance(0.7);
    const hasResult = outcome === "succeeded";
    const result = bytes(`${jobId} ${token}`);
    const body = hasResult ? JSON.stringify(`${jobId} ${token}`) : "E";
    const recorded: JobCall = { kind: "finish", jobId, token, report: outcome, body, isRetryable };
    this.#caller.command(
      {
        kind: "finish-attempt",
        jobId,
        token,
        worker: this.#caller.name,
        outcome,
        result: hasResult ? result : null,
        error: hasResult ? null : { code: "E", message: "m", retryable: isRetryable },
      },
      () => (isTold ? recorded : null),
      () => this.#thinkThenTake(),
    );
  }
}
