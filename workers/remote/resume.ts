// Attempts of a worker that has come back, as the ledger has them.
//
// Guarantees: only what the ledger says is current, and started for this worker, is gone on with;
// the rest is named with the reason. This keeps workers apart that are mixed up, no more: who can
// reach the gateway is trusted.
// Does not own: keeping it alive (../attempt-runner.ts renews the lease before anything else).

import { Started } from "../../protos/gen/node/v1/exchange.ts";
import { type Attempt, type Job, JobState } from "../../protos/gen/quorumq/v1/job.ts";
import type { AttemptResume } from "../../protos/gen/quorumq/v1/worker_service.ts";
import type { Quorum } from "../../transport/quorum.ts";
import { unavailable } from "../gateway/outcome.ts";

export type Resumed =
  | { readonly kind: "current"; readonly started: Started; readonly traceparent: string }
  | { readonly kind: "over"; readonly why: "cancelled" | "fenced" };

const READ_TIMEOUT_MS = 5_000;

/** Throws when the quorum cannot say. */
export async function findResumed(
  quorum: Quorum,
  workerId: string,
  { jobId, token, traceparent }: AttemptResume,
): Promise<Resumed> {
  const outcome = await quorum.read(
    { read: { $case: "jobs", value: { jobIds: [jobId] } } },
    { timeoutMs: READ_TIMEOUT_MS, traceparent },
  );
  if (outcome.kind === "unavailable") throw unavailable(outcome);
  if (outcome.kind === "unknown") throw unavailable({ kind: "unavailable", reason: "no-leader" });
  const [job] = outcome.answer.jobs;
  const attempt = job?.attempts.at(-1);
  const isTheirs = attempt?.token === token && attempt.worker === workerId;
  if (job === undefined || !isTheirs) return { kind: "over", why: "fenced" };
  if (job.state === JobState.JOB_STATE_RUNNING) {
    return { kind: "current", started: startedOf(job, attempt), traceparent };
  }
  const isCancelled = job.state === JobState.JOB_STATE_CANCELLED;
  return { kind: "over", why: isCancelled ? "cancelled" : "fenced" };
}

function startedOf(job: Job, { token, number, run }: Attempt): Started {
  const { kind, queue, payload, lockKeys, maxAttempts } = job;
  // Without its timeout, which the ledger counts alone: this process did not see the start.
  return Started.fromPartial({ token, number, run, kind, queue, payload, lockKeys, maxAttempts });
}
