// The last check of a run: what clients saw of each job has an order (linearizability/).
//
// Guarantees: not linearizable is a violation; undecided is one as well, since nobody knows.
// Does not own: the checker nor the model.

import { isTold } from "./clients/history-witness.ts";
import { checkParts } from "./linearizability/check-parts.ts";
import type { JobHistory } from "./linearizability/job-call.ts";
import { jobModel, limitedJobModel } from "./linearizability/job-model.ts";
import { partitionJobs } from "./linearizability/job-parts.ts";
import type { Sim } from "./sim.ts";
import { Violation } from "./violation.ts";

/**
 * A history is decided in some hundred steps; one with many unknown outcomes has taken ten million,
 * which is a minute.
 */
const STEPS_MAX = 30_000_000;

export function checkLinearizable(sim: Sim, history: JobHistory): void {
  const model = sim.options.workload.queueOperators > 0 ? limitedJobModel : jobModel;
  const verdict = checkParts(model, partitionJobs(history, keysOf(sim)), { stepsMax: STEPS_MAX });
  sim.tally.add("count.history-operations", verdict.operationCount);
  sim.tally.add("count.history-parts", verdict.partCount);
  if (verdict.kind === "linearizable") return;
  const first = verdict.failures[0];
  const detail = first === undefined ? "" : JSON.stringify(first.verdict, null, 1);
  throw new Violation(`linearizability ${verdict.kind}`, `${first?.part} ${detail.slice(0, 4000)}`);
}

/** Of jobs in the history, as they were committed. */
function* keysOf({ checker }: Sim): Generator<readonly [string, string]> {
  for (const { id, record } of checker.watch.book.jobs.values()) {
    const { kind, idempotencyKey } = record;
    if (idempotencyKey !== "" && isTold(kind)) yield [id, idempotencyKey];
  }
}
