// The terms of a job: what was asked for and what came of it by its kind's defaults, without what
// differs from job to job. Jobs on equal terms share one object.
//
// Guarantees: terms never change. Sharing shows nowhere but in memory: it is no state.
// Does not own: how terms come to be (submit.ts), payload, keys and times (record.ts).

import type { JobSpec } from "./command.ts";
import type { Backoff } from "./job.ts";
import { isSameValue } from "./same-value.ts";

/** Of a submission, what is often the same in the next one. A field of JobSpec is one of these. */
export type AskedTerms = Omit<
  JobSpec,
  | ("payload" | "runAtMs" | "lockKeys" | "concurrencyKeys")
  | ("idempotencyKey" | "traceparent" | "parent")
>;

export interface Terms {
  /** Before any default was filled in: a repeat of the submission is compared with it. */
  readonly asked: AskedTerms;
  readonly queue: string;
  readonly maxAttempts: number;
  readonly backoff: Backoff;
  readonly attemptTimeoutMs: number;
  readonly totalTimeoutMs: number;
}

/** A kind is seldom submitted on more different terms at a time; a search has to stay short. */
const KEPT_MAX = 8;

export class TermsPool {
  readonly #byKind = new Map<string, Terms[]>();

  /** These, or equal ones of an earlier job. */
  share(terms: Terms): Terms {
    const known = this.#byKind.get(terms.asked.kind) ?? [];
    const found = known.find((one) => isSameValue(one, terms));
    if (found !== undefined) return found;
    this.#byKind.set(terms.asked.kind, [terms, ...known.slice(0, KEPT_MAX - 1)]);
    return terms;
  }
}
