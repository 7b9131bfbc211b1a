// A failing seed made smaller: fewer faults, nodes and clients, less time, and still the same
// violation.
//
// Guarantees: what comes out was run and fails by the same invariant. Greedy, bounded by a number
// of runs: the smallest case is not promised. Does not own: replaying it (main.ts).

import { FAULT_KINDS, type FaultKind } from "../fault-kind.ts";
import { drawOptions, type Overrides } from "../swarm.ts";
import { runOne } from "./job.ts";

const RUNS_MAX = 150;

export interface Shrunk {
  readonly overrides: Overrides;
  readonly runs: number;
}

export function shrink(seed: number, given: Overrides, invariant: string): Shrunk {
  let best = given;
  let runs = 0;
  const fails = (overrides: Overrides): boolean => {
    if (runs >= RUNS_MAX) return false;
    runs += 1;
    const { violation } = runOne(seed, overrides);
    const isSame = violation?.invariant === invariant;
    if (isSame) best = overrides;
    return isSame;
  };
  for (;;) {
    const before = best;
    shrinkTime(seed, best, fails);
    for (const kind of present(seed, best)) {
      fails({ ...best, without: [...(best.without ?? []), kind] });
    }
    for (const smaller of smallerCrowds(seed, best)) fails({ ...best, ...smaller });
    if (best === before || runs >= RUNS_MAX) return { overrides: best, runs };
  }
}

function shrinkTime(
  seed: number,
  start: Overrides,
  fails: (overrides: Overrides) => boolean,
): void {
  let low = 0;
  let high = drawOptions(seed, start).safetyMs;
  for (let round = 0; round < 6 && high - low > 500; round += 1) {
    const untilMs = Math.round((low + high) / 2);
    if (fails({ ...start, untilMs })) high = untilMs;
    else low = untilMs;
  }
}

function present(seed: number, overrides: Overrides): FaultKind[] {
  const { moments, rates } = drawOptions(seed, overrides);
  return FAULT_KINDS.filter(
    (kind) => moments.some((one) => one.kind === kind) || rates[kind] !== undefined,
  );
}

function smallerCrowds(seed: number, overrides: Overrides): Overrides[] {
  const { founders, spares, workload, retentions } = drawOptions(seed, overrides);
  const { gateways, workers, queueOperators } = workload;
  return [
    ...(queueOperators > 0 ? [{ queueOperators: 0 }] : []),
    ...(queueOperators > 1 ? [{ queueOperators: 1 }] : []),
    ...(retentions.length > 0 ? [{ retentions: 0 }] : []),
    ...(spares > 0 ? [{ spares: 0 }] : []),
    ...(founders > 3 ? [{ founders: 3 }] : []),
    ...(founders > 1 ? [{ founders: founders - 1 }] : []),
    ...(workers > 1 ? [{ workers: 1 }] : []),
    ...(workers > 0 ? [{ workers: 0 }] : []),
    ...(gateways > 1 ? [{ gateways: 1 }] : []),
  ];
}
