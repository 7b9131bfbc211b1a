// Keeps a worker's live attempts alive: one RenewLeases for all of them, and their Redis locks.
//
// Guarantees: an attempt whose lease is over, or may be, hears it through `lost`, once: when the
// ledger says that it is stale, when a newer attempt has its lock, or when the quorum has not
// renewed it for leaseMs minus a margin. That time is measured on the monotonic clock, from before
// the renewal was sent, so the worker's view of its lease ends before the ledger's. A loop that has
// stood still says so, with the jobs, and hears first what its stand-in has done meanwhile.
// Does not own: what a lost attempt does (attempt-runner.ts).

import type { CommandBody } from "../ledger/command.ts";
import type { Fenced } from "../protos/gen/node/v1/exchange.ts";
import { JobState } from "../protos/gen/quorumq/v1/job.ts";
import type { Quorum } from "../transport/quorum.ts";
import type { RedisLock } from "../transport/redis/redis-lock.ts";
import type { Logger } from "../transport/telemetry/logger.ts";
import type { AbortWhy } from "./attempt-aborted.ts";
import { type Clock, MACHINE_CLOCK } from "./clock.ts";
import { BLOCKED_PART } from "./lease-stand-in.ts";
import { type LeaseThread, threadClockMs } from "./lease-thread.ts";
import { type LeaseRef, leaseName, renewalParts } from "./renewal.ts";

export interface LeaseKeeperOptions {
  readonly quorum: Quorum;
  readonly locks: RedisLock;
  readonly worker: string;
  readonly leaseMs: number;
  readonly logger: Logger;
  /** Default: the machine's. */
  readonly clock?: Clock;
  /** Renews while the event loop is blocked; null or none: nobody does. */
  readonly thread?: LeaseThread | null;
}

export interface NewLease extends LeaseRef {
  readonly lockKeys: readonly string[];
  /** the clock of before the start was proposed. */
  readonly sentMs: number;
  lost(why: AbortWhy): void;
}

interface Lease extends NewLease {
  renewedMs: number;
}

/** Of leaseMs: how often to renew, how early to stop without a renewal, how often to look. */
const RENEW_PART = 1 / 3;
const MARGIN_PART = 1 / 10;
const LOOK_PART = 1 / 20;
/** Jobs that one line of a log names. */
const NAMED_MAX = 10;

/** The events that a worker's connection should follow for this. */
export const LEASE_EVENTS = { events: ["cancelled"] } as const;

export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  readonly #leases = new Map<string, Lease>();
  readonly #ended = new AbortController();
  readonly #clock: Clock;
  #stopTimer: (() => void) | null = null;
  #round: Promise<void> | null = null;
  #nextRoundMs = 0;
  #lookedMs = 0;
  #isRenewingLocks = false;
  readonly #forgetEvents: readonly (() => void)[];

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
    this.#clock = options.clock ?? MACHINE_CLOCK;
    // A hint, to be quick: the next renewal tells of a cancellation anyway.
    const forgetEvent = options.quorum.onEvent(({ event, jobId }) => {
      if (event !== "cancelled") return;
      const isOurs = [...this.#leases.values()].some((lease) => lease.jobId === jobId);
      if (isOurs) this.#renewSoon();
    });
    // Events may have been missed: a cancellation among them.
    const forgetGap = options.quorum.onEventGap(() => {
      if (this.#leases.size > 0) this.#renewSoon();
    });
    this.#forgetEvents = [forgetEvent, forgetGap];
  }

  get liveCount(): number {
    return this.#leases.size;
  }

  /** From now on renewed, until released or lost. */
  keep(lease: NewLease): void {
    this.#leases.set(leaseName(lease), { ...lease, renewedMs: lease.sentMs });
    this.#options.thread?.keep(lease);
    this.#startLooking();
  }

  release(lease: LeaseRef): void {
    this.#leases.delete(leaseName(lease));
    this.#options.thread?.release(lease);
    if (this.#leases.size === 0) this.#stopLooking();
  }

  /** The ledger has said in another answer that this attempt is over. */
  stale(fenced: Fenced): void {
    const lease = this.#leases.get(leaseName(fenced));
    if (lease !== undefined) this.#lose(lease, whyStale(fenced));
  }

  /** How long it is still trusted without another renewal; 0 for what is not kept (any more). */
  leftMs(lease: LeaseRef): number {
    const kept = this.#leases.get(leaseName(lease));
    if (kept === undefined) return 0;
    const trustMs = this.#options.leaseMs * (1 - MARGIN_PART);
    return Math.max(0, kept.renewedMs + trustMs - this.#clock.nowMs());
  }

  /** Resolves when the ledger has answered, or could not be reached in time. */
  async renewNow(): Promise<void> {
    // A round on its way may have been sent before the caller's lease was kept.
    if (this.#round !== null) await this.#round;
    await this.#startRound();
  }

  stop(): void {
    for (const forget of this.#forgetEvents) forget();
    this.#stopLooking();
    this.#leases.clear();
    this.#ended.abort();
  }

  #startLooking(): void {
    if (this.#stopTimer !== null) return;
    const { leaseMs } = this.#options;
    this.#lookedMs = this.#clock.nowMs();
    this.#nextRoundMs = this.#lookedMs + leaseMs * RENEW_PART;
    this.#stopTimer = this.#clock.every(leaseMs * LOOK_PART, () => this.#look());
  }

  #stopLooking(): void {
    this.#stopTimer?.();
    this.#stopTimer = null;
  }

  #look(): void {
    const nowMs = this.#clock.nowMs();
    this.#tellOfBlock(nowMs - this.#lookedMs);
    this.#lookedMs = nowMs;
    this.#hearThread();
    const trustMs = this.#options.leaseMs * (1 - MARGIN_PART);
    for (const lease of [...this.#leases.values()]) {
      if (nowMs >= lease.renewedMs + trustMs) this.#lose(lease, "lease-lapsed");
    }
    if (nowMs >= this.#nextRoundMs && this.#round === null) this.#renewSoon();
  }

  #tellOfBlock(pastMs: number): void {
    const { leaseMs, worker, logger } = this.#options;
    if (pastMs < leaseMs * BLOCKED_PART) return;
    const jobs = [...this.#leases.values()].map(({ jobId }) => jobId).slice(0, NAMED_MAX);
    const details = { worker, blocked_ms: Math.round(pastMs), lease_ms: leaseMs, jobs };
    logger.warn({ ...details, live: this.#leases.size }, "the event loop was blocked");
  }

  #hearThread(): void {
    const { thread } = this.#options;
    if (thread === undefined || thread === null) return;
    thread.showLife();
    const aheadMs = threadClockMs() - this.#clock.nowMs();
    for (const news of thread.news()) {
      if (news.kind === "stale") for (const fenced of news.stale) this.stale(fenced);
      else for (const renewed of news.leases) this.#renewed(renewed, news.sentMs - aheadMs);
    }
  }

  #renewed(renewed: LeaseRef, sentMs: number): void {
    const lease = this.#leases.get(leaseName(renewed));
    if (lease !== undefined) lease.renewedMs = Math.max(lease.renewedMs, sentMs);
  }

  #renewSoon(): void {
    this.renewNow().catch((error: unknown) => {
      this.#options.logger.error({ error: String(error) }, "renewing leases failed");
    });
  }

  #startRound(): Promise<void> {
    this.#round ??= this.#renewAll().finally(() => {
      this.#round = null;
    });
    return this.#round;
  }

  async #renewAll(): Promise<void> {
    const leases = [...this.#leases.values()];
    if (leases.length === 0) return;
    const sentMs = this.#clock.nowMs();
    this.#nextRoundMs = sentMs + this.#options.leaseMs * RENEW_PART;
    this.#renewLocksOf(leases);
    const parts = renewalParts(leases).map((part) => this.#renewLeases(part, sentMs));
    const answers = await Promise.all(parts);
    // Not all was renewed: not again in a third of a lease, but at the next look.
    if (answers.includes(false)) this.#nextRoundMs = this.#clock.nowMs();
  }

  async #renewLeases(leases: readonly Lease[], sentMs: number): Promise<boolean> {
    const { quorum, worker, leaseMs, logger } = this.#options;
    const renewals = leases.map(({ jobId, token }) => ({ jobId, token }));
    const body: CommandBody = { kind: "renew-leases", worker, renewals };
    const outcome = await quorum.propose(body, {
      timeoutMs: leaseMs * RENEW_PART,
      traceparent: "",
      signal: this.#ended.signal,
    });
    if (outcome.kind !== "applied") {
      logger.warn({ outcome, leases: leases.length }, "leases not renewed");
      return false;
    }
    const { result } = outcome.applied;
    if (result?.$case !== "renewed") {
      logger.error({ answer: result?.$case }, "not an answer to a renewal");
      return false;
    }
    const stale = new Map(result.value.stale.map((fenced) => [leaseName(fenced), fenced]));
    for (const lease of leases) {
      const fenced = stale.get(leaseName(lease));
      if (fenced === undefined) lease.renewedMs = sentMs;
      else this.#lose(lease, whyStale(fenced));
    }
    return true;
  }

  /** Beside the leases: a Redis that hangs must not keep them from being renewed. */
  #renewLocksOf(leases: readonly Lease[]): void {
    if (this.#isRenewingLocks) return;
    this.#isRenewingLocks = true;
    Promise.all(leases.map((lease) => this.#renewLocks(lease)))
      .catch((error: unknown) => {
        this.#options.logger.error({ error: String(error) }, "renewing locks failed");
      })
      .finally(() => {
        this.#isRenewingLocks = false;
      });
  }

  async #renewLocks(lease: Lease): Promise<void> {
    const { locks, leaseMs, logger } = this.#options;
    const hold = await locks.renew(lease.lockKeys, lease.token, leaseMs);
    if (hold.kind === "unreachable") {
      const cause = String(hold.cause);
      logger.debug({ job_id: lease.jobId, cause }, "locks not renewed: the ledger holds them");
    }
    // Whoever released it meanwhile has no lock to lose.
    if (hold.kind === "blocked") this.#lose(lease, "lock-lost");
  }

  #lose(lease: Lease, why: AbortWhy): void {
    const isKept = this.#leases.get(leaseName(lease)) === lease;
    if (!isKept) return;
    this.release(lease);
    this.#options.logger.warn({ job_id: lease.jobId, token: lease.token, why }, "lease lost");
    lease.lost(why);
  }
}

function whyStale(fenced: Fenced): AbortWhy {
  return fenced.state === JobState.JOB_STATE_CANCELLED ? "cancelled" : "fenced";
}
