// Splits a history of many jobs into one of each, by idempotency key.
//
// Guarantees: every operation is in one part; a key and the id that its submissions were told are
// one part, and keys that were told one id are one, too, so that what confuses two jobs is seen. An
// id that no submission was told can only be the job of one whose outcome is unknown: its part
// starts with such a submission, if there is one, and is a job from nowhere if not.
// Does not own: the check (check-parts.ts).

import { partition } from "./history.ts";
import type { JobCall, JobHistory, JobOperation } from "./job-call.ts";

/**
 * `keys`: what is known of the keys of jobs beyond the history. A key that was free again may have
 * made a second job by a submission that nobody was answered.
 */
export function partitionJobs(
  history: JobHistory,
  keys: Iterable<readonly [jobId: string, key: string]> = [],
): Map<string, JobOperation[]> {
  const names = new Names();
  for (const [jobId, key] of keys) names.join(keyName(key), idName(jobId));
  for (const { call, outcome } of history) {
    if (call.kind !== "submit") continue;
    const isTold = outcome !== "unknown" && outcome.kind === "submitted";
    if (isTold) names.join(keyName(call.key), idName(outcome.jobId));
  }
  const parts = partition(history, ({ call }) => names.of(nameOf(call)));
  for (const [name, part] of parts) {
    if (part.some(({ call }) => call.kind === "submit")) continue;
    const submission = unknownSubmission(history, names);
    if (submission !== null) parts.set(name, [submission, ...part]);
  }
  return parts;
}

/** The earliest submission that may have made a job nobody was told of. */
function unknownSubmission(history: JobHistory, names: Names): JobOperation | null {
  let earliest: JobOperation | null = null;
  for (const operation of history) {
    const { call, calledAt, outcome } = operation;
    if (call.kind !== "submit" || outcome !== "unknown" || names.isJoined(keyName(call.key)))
      continue;
    if (earliest === null || calledAt < earliest.calledAt) earliest = operation;
  }
  if (earliest === null || earliest.call.kind !== "submit") return null;
  // Which of them it was is not known, nor what it asked for.
  return { ...earliest, call: { ...earliest.call, maxAttempts: null, isDelayed: true } };
}

/** Names that mean one job, each found by any of them. */
class Names {
  readonly #parents = new Map<string, string>();
  readonly #joined = new Set<string>();

  of(name: string): string {
    let root = name;
    for (;;) {
      const parent = this.#parents.get(root);
      if (parent === undefined) return root;
      root = parent;
    }
  }

  /** The part goes by the first one's name. */
  join(one: string, other: string): void {
    const [root, otherRoot] = [this.of(one), this.of(other)];
    if (root !== otherRoot) this.#parents.set(otherRoot, root);
    this.#joined.add(one);
  }

  isJoined(name: string): boolean {
    return this.#joined.has(name);
  }
}

function nameOf(call: JobCall): string {
  return "key" in call ? keyName(call.key) : idName(call.jobId);
}

function keyName(key: string): string {
  return `key ${key}`;
}

function idName(jobId: string): string {
  return `job ${jobId}`;
}
