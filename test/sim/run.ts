// One run of one seed: safety under faults, then healing, liveness, and the final scan.
//
// Guarantees: ends with a verdict: everything held, or the first violation with its words. The same
// options give the same run, to the digest of its trace. Does not own: campaigns (campaign/).

import { InvariantViolation } from "../../raft/invariant.ts";
import { Chaos } from "./chaos.ts";
import { Population } from "./clients/population.ts";
import { Host } from "./host.ts";
import { checkLinearizable } from "./linearizable.ts";
import { Broker } from "./network/broker.ts";
import { Hostile } from "./network/hostile.ts";
import { Operator } from "./operator.ts";
import { Recovery } from "./recovery.ts";
import { Sim } from "./sim.ts";
import type { SimOptions } from "./swarm.ts";
import type { Counts } from "./tally.ts";
import { Violation } from "./violation.ts";

export interface Outcome {
  readonly seed: number;
  /** null: all held. */
  readonly violation: { readonly invariant: string; readonly text: string } | null;
  readonly digest: string;
  readonly virtualMs: number;
  readonly eventCount: number;
  readonly counts: Counts;
}

export interface Watch {
  /** Takes each line of the trace. */
  readonly sink?: (line: string) => void;
}

export function runSeed(options: SimOptions, watch: Watch = {}): Outcome {
  const sim = new Sim(options);
  sim.trace.sink = watch.sink ?? null;
  let violation: Outcome["violation"] = null;
  try {
    play(sim);
  } catch (error) {
    violation = violationOf(error);
    sim.trace.line(sim.scheduler.nowMs, `VIOLATION ${violation.text}`);
  }
  const { nowMs: virtualMs, eventCount } = sim.scheduler;
  const { counts } = sim.tally;
  return { seed: options.seed, violation, digest: sim.trace.hex(), virtualMs, eventCount, counts };
}

function violationOf(error: unknown): NonNullable<Outcome["violation"]> {
  if (error instanceof Violation) return { invariant: error.invariant, text: error.message };
  if (error instanceof InvariantViolation) {
    return { invariant: `core ${error.invariant}`, text: `${error.message}\n${error.stack}` };
  }
  if (!(error instanceof Error)) throw error;
  return { invariant: error.name, text: error.stack ?? error.message };
}

function play(sim: Sim): void {
  const { options, scheduler, tally } = sim;
  sim.network = options.network === "broker" ? new Broker(sim) : new Hostile(sim);
  for (let place = 0; place < options.founders + options.spares; place += 1) {
    sim.hosts.push(new Host(sim, place));
  }
  sim.founders.push(...sim.hosts.slice(0, options.founders).map(({ id }) => id));
  const population = new Population(sim);
  const operator = new Operator(sim);
  for (const host of sim.hosts) {
    scheduler.after(sim.random.process.between(0, 50), () => host.start());
  }
  population.start();
  new Chaos(sim, operator, population).start();
  scheduler.run(options.safetyMs);
  tally.add(`runs.${options.network}`);
  tally.add(`runs.${options.theme ?? "mixed"}`);
  new Recovery(sim, operator, population).run();
  sim.checker.history.scan();
  population.oracle.finalCheck();
  checkLinearizable(sim, population.recorder.history());
}
