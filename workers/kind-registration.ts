// Tells the ledger which kinds a worker can run, and with which defaults.
//
// Guarantees: resolves true once the ledger knows them, however long it takes to find a leader;
// false when the signal was aborted before. Kinds stay known when the worker is gone.

import type { Kind } from "../ledger/command.ts";
import type { Quorum } from "../transport/quorum.ts";
import type { Logger } from "../transport/telemetry/logger.ts";
import type { JobDefinition } from "./define-job.ts";
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

function toKind(job: JobDefinition): Kind {
  return {
    kind: job.kind,
    queue: job.queue,
    maxAttempts: job.retry.maxAttempts,
    backoff: job.retry.backoff,
    attemptTimeoutMs: job.timeoutMs,
    lockTemplates: job.lockTemplates,
  };
}
