// The history of what clients saw of jobs, in virtual time.
//
// Guarantees: every call that may have had an effect is in it once for each copy that was sent;
// what was refused before anything happened is not. Does not own: the check (linearizability/).

import type { JobCall, JobHistory, JobOperation, JobOutcome } from "../linearizability/job-call.ts";
import type { Scheduler } from "../scheduler.ts";

/** One call, open until it is answered. */
export interface Recorded {
  readonly client: string;
  readonly call: JobCall;
  readonly calledAt: number;
  returnedAt: number;
  outcome: JobOutcome | "unknown";
  /** Refused: it had no effect. */
  isVoid: boolean;
}

export class Recorder {
  readonly #scheduler: Scheduler;
  readonly #recorded: Recorded[] = [];

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  begin(client: string, call: JobCall): Recorded {
    const recorded: Recorded = {
      client,
      call,
      calledAt: this.#scheduler.nowMs,
      returnedAt: Number.POSITIVE_INFINITY,
      outcome: "unknown",
      isVoid: false,
    };
    this.#recorded.push(recorded);
    return recorded;
  }

  /** What somebody who watches the log saw happen at this very moment, whoever brought it about. */
  witnessed(call: JobCall, outcome: JobOutcome): void {
    const recorded = this.begin("witness", call);
    this.answered(recorded, outcome);
  }

  answered(recorded: Recorded, outcome: JobOutcome): void {
    recorded.returnedAt = this.#scheduler.nowMs;
    recorded.outcome = outcome;
  }

  history(): JobHistory {
    const kept: JobOperation[] = [];
    for (const { client, call, calledAt, returnedAt, outcome, isVoid } of this.#recorded) {
      // A read that nobody saw the answer of says nothing.
      if (isVoid || (call.kind === "get" && outcome === "unknown")) continue;
      kept.push({ client, call, calledAt, returnedAt, outcome });
    }
    return kept;
  }
}
