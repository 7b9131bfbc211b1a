// A client that creates, pauses, triggers and deletes schedules, of few names.
//
// Guarantees: what it asks for is repeated until it is answered. Its jobs are of a kind of their
// own: they come by themselves, so they are left out of the history of calls and are looked at by
// the ledger's invariants alone. Draws from a stream of its own.
// Does not own: slots (the leader's), nor running their jobs (worker.ts).

import type { CommandBody } from "../../../ledger/command.ts";
import { kindOf, ruleOf, specOf } from "../../unit/ledger/world.ts";
import { Caller, type Clients } from "./caller.ts";

export const SLOT_KIND = kindOf({ kind: "slot", maxAttempts: 2 });

const NAMES = ["s1", "s2", "s3"] as const;
const THINK_MS = 3_000;

export class Scheduler {
  readonly #clients: Clients;
  readonly #caller: Caller;
  #isDraining = false;
  #triggers = 0;

  constructor(clients: Clients) {
    this.#clients = clients;
    this.#caller = new Caller(clients, "scheduler");
  }

  start(): void {
    this.#ask({ kind: "register-kinds", kinds: [SLOT_KIND] }, () => this.#thinkThenAct());
  }

  /** No more slots. */
  drain(): void {
    const { sim } = this.#clients;
    this.#isDraining = true;
    for (const { firedCount } of sim.checker.history.canon.ledger.schedules.values()) {
      sim.tally.add("count.slots-fired", firedCount);
    }
    for (const scheduleId of NAMES) this.#ask({ kind: "delete-schedule", scheduleId }, () => {});
  }

  /** Until it is answered. */
  #ask(body: CommandBody, done: () => void): void {
    this.#caller.command(
      body,
      () => null,
      (outcome) => (outcome === null ? this.#ask(body, done) : done()),
    );
  }

  #thinkThenAct(): void {
    const { sim } = this.#clients;
    sim.scheduler.after(sim.random.schedules.exponential(THINK_MS), () => {
      if (!this.#isDraining) this.#ask(this.#wish(), () => this.#thinkThenAct());
    });
  }

  #wish(): CommandBody {
    const { schedules: random } = this.#clients.sim.random;
    const scheduleId = random.one(NAMES);
    const draw = random.fraction();
    if (draw < 0.15) return { kind: "delete-schedule", scheduleId };
    if (draw < 0.4) {
      return { kind: "set-schedule-paused", scheduleId, isPaused: random.chance(0.3) };
    }
    if (draw < 0.55) {
      this.#triggers += 1;
      const names = { scheduleId, idempotencyKey: `by-hand-${this.#triggers}`, traceparent: "" };
      return { kind: "trigger-schedule", ...names, mayOverlap: random.chance(0.5) };
    }
    const rule = ruleOf({
      intervalMs: random.whole(1, 4) * 1_000,
      overlap: random.one(["skip", "queue", "allow"]),
      missed: random.one(["skip", "once", "all"]),
      missedAfterMs: 2_000,
    });
    return { kind: "create-schedule", scheduleId, rule, job: specOf({ kind: SLOT_KIND.kind }) };
  }
}
