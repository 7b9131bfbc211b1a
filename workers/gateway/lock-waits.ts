// Waits in line for locks, on behalf of all callers of a gateway that wait.
//
// Guarantees: each request in line has its sign of life in time, one command for all of them. A
// wait ends soon after the ledger has granted or ended it, whatever events are lost: it is looked
// at when it begins, at its event, at each gap in the events, and with each sign of life. A grant
// is taken up, which gives its holder a whole ttl, before anybody is told of it.
// Does not own: who waits how long (locks.ts), whose turn it is (the ledger).

import type { CommandBody, LockRef } from "../../ledger/command.ts";
import { WAIT_LEASE_MS } from "../../ledger/lock.ts";
import { LockState } from "../../protos/gen/ledger/v1/lock.ts";
import type { LockStanding } from "../../protos/gen/node/v1/lock.ts";
import { GATEWAY_LOCK_WAITS_MAX, READ_JOBS_MAX } from "../../transport/limit.ts";
import type { LockEvent, Quorum } from "../../transport/quorum.ts";
import { refusal } from "../../transport/reason.ts";
import type { Logger } from "../../transport/telemetry/logger.ts";

/** Called once, with how the lock stands when it does not wait any more. */
export type Settled = (standing: LockStanding) => void;

const ALIVE_MS = WAIT_LEASE_MS / 3;
/** After a round that nobody answered. */
const RETRY_MS = 500;
const ANSWER_MS = 2_000;

export class LockWaits {
  readonly #quorum: Quorum;
  readonly #logger: Logger;
  /** More than one for a request that was repeated while it waits. */
  readonly #waits = new Map<string, Set<Settled>>();
  /** To be looked at, taken up and let go in the next turn. */
  readonly #stale = new Set<string>();
  readonly #granted = new Map<string, number>();
  readonly #abandoned = new Map<string, number>();
  readonly #unsubscribe: readonly (() => void)[];
  #isScheduled = false;
  #timer: NodeJS.Timeout | null = null;

  constructor(quorum: Quorum, logger: Logger) {
    this.#quorum = quorum;
    this.#logger = logger;
    this.#unsubscribe = [
      quorum.onLockEvent((event) => this.#onEvent(event)),
      quorum.onEventGap(() => this.#lookAtAll()),
    ];
  }

  /** Requests that are waited for. */
  get count(): number {
    return this.#waits.size;
  }

  /** Returns the function that ends it, and leaves the request in line. */
  wait(lockId: string, settled: Settled): () => void {
    if (this.#waits.size >= GATEWAY_LOCK_WAITS_MAX) {
      throw refusal(
        "BACKLOG_FULL",
        `${GATEWAY_LOCK_WAITS_MAX} callers wait for locks at this gateway already`,
        { metadata: { limit: String(GATEWAY_LOCK_WAITS_MAX) } },
      );
    }
    const all = this.#waits.get(lockId) ?? new Set();
    this.#waits.set(lockId, all.add(settled));
    this.#timer ??= setTimeout(() => this.#stayAlive(), ALIVE_MS);
    this.#lookAt(lockId);
    return () => {
      if (all.delete(settled) && all.size === 0) this.#forget(lockId);
    };
  }

  /**
   * Its caller is gone: in line, or granted and not told (token 0), or held under the token. Not if
   * the same request waits here for another caller, too.
   */
  abandon(lockId: string, token: number): void {
    if (this.#waits.has(lockId)) return;
    this.#abandoned.set(lockId, token);
    this.#soon();
  }

  close(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#waits.clear();
    this.#rest();
  }

  #forget(lockId: string): void {
    this.#waits.delete(lockId);
    this.#stale.delete(lockId);
    this.#granted.delete(lockId);
    this.#rest();
  }

  #rest(): void {
    if (this.#waits.size > 0 || this.#timer === null) return;
    clearTimeout(this.#timer);
    this.#timer = null;
  }

  #onEvent({ lockId, event, token }: LockEvent): void {
    if (!this.#waits.has(lockId)) return;
    if (event === "granted") this.#takeUp(lockId, token);
    else this.#lookAt(lockId);
  }

  #lookAtAll(): void {
    for (const lockId of this.#waits.keys()) this.#lookAt(lockId);
  }

  #lookAt(lockId: string): void {
    this.#stale.add(lockId);
    this.#soon();
  }

  #takeUp(lockId: string, token: number): void {
    this.#granted.set(lockId, token);
    this.#soon();
  }

  #soon(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      const refs = [...this.#granted].map(([lockId, token]) => ({ lockId, token }));
      this.#granted.clear();
      const left = [...this.#abandoned].map(([lockId, token]) => ({ lockId, token }));
      this.#abandoned.clear();
      const stale = [...this.#stale];
      this.#stale.clear();
      this.#inBackground(this.#tell(refs, "renew-locks"));
      this.#inBackground(this.#tell(left, "release-locks"));
      for (let at = 0; at < stale.length; at += READ_JOBS_MAX) {
        this.#inBackground(this.#read(stale.slice(at, at + READ_JOBS_MAX)));
      }
    });
  }

  #inBackground(work: Promise<unknown>): void {
    // A leader of another version may not understand: the next sign of life asks again.
    work.catch((error: unknown) => {
      this.#logger.error({ error: String(error) }, "waits for locks could not be followed");
    });
  }

  /** Token 0 keeps a place in line, and tells how the lock stands. */
  #stayAlive(): void {
    this.#timer = null;
    if (this.#waits.size === 0) return;
    const refs = [...this.#waits.keys()].map((lockId) => ({ lockId, token: 0 }));
    const round = this.#tell(refs, "renew-locks").then((isAnswered) => {
      if (this.#waits.size === 0) return;
      this.#timer ??= setTimeout(() => this.#stayAlive(), isAnswered ? ALIVE_MS : RETRY_MS);
    });
    this.#inBackground(round);
  }

  /** Whether it was answered. What was not is looked at again with the next sign of life. */
  async #tell(locks: readonly LockRef[], kind: "renew-locks" | "release-locks"): Promise<boolean> {
    if (locks.length === 0) return true;
    const body: CommandBody = { kind, locks };
    // Not part of anybody's trace: it is said for many callers.
    const options = { timeoutMs: ANSWER_MS, traceparent: "" };
    const outcome = await this.#quorum.propose(body, options);
    if (outcome.kind !== "applied") return false;
    const { result } = outcome.applied;
    if (result?.$case !== "locks") return false;
    for (const [at, standing] of result.value.standings.entries()) {
      this.#seen(standing, locks[at]?.token === standing.token);
    }
    return true;
  }

  async #read(lockIds: readonly string[]): Promise<void> {
    const outcome = await this.#quorum.read(
      { read: { $case: "locks", value: { lockIds: [...lockIds] } } },
      { timeoutMs: ANSWER_MS, traceparent: "" },
    );
    if (outcome.kind !== "answered") return;
    for (const standing of outcome.answer.locks?.standings ?? []) this.#seen(standing, false);
  }

  /** `isTaken`: the ledger was told under its token that it has a holder. */
  #seen(standing: LockStanding, isTaken: boolean): void {
    const { lockId, state, token } = standing;
    const waits = this.#waits.get(lockId);
    if (waits === undefined || state === LockState.LOCK_STATE_WAITING) return;
    if (state === LockState.LOCK_STATE_HELD && !isTaken) {
      this.#takeUp(lockId, token);
      return;
    }
    this.#forget(lockId);
    for (const settled of waits) settled(standing);
  }
}
