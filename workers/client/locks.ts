// Locks outside jobs for users: acquire, hold while something runs, let go.
//
// Guarantees: a lock that is returned is held, and renewed in the background until it is let go;
// its signal is aborted, once, when it is lost or may be: when the quorum says so, or when no
// renewal was answered for the ttl less a tenth, by the monotonic clock from before it was sent. A
// wait keeps its place over any number of calls and gateways. What a paused process cannot notice,
// the store that is written to can: by the fencing token.
// Does not own: the lines (the ledger).

import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { JobsConnection } from "../../transport/grpc/client.ts";
import { LOCK_TTL_MS_DEFAULT } from "../../transport/limit.ts";
import { Code, PipelineError } from "../../transport/pipeline-error.ts";
import { refusal } from "../../transport/reason.ts";
import { durationOf } from "../../transport/result-codec.ts";
import type { Clock } from "../clock.ts";
import { HeldLock } from "./held-lock.ts";

export interface LockOptions {
  /** How long the lock lives without a sign of life: 100 ms to 1 h, default 30 s. */
  readonly ttlMs?: number;
  /** How long to wait in line for it: at most 1 h; default 0, not at all. */
  readonly waitMs?: number;
  /** For people: who asks. */
  readonly owner?: string;
  /** Ends the wait. */
  readonly signal?: AbortSignal;
}

interface Asked extends LockOptions {
  readonly keys: readonly string[];
  readonly ttlMs: number;
}

export interface Locks {
  /**
   * Holds all of the keys, or none: throws a PipelineError with reason LOCK_HELD, which names the
   * holder, when the wait is over.
   */
  acquire(keys: string | readonly string[], options?: LockOptions): Promise<HeldLock>;
  /** Holds the keys while `work` runs. What it returns or throws comes back. */
  run<T>(
    keys: string | readonly string[],
    options: LockOptions,
    work: (lock: HeldLock) => Promise<T>,
  ): Promise<T>;
}

/** As its owner has it: of a client, say. */
export interface OwnedLocks extends Locks {
  /** Ends the renewals of all locks that are held. */
  close(): void;
}

/** One AcquireLock waits no longer, and is then repeated. */
const CALL_MS = 30_000;
const ANSWER_MS = 10_000;
const RETRY_MS = 200;

export function locksOver(locks: JobsConnection["locks"], clock: Clock): OwnedLocks {
  const held = new Set<HeldLock>();
  const over: OwnedLocks = {
    async acquire(keys, options = {}) {
      const { ttlMs = LOCK_TTL_MS_DEFAULT, waitMs = 0 } = options;
      requireTimes({ ttlMs, waitMs });
      const ask = { ...options, ttlMs, keys: keysOf(keys) };
      const { lockId, fencingToken, sentMs: askedMs } = await granted(locks, clock, ask);
      // As far as this side knows, the grant is as old as the call: ask before it is relied on.
      const isOld = clock.nowMs() - askedMs > ttlMs / 3;
      const sentMs = isOld ? clock.nowMs() : askedMs;
      if (isOld) await kept(locks, { lockId, fencingToken }, ttlMs);
      const grant = { lockId, fencingToken, ttlMs, sentMs };
      const lock: HeldLock = new HeldLock(locks, clock, grant, () => held.delete(lock));
      held.add(lock);
      return lock;
    },
    async run(keys, options, work) {
      const lock = await over.acquire(keys, options);
      try {
        return await work(lock);
      } finally {
        await lock.release();
      }
    },
    close() {
      for (const lock of held) lock.clientClosed();
    },
  };
  return over;
}

/** A lock that nobody will hold is let go, or it would keep others out for its ttl. */
async function kept(
  locks: JobsConnection["locks"],
  lock: { readonly lockId: string; readonly fencingToken: number },
  ttlMs: number,
): Promise<void> {
  try {
    await locks.keepLockAlive(lock, { timeoutMs: ttlMs });
  } catch (thrown) {
    void locks.releaseLock(lock, { timeoutMs: ANSWER_MS }).catch(() => undefined);
    throw thrown;
  }
}

async function granted(
  locks: JobsConnection["locks"],
  clock: Clock,
  { keys, ttlMs, waitMs = 0, owner = "", signal }: Asked,
) {
  const requestId = randomUUID();
  const endMs = clock.nowMs() + waitMs;
  for (;;) {
    const sentMs = clock.nowMs();
    const leftMs = Math.max(0, endMs - sentMs);
    const ask = { keys: [...keys], owner, requestId, ttl: durationOf(Math.ceil(ttlMs)) };
    const wait = durationOf(Math.ceil(leftMs));
    const timeoutMs = Math.min(leftMs, CALL_MS) + ANSWER_MS;
    try {
      signal?.throwIfAborted();
      const options = { timeoutMs, ...(signal === undefined ? {} : { signal }) };
      return { ...(await locks.acquireLock({ ...ask, wait }, options)), sentMs };
    } catch (thrown) {
      if (signal?.aborted === true) throw signal.reason;
      const error = PipelineError.from(thrown);
      if (!isPassing(error) || clock.nowMs() >= endMs + ANSWER_MS) throw error;
      // The next turn says why, if the signal ends it early.
      const ended = signal === undefined ? {} : { signal };
      await delay(error.retryDelayMs ?? RETRY_MS, undefined, ended).catch(() => undefined);
    }
  }
}

/** What another call of the same request may heal: it keeps its place meanwhile. */
function isPassing({ code }: PipelineError): boolean {
  return code === Code.Unavailable || code === Code.DeadlineExceeded;
}

function requireTimes(times: Readonly<Record<string, number>>): void {
  for (const [field, ms] of Object.entries(times)) {
    if (Number.isFinite(ms) && ms >= 0) continue;
    const description = `is not a time, got ${ms}; allowed: milliseconds, at most 1 h`;
    throw refusal("INVALID_FIELD", `${field} ${description}`, {
      metadata: { field, value: String(ms) },
      violations: [{ field, description }],
    });
  }
}

function keysOf(keys: string | readonly string[]): readonly string[] {
  return typeof keys === "string" ? [keys] : keys;
}
