// LockService: locks outside jobs, asked for, kept and let go.
//
// Guarantees: an answer to AcquireLock means that the lock is held, with a whole ttl left when it
// was sent. A caller that goes away while it waits leaves nothing behind: its place is given up, or
// what it was granted is let go. Who is told to ask again, at a deadline or when the gateway ends,
// keeps the place in line for WAIT_LEASE_MS.
// Does not own: the waits (lock-waits.ts), nor the words of refusals (lock-refused.ts).

import { randomUUID } from "node:crypto";
import { LockEnd, LockState } from "../../protos/gen/ledger/v1/lock.ts";
import type { LockStanding } from "../../protos/gen/node/v1/lock.ts";
import type { AcquireLockResponse } from "../../protos/gen/quorumq/v1/lock_service.ts";
import type { Call } from "../../transport/grpc/call.ts";
import type { LockHandlers } from "../../transport/grpc/server.ts";
import type { Quorum } from "../../transport/quorum.ts";
import { propose, type TimeLeft, timeLeft } from "./ask.ts";
import { checkAcquire, checkLockRef, type LockAsk } from "./lock-check.ts";
import { fenced, notGranted, requestRefused } from "./lock-refused.ts";
import type { LockWaits } from "./lock-waits.ts";
import { outcomeUnknown } from "./outcome.ts";
import { quoted } from "./violations.ts";

const NEVER = new AbortController().signal;
const TIMER_MS_MAX = 2 ** 31 - 1;

export function lockHandlers(quorum: Quorum, waits: LockWaits): Required<LockHandlers> {
  return {
    acquireLock: async (request, call) => {
      const requestId = request.requestId === "" ? randomUUID() : request.requestId;
      const acquiring = new Acquiring(quorum, waits, call, request.requestId !== "");
      return await acquiring.run(checkAcquire(request, requestId));
    },
    keepLockAlive: async ({ lockId, fencingToken }, call) => {
      checkLockRef(lockId, fencingToken);
      const standing = await askOne(quorum, "renew-locks", lockId, fencingToken, call);
      const isHeld =
        standing.state === LockState.LOCK_STATE_HELD && standing.token === fencingToken;
      if (!isHeld) throw fenced(standing, fencingToken);
      return { expireTime: new Date(standing.expiryMs) };
    },
    releaseLock: async ({ lockId, fencingToken }, call) => {
      checkLockRef(lockId, fencingToken);
      const standing = await askOne(quorum, "release-locks", lockId, fencingToken, call);
      const isReleased =
        standing.end === LockEnd.LOCK_END_RELEASED && standing.token === fencingToken;
      if (!isReleased) throw fenced(standing, fencingToken);
      return {};
    },
  };
}

async function askOne(
  quorum: Quorum,
  kind: "renew-locks" | "release-locks",
  lockId: string,
  token: number,
  call: Call,
): Promise<LockStanding> {
  const locks = [{ lockId, token }];
  const applied = await propose(quorum, { kind, locks }, call, timeLeft(call));
  if (applied === null) {
    const what = kind === "renew-locks" ? "kept alive" : "let go";
    throw outcomeUnknown(`lock ${lockId} may have been ${what}`, "ask again", { lock_id: lockId });
  }
  const { result } = applied;
  const standing = result?.$case === "locks" ? result.value.standings[0] : undefined;
  if (standing === undefined) throw new Error(`a lock answered with ${result?.$case}`);
  return standing;
}

/** One AcquireLock. */
class Acquiring {
  readonly #quorum: Quorum;
  readonly #waits: LockWaits;
  readonly #call: Call;
  /** The caller knows the request's name, and may repeat it. */
  readonly #isNamed: boolean;
  readonly #leftMs: TimeLeft;

  constructor(quorum: Quorum, waits: LockWaits, call: Call, isNamed: boolean) {
    this.#quorum = quorum;
    this.#waits = waits;
    this.#call = call;
    this.#isNamed = isNamed;
    this.#leftMs = timeLeft(call);
  }

  async run(ask: LockAsk): Promise<AcquireLockResponse> {
    const standing = await this.#ask(ask);
    const settled = await this.#settled(standing, ask.requestId);
    if (settled.state !== LockState.LOCK_STATE_HELD) throw notGranted(settled, this.#name(ask));
    const { lockId, token: fencingToken, expiryMs } = settled;
    if (this.#call.signal.aborted) {
      this.#callerLeft(lockId, fencingToken);
      throw this.#call.signal.reason;
    }
    return { lockId, fencingToken, expireTime: new Date(expiryMs) };
  }

  /** Not given up when the caller goes: what it got meanwhile has to be known, to be let go. */
  async #ask(ask: LockAsk): Promise<LockStanding> {
    const { traceparent, signal } = this.#call;
    const body = { kind: "acquire-lock", ...ask } as const;
    const proposed = propose(this.#quorum, body, { traceparent, signal: NEVER }, this.#leftMs);
    const gone = Promise.withResolvers<never>();
    const leave = (): void => gone.reject(signal.reason);
    signal.addEventListener("abort", leave, { once: true });
    try {
      signal.throwIfAborted();
      const applied = await Promise.race([proposed, gone.promise]);
      if (applied === null) throw stillOpen(ask.requestId, "the lock may have been granted");
      const { result } = applied;
      if (result?.$case === "lockRefused") throw requestRefused(result.value, ask.requestId);
      const standing = result?.$case === "locks" ? result.value.standings[0] : undefined;
      if (standing === undefined) throw new Error(`a lock answered with ${result?.$case}`);
      return standing;
    } catch (thrown) {
      if (signal.aborted) this.#letGoLater(proposed);
      throw thrown;
    } finally {
      signal.removeEventListener("abort", leave);
    }
  }

  #letGoLater(proposed: ReturnType<typeof propose>): void {
    proposed.then(
      (applied) => {
        const result = applied?.result;
        const standing = result?.$case === "locks" ? result.value.standings[0] : undefined;
        if (standing !== undefined) this.#callerLeft(standing.lockId, standing.token);
      },
      // Nothing was asked, then, and nobody is there to be told.
      () => undefined,
    );
  }

  async #settled(standing: LockStanding, requestId: string): Promise<LockStanding> {
    const { lockId, state } = standing;
    if (state !== LockState.LOCK_STATE_WAITING) return standing;
    const { signal, draining } = this.#call;
    const { promise, resolve, reject } = Promise.withResolvers<LockStanding>();
    const forget = this.#waits.wait(lockId, resolve);
    const stop = (): void => reject(signal.aborted ? signal.reason : draining.reason);
    const signals = [signal, draining];
    for (const one of signals) one.addEventListener("abort", stop, { once: true });
    const leftMs = Math.min(TIMER_MS_MAX, Math.max(0, this.#leftMs()));
    const timer = setTimeout(() => reject(stillOpen(requestId, `${lockId} is in line`)), leftMs);
    if (signals.some(({ aborted }) => aborted)) stop();
    try {
      return await promise;
    } catch (thrown) {
      forget();
      // One that a drain sends away without a name asks anew, behind a place that nobody keeps.
      const isNameless = draining.aborted && !this.#isNamed;
      if (signal.aborted || isNameless) this.#callerLeft(lockId, 0);
      throw thrown;
    } finally {
      clearTimeout(timer);
      for (const one of signals) one.removeEventListener("abort", stop);
    }
  }

  /** "" if the caller has never heard of it. */
  #name({ requestId }: LockAsk): string {
    return this.#isNamed ? requestId : "";
  }

  /** A deadline, or a gateway that ends, leaves the place to a caller that can ask again. */
  #callerLeft(lockId: string, token: number): void {
    const isSentAway = this.#call.draining.aborted || this.#leftMs() <= 0;
    if (!(this.#isNamed && isSentAway)) this.#waits.abandon(lockId, token);
  }
}

function stillOpen(requestId: string, whatHappened: string) {
  return outcomeUnknown(whatHappened, `ask again with request_id ${quoted(requestId)}`, {
    request_id: requestId,
  });
}
