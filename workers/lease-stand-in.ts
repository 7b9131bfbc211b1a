// Keeps a worker's leases while its event loop is blocked: the part that decides, without a thread.
//
// A worker that is dead cannot be told from one that is silent; one that is blocked can, from
// within its own process. Guarantees: nothing is renewed while the loop shows life, nor once it has
// shown none for blockedMsMax: a handler in an endless loop keeps nothing for ever. What the ledger
// says meanwhile is handed on, with the time from before each renewal was sent.
// Does not own: the thread that it lives in (lease-thread.ts); what a lost attempt does.

import type { CommandBody } from "../ledger/command.ts";
import type { Fenced } from "../protos/gen/node/v1/exchange.ts";
import type { Quorum } from "../transport/quorum.ts";
import type { Logger } from "../transport/telemetry/logger.ts";
import { type LeaseRef, leaseName, renewalParts } from "./renewal.ts";

export interface StandInOptions {
  readonly worker: string;
  readonly leaseMs: number;
  /** How long a loop without a sign of life still counts as alive. */
  readonly blockedMsMax: number;
  readonly logger: Logger;
  /** Opened when it is first needed. */
  quorum(): Promise<Quorum>;
  nowMs(): number;
  /** When the loop last showed life, on the same clock. */
  aliveMs(): number;
  tell(news: LeaseNews): void;
}

export type LeaseNews =
  | { readonly kind: "renewed"; readonly leases: readonly LeaseRef[]; readonly sentMs: number }
  | { readonly kind: "stale"; readonly stale: readonly Fenced[] };

/**
 * Of leaseMs: the silence after which the loop counts as blocked. Its last renewal may be a third
 * of a lease older than that, which leaves time to connect and to try twice.
 */
export const BLOCKED_PART = 1 / 4;
const RENEW_PART = 1 / 3;
const NAMED_MAX = 10;

export class LeaseStandIn {
  readonly #options: StandInOptions;
  readonly #leases = new Map<string, LeaseRef>();
  #nextRoundMs = 0;
  #isRenewing = false;
  #said: "nothing" | "blocked" | "given up" = "nothing";

  constructor(options: StandInOptions) {
    this.#options = options;
  }

  keep({ jobId, token }: LeaseRef): void {
    this.#leases.set(leaseName({ jobId, token }), { jobId, token });
  }

  release(lease: LeaseRef): void {
    this.#leases.delete(leaseName(lease));
  }

  /** To be called a few times a lease. */
  look(): void {
    const { leaseMs, blockedMsMax } = this.#options;
    const nowMs = this.#options.nowMs();
    const silentMs = nowMs - this.#options.aliveMs();
    if (this.#leases.size === 0 || silentMs < leaseMs * BLOCKED_PART) {
      this.#said = "nothing";
      this.#nextRoundMs = 0;
      return;
    }
    if (silentMs > blockedMsMax) {
      this.#sayOnce("given up", silentMs, "the event loop is blocked for too long: leases end");
      return;
    }
    this.#sayOnce("blocked", silentMs, "the event loop is blocked: a thread keeps its leases");
    if (this.#isRenewing || nowMs < this.#nextRoundMs) return;
    this.#isRenewing = true;
    this.#nextRoundMs = nowMs + leaseMs * RENEW_PART;
    this.#renewAll(nowMs)
      .catch((error: unknown) => {
        this.#options.logger.error({ error: String(error) }, "renewing for a blocked loop failed");
      })
      .finally(() => {
        this.#isRenewing = false;
      });
  }

  async #renewAll(sentMs: number): Promise<void> {
    const quorum = await this.#options.quorum();
    const parts = renewalParts([...this.#leases.values()]);
    const answers = await Promise.all(parts.map((part) => this.#renew(quorum, part, sentMs)));
    if (answers.includes(false)) this.#nextRoundMs = 0;
  }

  async #renew(quorum: Quorum, leases: readonly LeaseRef[], sentMs: number): Promise<boolean> {
    const { worker, leaseMs, logger, tell } = this.#options;
    const body: CommandBody = { kind: "renew-leases", worker, renewals: leases };
    const options = { timeoutMs: leaseMs * RENEW_PART, traceparent: "" };
    const outcome = await quorum.propose(body, options);
    if (outcome.kind !== "applied" || outcome.applied.result?.$case !== "renewed") {
      logger.warn({ outcome: outcome.kind, leases: leases.length }, "leases not renewed");
      return false;
    }
    const { stale } = outcome.applied.result.value;
    const gone = new Set(stale.map(leaseName));
    for (const fenced of stale) this.release(fenced);
    tell({
      kind: "renewed",
      leases: leases.filter((lease) => !gone.has(leaseName(lease))),
      sentMs,
    });
    if (stale.length > 0) tell({ kind: "stale", stale });
    return true;
  }

  #sayOnce(what: "blocked" | "given up", blockedMs: number, text: string): void {
    if (this.#said === what) return;
    this.#said = what;
    const jobs = [...this.#leases.values()].map(({ jobId }) => jobId).slice(0, NAMED_MAX);
    const details = { worker: this.#options.worker, blocked_ms: Math.round(blockedMs), jobs };
    this.#options.logger.warn({ ...details, live: this.#leases.size }, text);
  }
}
