// Tells the ledger which kinds a worker can run, and with which defaults.
//
// Guarantees: resolves true once the ledger knows them, however long it takes to find a leader;
// false when the signal was aborted before. Kinds stay known when the worker is gone.

import assert from "node:assert";
import { JITTER_DEFAULT } from "../ledger/backoff.ts";
import type { Kind } from "../ledger/command.ts";
import type { Backoff } from "../ledger/job.ts";
import type { Quorum } from "../transport/quorum.ts";
import type { Logger } from "../transport/telemetry/logger.ts";
import type { JobDefinition, RetryPolicy } from "./define-job.ts";
import { proposeInsistently } from "./insistent-propose.ts";

export async function registerKinds(
  quorum: Quorum,
  jobs: Iterable<JobDefinition>,
  { signal, logger }: { readonly signal: AbortSignal; readonly logger: Logger },
): Promise<boolean> {
  const kinds = Array.from(jobs, toKind);
  const body = { kind: "register-kinds", kinds } as const;
  const outcome = await proposeInsistently(quorum, body, {
    traceparent: "",
    signal,
    callSignal: signal,
  });
  if (outcome.kind !== "applied") return false;
  logger.info({ kinds: kinds.map(({ kind }) => kind) }, "kinds registered");
  return true;
}

/** As a user writes it, and the ledger has it. */
export function withJitter(backoff: RetryPolicy["backoff"]): Backoff {
  return { jitter: JITTER_DEFAULT, ...backoff };
}

/** A kind as the ledger knows it. */
export function toKind(job: JobDefinition): Kind {
  return {
    kind: job.kind,
    queue: job.queue,
    maxAttempts: job.retry.maxAttempts,
    backoff: withJitter(job.retry.backoff),
    attemptTimeoutMs: job.timeoutMs,
    totalTimeoutMs: job.totalTimeoutMs,
    lockTemplates: job.lockTemplates,
    concurrencyTemplates: job.concurrencyTemplates,
  };
}

/** Throws when a kind is defined twice, or none is. */
export function byKind(jobs: readonly JobDefinition[]): Map<string, JobDefinition> {
  assert(jobs.length > 0, "a worker needs at least one job definition");
  const kinds = new Map(jobs.map((job) => [job.kind, job]));
  assert(kinds.size === jobs.length, "each kind is defined once");
  return kinds;
}
