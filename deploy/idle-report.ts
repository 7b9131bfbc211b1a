// What a worker's log says of taking jobs: why it takes none, and that it takes some.
//
// Guarantees: one line a change, none while it stays as it was, and none of what passes within a
// few looks, such as a change of leader. The cluster is named: a worker
// under another cluster's name reaches RabbitMQ and Redis all the same.
// Does not own: the reasons (../workers/worker.ts), nor when they are looked at.

import type { Logger } from "../transport/telemetry/logger.ts";

const LOOKS_MIN = 4;

export interface IdleReportParts {
  /** null: it takes jobs. */
  readonly problem: () => string | null;
  readonly cluster: string;
  readonly logger: Logger;
}

export class IdleReport {
  readonly #parts: IdleReportParts;
  /** undefined: nothing was said yet. */
  #told: string | null | undefined;
  #seen: string | null | undefined;
  #sameLooks = 0;
  #hasWorked = false;

  constructor(parts: IdleReportParts) {
    this.#parts = parts;
  }

  look(): void {
    const { problem, cluster, logger } = this.#parts;
    const now = problem();
    this.#sameLooks = now === this.#seen ? this.#sameLooks + 1 : 1;
    this.#seen = now;
    const isPassing = now !== null && this.#sameLooks < LOOKS_MIN;
    if (now === this.#told || isPassing) return;
    this.#told = now;
    if (now === null) {
      this.#hasWorked = true;
      logger.info({ cluster }, "takes jobs");
      return;
    }
    const advice = this.#hasWorked ? "" : "; do nodes of this cluster run? --cluster names another";
    logger.warn({ cluster }, `takes no jobs: ${now}${advice}`);
  }
}
