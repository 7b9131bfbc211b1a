// Who owns an idempotency key: a job, or what is left of one that was forgotten.
//
// Guarantees: a key has one owner. Keys of forgotten jobs leave in the order in which their times
// are over, whatever was forgotten first: a key that is kept for long holds up no other. They are
// told in the order in which their jobs were forgotten, which is state: a snapshot keeps it.
// Does not own: what makes a submission the same (dedup.ts), how long keys stay (retention.ts).

import { assert } from "./assert.ts";
import type { JobPlace } from "./job-id.ts";
import { LeastFirst } from "./least-first.ts";
import type { JobRecord } from "./record.ts";

/** All that a repeat of the submission is answered with, and compared with. */
export interface ForgottenKey extends JobPlace {
  readonly key: string;
  /** As it was asked for, and what that stood for. */
  readonly askedQueue: string;
  readonly queue: string;
  readonly fingerprint: string;
  /** The positions of those that stood below it: its children, then theirs. */
  readonly members: readonly number[];
  readonly traceparent: string;
  /** It is kept until then. */
  readonly untilMs: number;
}

export type KeyOwner = { readonly job: JobRecord } | { readonly forgotten: ForgottenKey };

export class KeyBook {
  readonly #jobs = new Map<string, JobRecord>();
  readonly #forgotten = new Map<string, ForgottenKey>();
  readonly #byEnd = new LeastFirst<ForgottenKey>(isOverBefore);

  /** "" is nobody's key. */
  ownerOf(key: string): KeyOwner | null {
    const job = this.#jobs.get(key);
    if (job !== undefined) return { job };
    const forgotten = this.#forgotten.get(key);
    return forgotten === undefined ? null : { forgotten };
  }

  has(key: string): boolean {
    return this.#jobs.has(key) || this.#isForgotten(key);
  }

  #isForgotten(key: string): boolean {
    return this.#forgotten.size > 0 && this.#forgotten.has(key);
  }

  add(job: JobRecord): void {
    const key = job.idempotencyKey;
    if (key === "") return;
    const { size } = this.#jobs;
    this.#jobs.set(key, job);
    // One look-up less: there may be a million, and each misses all caches.
    assert(this.#jobs.size === size + 1 && !this.#isForgotten(key), "a key has one owner");
  }

  /** The job is forgotten, and its key with it. */
  remove(job: JobRecord): void {
    this.#jobs.delete(job.idempotencyKey);
  }

  /** The key stays without its job. */
  keep(forgotten: ForgottenKey): void {
    assert(!this.has(forgotten.key), "a key has one owner");
    this.#forgotten.set(forgotten.key, forgotten);
    this.#byEnd.add(forgotten);
  }

  /** The one whose time is over first. */
  firstOver(): ForgottenKey | undefined {
    return this.#byEnd.least();
  }

  dropFirstOver(): void {
    const first = this.#byEnd.least();
    if (first !== undefined) this.#forgotten.delete(first.key);
    this.#byEnd.take();
  }

  get forgottenCount(): number {
    return this.#forgotten.size;
  }

  /** In the order in which their jobs were forgotten. */
  forgotten(): Iterable<ForgottenKey> {
    return this.#forgotten.values();
  }
}

function isOverBefore(one: ForgottenKey, other: ForgottenKey): boolean {
  if (one.untilMs !== other.untilMs) return one.untilMs < other.untilMs;
  // No two are of one job.
  if (one.logIndex !== other.logIndex) return one.logIndex < other.logIndex;
  return one.position < other.position;
}
