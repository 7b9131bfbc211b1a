// A lock that this process holds, as far as it knows: renewed in the background until let go.
//
// Guarantees: `signal` is aborted once, with a LockLostError, as soon as the lock is known to be
// lost or may be; never after release() has begun. Letting go twice is letting go once, and of a
// lock that was lost it is no failure: there is nothing left to let go. No timer of it is left when
// it was let go or lost.

import type { JobsConnection } from "../../transport/grpc/client.ts";
import { PipelineError } from "../../transport/pipeline-error.ts";
import type { Clock } from "../clock.ts";

export type LockLostWhy =
  /** The quorum says that the lock is over; another may hold its keys. */
  | "fenced"
  /** The quorum could not be reached for so long that the lock may be over. */
  | "lease-lapsed"
  /** The client was closed, and renews nothing any more. */
  | "client-closed";

const MESSAGES: Readonly<Record<LockLostWhy, string>> = {
  fenced: "the lock is over: its time ran out before it was renewed",
  "lease-lapsed": "the quorum could not be reached in time to renew the lock",
  "client-closed": "the client was closed before the lock was let go: it runs out by itself",
};

/** The reason of a lock's signal. */
export class LockLostError extends Error {
  override readonly name = "LockLostError";
  readonly why: LockLostWhy;

  constructor(why: LockLostWhy) {
    super(MESSAGES[why]);
    this.why = why;
  }
}

export interface Grant {
  readonly lockId: string;
  readonly fencingToken: number;
  readonly ttlMs: number;
  /** By the clock: before the lock was asked for. */
  readonly sentMs: number;
}

/** Of the ttl: how often to renew, how early to stop without a renewal. */
const RENEW_PART = 1 / 3;
const TRUST_PART = 9 / 10;
const RELEASE_MS = 5_000;

export class HeldLock implements AsyncDisposable {
  readonly id: string;
  /** Higher than that of any earlier holder of any of the keys. */
  readonly fencingToken: bigint;
  /** Aborted when the lock is lost, or may be: stop what it protects. */
  readonly signal: AbortSignal;
  readonly #locks: JobsConnection["locks"];
  readonly #clock: Clock;
  readonly #grant: Grant;
  readonly #lost = new AbortController();
  readonly #ended = new AbortController();
  #callOffRenewal = (): void => undefined;
  #callOffLoss = (): void => undefined;
  readonly #over: () => void;
  #releasing: Promise<void> | null = null;

  /** `over` is called when it was let go or lost. */
  constructor(locks: JobsConnection["locks"], clock: Clock, grant: Grant, over = nothing) {
    this.#locks = locks;
    this.#over = over;
    this.#clock = clock;
    this.#grant = grant;
    this.id = grant.lockId;
    this.fencingToken = BigInt(grant.fencingToken);
    this.signal = this.#lost.signal;
    this.#trust(grant.sentMs);
    this.#renewLater();
  }

  /** A whole ttl from now. Resolves when the quorum has answered, or could not be reached. */
  async renew(): Promise<void> {
    const { lockId, fencingToken, ttlMs } = this.#grant;
    const sentMs = this.#clock.nowMs();
    try {
      await this.#locks.keepLockAlive(
        { lockId, fencingToken },
        { timeoutMs: ttlMs * RENEW_PART, signal: this.#ended.signal },
      );
      this.#trust(sentMs);
    } catch (thrown) {
      // All else may pass: until the time is over, the lock is still ours.
      if (PipelineError.from(thrown).reason === "FENCED") this.#lose("fenced");
    }
  }

  /** The keys are free for the next in line. */
  release(): Promise<void> {
    this.#releasing ??= this.#release();
    return this.#releasing;
  }

  /** Nobody will renew it any more. */
  clientClosed(): void {
    this.#lose("client-closed");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }

  async #release(): Promise<void> {
    this.#stop();
    const { lockId, fencingToken } = this.#grant;
    try {
      await this.#locks.releaseLock({ lockId, fencingToken }, { timeoutMs: RELEASE_MS });
    } catch (thrown) {
      // Without an answer it runs out by itself, and what was lost is not ours to let go.
      if (this.signal.aborted) return;
      const { reason, retry } = PipelineError.from(thrown);
      if (reason !== "FENCED" && retry === "never") throw thrown;
    }
  }

  #trust(sinceMs: number): void {
    if (this.#ended.signal.aborted) return;
    this.#callOffLoss();
    const leftMs = sinceMs + this.#grant.ttlMs * TRUST_PART - this.#clock.nowMs();
    this.#callOffLoss = this.#clock.after(Math.max(0, leftMs), () => this.#lose("lease-lapsed"));
  }

  #renewLater(): void {
    this.#callOffRenewal = this.#clock.after(this.#grant.ttlMs * RENEW_PART, () => {
      void this.renew().then(() => {
        if (!this.#ended.signal.aborted) this.#renewLater();
      });
    });
  }

  #lose(why: LockLostWhy): void {
    if (this.#ended.signal.aborted) return;
    this.#stop();
    this.#lost.abort(new LockLostError(why));
  }

  #stop(): void {
    this.#callOffRenewal();
    this.#callOffLoss();
    this.#ended.abort();
    this.#over();
  }
}

function nothing(): void {}
