// When a leader proposes that finished jobs be forgotten: as soon as some are too old or too many.
//
// Guarantees: one command at a time, of so few jobs that it holds up nobody; proposed only when it
// would do something, which costs one look. Nothing that ended less than `spareMs` ago goes because
// there are too many: whoever waits for a result has time to read it.
// Does not own: which jobs they are (ledger/retention.ts).

import type { CommandBody } from "../ledger/command.ts";
import { hasToForget, type Ledger } from "../ledger/ledger.ts";
import type { RequestId } from "../raft/input.ts";
import { FORGET_JOBS_MAX } from "./limit.ts";

export interface Retention {
  /** A job is forgotten so long after its end. */
  readonly ageMs: number;
  /** Finished jobs kept; beyond, those that ended first are forgotten sooner. */
  readonly jobsMax: number;
  /** But not within so long after their end. */
  readonly spareMs: number;
  /** How long an idempotency key is known at least, from the end of its job. */
  readonly keyMs: number;
}

export interface RetentionKeeperOptions {
  readonly retention: Retention;
  readonly nowMs: () => number;
  readonly propose: (body: CommandBody) => RequestId;
}

export class RetentionKeeper {
  readonly #options: RetentionKeeperOptions;
  /** The command that is proposed and not applied yet. */
  #openId: RequestId | null = null;

  constructor(options: RetentionKeeperOptions) {
    this.#options = options;
  }

  /** This node leads anew: what it proposed in another term is not waited for. */
  elected(): void {
    this.#openId = null;
  }

  /** Only while leading. */
  advance(ledger: Ledger): void {
    if (this.#openId !== null) return;
    const { retention, nowMs, propose } = this.#options;
    const now = nowMs();
    const rule = {
      endedBeforeMs: Math.max(0, now - retention.ageMs),
      keptMax: retention.jobsMax,
      spareBeforeMs: Math.max(0, now - retention.spareMs),
    };
    if (!hasToForget(ledger, rule)) return;
    const body = { ...rule, keyMs: retention.keyMs, limit: FORGET_JOBS_MAX };
    this.#openId = propose({ kind: "forget-jobs", ...body });
  }

  refused(requestId: RequestId): void {
    if (requestId === this.#openId) this.#openId = null;
  }

  /** Such a command was applied. */
  ended(): void {
    this.#openId = null;
  }
}
