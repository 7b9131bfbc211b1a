// A client that looks after queues: pauses and resumes them, sets and lifts limits, drains.
//
// Guarantees: what it asks for is repeated until it is answered, and a pause is lifted again. After
// `drain` no queue is paused and no backlog is full; limits of what runs stay, but none that would
// keep jobs waiting for minutes. Draws from a stream of its own.
// Does not own: what a limit means (the ledger), nor whether it held (check/queue-check.ts).

import type { CommandBody, QueueRate } from "../../../ledger/command.ts";
import type { Applied } from "../answer.ts";
import { Random } from "../random.ts";
import { Caller, type Clients } from "./caller.ts";

type SetQueue = Extract<CommandBody, { kind: "set-queue" }>;
type DrainQueue = Extract<CommandBody, { kind: "drain-queue" }>;

/** Those that the gateways' kinds go to, and all together. */
export const QUEUES = ["default", "paper", "fast"] as const;
const ALL = "*";
const THINK_MS = 2_000;
const PAUSE_MS = 1_500;
const LOOK_AGAIN_MS = 2_000;
const NO_RATE: QueueRate = { count: 0, periodMs: 0 };

export class QueueOperator {
  readonly #clients: Clients;
  readonly #caller: Caller;
  readonly #random: Random;
  #isDraining = false;

  constructor(clients: Clients, name: string) {
    this.#clients = clients;
    this.#caller = new Caller(clients, name);
    this.#random = new Random(clients.sim.options.seed, `queue-operator ${name}`);
  }

  start(): void {
    this.#clients.sim.scheduler.after(this.#random.exponential(THINK_MS), () => {
      if (!this.#isDraining) this.#act();
    });
  }

  /** Late copies of what was asked before may come yet: looks again and again. */
  drain(): void {
    this.#isDraining = true;
    for (const queue of [...QUEUES, ALL]) this.#keepMild(queue, this.#mild(queue));
  }

  #mild(queue: string): SetQueue {
    const rate = queue === ALL ? null : this.#random.one([NO_RATE, { count: 6, periodMs: 300 }]);
    const runningMax = this.#random.one([0, 1, 2]);
    return { ...unchanged(queue), isPaused: false, runningMax, rate, waitingMax: 0 };
  }

  #keepMild(queue: string, wish: SetQueue): void {
    const { scheduler } = this.#clients.sim;
    const again = (): void => {
      scheduler.after(LOOK_AGAIN_MS, () => this.#keepMild(queue, wish));
    };
    if (this.#isSet(queue, wish)) again();
    else this.#ask(wish, again);
  }

  #isSet(name: string, { runningMax, rate }: SetQueue): boolean {
    const { queues, allQueues } = this.#clients.sim.checker.history.canon.ledger;
    if (name === ALL) return !allQueues.isPaused && allQueues.runningMax === runningMax;
    const queue = queues.get(name);
    if (queue === undefined) return true;
    const { limits, isPaused } = queue;
    const isSame = limits.runningMax === runningMax && limits.rateCount === rate?.count;
    return !isPaused && isSame && limits.waitingMax === 0;
  }

  /** Until it is answered. */
  #ask(body: CommandBody, done: (outcome: Applied) => void): void {
    this.#caller.command(
      body,
      () => null,
      (outcome) => (outcome === null ? this.#ask(body, done) : done(outcome)),
    );
  }

  #act(): void {
    const next = (): void => this.start();
    const queue = this.#random.chance(0.2) ? ALL : this.#random.one(QUEUES);
    const draw = this.#random.fraction();
    if (draw < 0.2) this.#pause(queue, next);
    else if (draw < 0.4 && queue !== ALL) this.#drain(this.#newDrain(queue), next);
    else this.#ask(this.#limit(queue), next);
  }

  #pause(queue: string, next: () => void): void {
    const { scheduler } = this.#clients.sim;
    const resume = { ...unchanged(queue), isPaused: false };
    this.#ask({ ...resume, isPaused: true }, () => {
      scheduler.after(this.#random.exponential(PAUSE_MS), () => this.#ask(resume, next));
    });
  }

  #newDrain(queue: string): DrainQueue {
    return {
      kind: "drain-queue",
      queue,
      withScheduled: this.#random.chance(0.4),
      jobsMax: this.#random.whole(1, 6),
      untilArrival: 0,
      reason: "drained",
    };
  }

  /** Piece by piece; now and then it is given up halfway. */
  #drain(body: DrainQueue, next: () => void): void {
    this.#ask(body, (outcome) => {
      const isOver = outcome.kind !== "queue-drained" || !outcome.hasMore;
      if (isOver || this.#random.chance(0.2)) next();
      else this.#drain({ ...body, untilArrival: outcome.untilArrival }, next);
    });
  }

  #limit(queue: string): SetQueue {
    const whole = (min: number, max: number): number => this.#random.whole(min, max);
    const nothing = unchanged(queue);
    const rate = { count: whole(1, 5), periodMs: 250 * whole(1, 8) };
    const wishes: readonly SetQueue[] = [
      { ...nothing, runningMax: whole(1, 4) },
      { ...nothing, rate: queue === ALL ? null : rate },
      { ...nothing, waitingMax: queue === ALL ? null : whole(2, 15) },
      { ...nothing, isPaused: false, runningMax: 0, rate: NO_RATE, waitingMax: 0 },
    ];
    return this.#random.one(wishes);
  }
}

function unchanged(queue: string): SetQueue {
  return {
    kind: "set-queue",
    queue,
    isPaused: null,
    runningMax: null,
    rate: null,
    waitingMax: null,
  };
}
