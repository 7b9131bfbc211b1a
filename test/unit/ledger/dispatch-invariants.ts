// What must hold of dispatches after every command: one that was over is never to be put before
// workers again, since it may have been taken out of BullMQ for that, also when its job is retried,
// unparked or forgotten; at most it runs, when a worker had it before. What is to start, runs, or
// is still to come, is not over.

import assert from "node:assert/strict";
import { isDispatchOver, type Ledger, queuedJobs } from "../../../ledger/ledger.ts";

export class DispatchInvariants {
  /** Job id to its latest dispatch that was over. */
  readonly #over = new Map<string, number>();

  check(ledger: Ledger): void {
    for (const [id, dispatch] of this.#over) {
      const isRunning = ledger.jobs.get(id)?.state === "running";
      assert.ok(isRunning || isDispatchOver(ledger, id, dispatch), `${id}.${dispatch} was over`);
    }
    for (const { id, dispatch } of queuedJobs(ledger)) {
      assert.ok(dispatch > (this.#over.get(id) ?? 0), `${id} is queued under a new dispatch`);
    }
    for (const { id, dispatch } of [...queuedJobs(ledger), ...ledger.running]) {
      assert.ok(!isDispatchOver(ledger, id, dispatch), `${id}.${dispatch} is not over`);
    }
    for (const { id, dispatch } of ledger.jobs) {
      assert.ok(!isDispatchOver(ledger, id, dispatch + 1), `${id}.${dispatch + 1} is to come`);
      if (isDispatchOver(ledger, id, dispatch)) this.#over.set(id, dispatch);
    }
  }
}
