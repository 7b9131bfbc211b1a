// Runs seeds of the simulator that lies beside it, one after the other, until one is violated.
//
//   node test/mutant/run-seeds.ts FROM TO
//
// Guarantees: a line of JSON a seed on stdout; none after the first violation. A history that
// nobody could decide about says nothing of a bug: the next seed is run. It is run in a workspace,
// so what it imports is the patched code.
// Does not own: what a violation means (hunt.ts).

import { runSeed } from "../sim/run.ts";
import { drawOptions } from "../sim/swarm.ts";

export interface SeedLine {
  readonly seed: number;
  /** null: all held. */
  readonly invariant: string | null;
  readonly text: string;
}

const [from = 1, to = from] = process.argv.slice(2).map(Number);
for (let seed = from; seed <= to; seed += 1) {
  const { violation } = runSeed(drawOptions(seed));
  const isUndecided = violation?.invariant === "linearizability undecided";
  const invariant = isUndecided ? null : (violation?.invariant ?? null);
  const line: SeedLine = { seed, invariant, text: violation?.text ?? "" };
  process.stdout.write(`${JSON.stringify(line)}\n`);
  if (invariant !== null) break;
}
