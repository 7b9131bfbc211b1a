// What the history of single jobs is told of by nobody's call: drains, and forgetting.
//
// Guarantees: each is an operation that took place at the moment at which its entry was committed,
// which is how strict the log is. Families and slots are left out, as gateway.ts and scheduler.ts
// say.
// Does not own: whether it was right (check/).

import type { BookedJob } from "../check/job-book.ts";
import type { Witness } from "../check/ledger-watch.ts";
import { FAMILY_KIND } from "./gateway.ts";
import type { Recorder } from "./recorder.ts";
import { SLOT_KIND } from "./scheduler.ts";

/** Whether jobs of the kind are in the history. */
export function isTold(kind: string): boolean {
  return kind !== FAMILY_KIND && kind !== SLOT_KIND.kind;
}

export class HistoryWitness implements Witness {
  readonly #recorder: Recorder;

  constructor(recorder: Recorder) {
    this.#recorder = recorder;
  }

  drained({ id: jobId, record }: BookedJob): void {
    if (!isTold(record.kind)) return;
    this.#recorder.witnessed({ kind: "cancel", jobId }, { kind: "cancelled" });
  }

  forgotten({ id: jobId, record }: BookedJob): void {
    if (!isTold(record.kind)) return;
    this.#recorder.witnessed({ kind: "forget", jobId }, { kind: "witnessed" });
  }

  keyFreed({ record }: BookedJob): void {
    if (!isTold(record.kind)) return;
    const call = { kind: "free-key", key: record.idempotencyKey } as const;
    this.#recorder.witnessed(call, { kind: "witnessed" });
  }
}
