// All clients of a run: gateways, workers, and what they have seen.
//
// Guarantees: after `drain` every job that was accepted comes to an end, if the cluster lives: what
// can run is run to success, and what waits for a late time is cancelled.
// Does not own: faults (chaos.ts).

import { isTerminal } from "../../../ledger/job.ts";
import { Random } from "../random.ts";
import type { Sim } from "../sim.ts";
import { Caller, type Clients } from "./caller.ts";
import { Gateway, JobBoard } from "./gateway.ts";
import { HistoryWitness } from "./history-witness.ts";
import { LockUser } from "./lock-user.ts";
import { Oracle } from "./oracle.ts";
import { QueueOperator } from "./queue-operator.ts";
import { Recorder } from "./recorder.ts";
import { Scheduler } from "./scheduler.ts";
import { Worker } from "./worker.ts";

/** What waits longer than this at the end is cancelled. */
const PATIENCE_MS = 1_000;
const LOCK_USERS_MAX = 2;

export class Population {
  readonly gateways: Gateway[] = [];
  readonly workers: Worker[] = [];
  readonly scheduler: Scheduler;
  readonly lockUsers: LockUser[] = [];
  readonly queueOperators: QueueOperator[] = [];
  readonly recorder: Recorder;
  readonly oracle: Oracle;
  readonly #clients: Clients;

  constructor(sim: Sim) {
    this.recorder = new Recorder(sim.scheduler);
    this.oracle = new Oracle(sim);
    this.#clients = { sim, recorder: this.recorder, oracle: this.oracle };
    this.scheduler = new Scheduler(this.#clients);
    const board = new JobBoard();
    const { gateways, workers, queueOperators } = sim.options.workload;
    for (let place = 1; place <= gateways; place += 1) {
      this.gateways.push(new Gateway(this.#clients, board, `g${place}`));
    }
    for (let place = 1; place <= workers; place += 1) {
      this.workers.push(new Worker(this.#clients, `w${place}`));
    }
    for (let place = 1; place <= queueOperators; place += 1) {
      this.queueOperators.push(new QueueOperator(this.#clients, `q${place}`));
    }
    sim.checker.watch.witness = new HistoryWitness(this.recorder);
    // By a stream of its own, so that the rest of the run is drawn as it would be without them.
    const lockUsers = new Random(sim.options.seed, "lock-users").whole(0, LOCK_USERS_MAX);
    for (let place = 1; place <= lockUsers; place += 1) {
      this.lockUsers.push(new LockUser(this.#clients, `l${place}`));
    }
  }

  start(): void {
    const { gateways, workers, lockUsers, queueOperators, scheduler } = this;
    for (const client of [...gateways, ...workers, ...lockUsers, scheduler]) client.start();
    for (const client of queueOperators) client.start();
  }

  /** No new jobs; those that there are come to an end. */
  drain(): void {
    this.scheduler.drain();
    for (const client of this.queueOperators) client.drain();
    for (const client of [...this.gateways, ...this.lockUsers]) client.isDraining = true;
    for (const worker of this.workers) {
      worker.isDraining = true;
      worker.stalledUntilMs = 0;
    }
    // Those that were thinking when the workload was cut down to none.
    if (this.workers.length === 0) {
      const worker = new Worker(this.#clients, "w-drain");
      worker.isDraining = true;
      worker.start();
      this.workers.push(worker);
    }
    this.#cancelPatient(new Caller(this.#clients, "drain"));
  }

  #cancelPatient(caller: Caller): void {
    const { sim } = this.#clients;
    const { ledger } = sim.checker.history.canon;
    for (const { id: jobId, state, runAtMs } of ledger.jobs) {
      if (isTerminal(state) || runAtMs < ledger.clockMs + PATIENCE_MS) continue;
      caller.command(
        { kind: "cancel-job", jobId, reason: "the end" },
        () => ({ kind: "cancel", jobId }),
        () => {},
      );
    }
    sim.scheduler.after(2_000, () => this.#cancelPatient(caller));
  }

  get openJobs(): number {
    const { jobs } = this.#clients.sim.checker.history.canon.ledger;
    return [...jobs].filter(({ state }) => !isTerminal(state)).length;
  }

  /** One submission and one read, each until it is answered. */
  prove(done: () => void): void {
    const caller = new Caller(this.#clients, "prover");
    const again = (): void => {
      caller.command(
        { kind: "register-kinds", kinds: [] },
        () => null,
        (outcome) => {
          if (outcome === null) again();
          else caller.read("j-0", (read) => (read === null ? again() : done()));
        },
      );
    };
    again();
  }
}
