// The end of a job as a caller of the public client meets it.
//
// Guarantees: waiting goes on over any number of calls, gateways and failovers until the job has
// ended, the caller's own time is over or the caller's signal is aborted; what a retry cannot heal
// ends it at once.

import { setTimeout as delay } from "node:timers/promises";
import { type Job, JobState } from "../../protos/gen/quorumq/v1/job.ts";
import type { JobsConnection } from "../../transport/grpc/client.ts";
import { Code, PipelineError } from "../../transport/pipeline-error.ts";
import { refusal } from "../../transport/reason.ts";

/** One WaitJob; the gateway allows no longer than a minute. */
const WAIT_MS = 30_000;
const RETRY_DELAY_MS = 500;

/** The job ended without a result: it failed, or was cancelled. */
export class JobFailedError extends Error {
  override readonly name = "JobFailedError";
  readonly jobId: string;
  readonly state: "FAILED" | "CANCELLED";
  /** The handler's error code, or "CANCELLED". */
  readonly code: string;
  readonly attempts: number;

  constructor(job: Job) {
    const isCancelled = job.state === JobState.JOB_STATE_CANCELLED;
    const why = job.error === undefined ? "" : `: ${job.error.code}: ${job.error.message}`;
    super(`job ${job.id} ${isCancelled ? "was cancelled" : "failed"}${why}`);
    this.jobId = job.id;
    this.state = isCancelled ? "CANCELLED" : "FAILED";
    this.code = job.error?.code ?? this.state;
    this.attempts = job.attempts.length;
  }
}

export function resultOf<Output>(job: Job): Output {
  if (job.state !== JobState.JOB_STATE_SUCCEEDED) throw new JobFailedError(job);
  if (job.result.byteLength === 0) return null as Output;
  return JSON.parse(job.result.toString("utf8")) as Output;
}

export async function waitUntilEnded(
  jobs: JobsConnection["jobs"],
  jobId: string,
  options: { readonly deadlineMs?: number; readonly signal?: AbortSignal },
): Promise<Job> {
  const { deadlineMs = Number.POSITIVE_INFINITY, signal } = options;
  if (Number.isNaN(deadlineMs)) throw notATime("deadlineMs");
  const endMs = performance.now() + deadlineMs;
  for (;;) {
    const timeoutMs = Math.max(1, Math.min(WAIT_MS, endMs - performance.now()));
    try {
      const { job } = await jobs.waitJob(
        { jobId },
        { timeoutMs, ...(signal === undefined ? {} : { signal }) },
      );
      if (job !== undefined) return job;
    } catch (thrown) {
      const error = PipelineError.from(thrown);
      const isOver = signal?.aborted === true || performance.now() + RETRY_DELAY_MS >= endMs;
      if (isOver || error.retry === "never" || error.code === Code.Internal) throw error;
      if (error.code === Code.DeadlineExceeded) continue;
      await pause(error.retryDelayMs ?? RETRY_DELAY_MS, signal);
    }
  }
}

/** Ends early with the signal: the next call then says so. */
async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await delay(ms, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
}

function notATime(field: string): PipelineError {
  const description = "is not a time, got NaN; allowed: a number of milliseconds";
  return refusal("INVALID_FIELD", `${field} ${description}`, {
    metadata: { field, value: "NaN" },
    violations: [{ field, description }],
  });
}
