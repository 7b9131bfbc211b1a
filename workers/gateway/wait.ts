// WaitJob, RunJob and WatchJob: callers that stay until a job changes or ends.
//
// Guarantees: never a missed end and never a wait beyond the call's time (follower.ts reads, and
// reads again). When the gateway drains, those who can simply ask another gateway are sent away at
// once; RunJob, whose job is accepted, stays as long as the drain lasts.

import { type Job, JobState } from "../../protos/gen/quorumq/v1/job.ts";
import type { Call } from "../../transport/grpc/call.ts";
import type { JobHandlers } from "../../transport/grpc/server.ts";
import type { PipelineError } from "../../transport/pipeline-error.ts";
import type { Quorum } from "../../transport/quorum.ts";
import { refusal } from "../../transport/reason.ts";
import { AttributeName } from "../../transport/telemetry/name.ts";
import { type TimeLeft, timeLeft } from "./ask.ts";
import type { JobFollower } from "./follower.ts";
import { jobForgotten, jobNotFound, outcomeUnknown } from "./outcome.ts";
import { submitOne } from "./submit.ts";
import { checkJobId } from "./validate.ts";
import { quoted, Violations } from "./violations.ts";

/** A longer time makes a Node timer fire at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

type WaitHandlers = Required<Pick<JobHandlers, "waitJob" | "runJob" | "watchJob">>;

export function waitHandlers(quorum: Quorum, follower: JobFollower): WaitHandlers {
  return {
    waitJob: async ({ jobId }, call) => {
      const violations = new Violations();
      checkJobId(jobId, violations);
      violations.requireNone();
      call.annotate({ [AttributeName.JobId]: jobId });
      const signals = [call.signal, call.draining];
      const job = await ended(follower, jobId, timeLeft(call), signals);
      if (job !== null) return { job };
      throw notEnded(jobId);
    },
    runJob: async ({ job }, call) => ({ job: await run(quorum, follower, job, call) }),
    watchJob: (request, call) => watch(follower, request.jobId, request.afterIndex, call),
  };
}

async function run(
  quorum: Quorum,
  follower: JobFollower,
  spec: Parameters<typeof submitOne>[1],
  call: Call,
): Promise<Job> {
  const leftMs = timeLeft(call);
  const { jobId, idempotencyKey, deduplicated } = await submitOne(quorum, spec, call, leftMs);
  const signal = acceptedSignal(call.signal, jobId, idempotencyKey);
  const missing = (): PipelineError =>
    deduplicated ? jobForgotten(jobId, idempotencyKey) : jobNotFound(jobId);
  const job = await ended(follower, jobId, leftMs, [signal], missing);
  if (job !== null) return job;
  throw outcomeUnknown(
    `job ${jobId}, which is accepted, has not ended yet`,
    `wait for it, or run it again with the same idempotency key ${quoted(idempotencyKey)}`,
    { job_id: jobId, idempotency_key: idempotencyKey },
  );
}

/** From here on an ended call is no longer "nothing happened". */
function acceptedSignal(signal: AbortSignal, jobId: string, idempotencyKey: string): AbortSignal {
  const accepted = new AbortController();
  const abort = (): void => {
    accepted.abort(
      refusal("SHUTTING_DOWN", `the gateway shut down; job ${jobId} is accepted and goes on`, {
        retry: "same-key",
        metadata: { job_id: jobId, idempotency_key: idempotencyKey },
        cause: signal.reason,
      }),
    );
  };
  if (signal.aborted) abort();
  else signal.addEventListener("abort", abort, { once: true });
  return accepted.signal;
}

/** The job when it has ended; null when the time is over. Throws an abort's reason. */
export async function ended(
  follower: JobFollower,
  jobId: string,
  leftMs: TimeLeft,
  signals: readonly AbortSignal[],
  missing = (): PipelineError => jobNotFound(jobId),
): Promise<Job | null> {
  const { promise, resolve, reject } = Promise.withResolvers<Job | null>();
  const unfollow = follower.follow(jobId, {
    isEachChange: false,
    seen: (job) => {
      if (isEnded(job)) resolve(job);
    },
    missing: () => reject(missing()),
  });
  const forget = onAbort(signals, reject);
  const timer = setTimeout(() => resolve(null), Math.min(Math.max(0, leftMs()), TIMER_MS_MAX));
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    unfollow();
    forget();
  }
}

async function* watch(
  follower: JobFollower,
  jobId: string,
  afterIndex: number,
  call: Call,
): AsyncGenerator<{ job: Job }> {
  const violations = new Violations();
  checkJobId(jobId, violations);
  violations.requireNone();
  call.annotate({ [AttributeName.JobId]: jobId });
  const news = new News();
  const unfollow = follower.follow(jobId, {
    isEachChange: true,
    seen: (job) => news.seen(job),
    missing: () => news.fail(jobNotFound(jobId)),
  });
  const forget = onAbort([call.signal, call.draining], (reason) => news.fail(reason));
  const timer = atDeadline(call, () => news.fail(notEnded(jobId)));
  try {
    for (let seenIndex = afterIndex, isFirst = true; ; isFirst = false) {
      const job = await news.next();
      // The job has not come that far: the index is of another ledger, as after a restored backup.
      if (isFirst && job.changeIndex < afterIndex) seenIndex = 0;
      if (job.changeIndex > seenIndex) yield { job };
      if (isEnded(job)) return;
      seenIndex = Math.max(seenIndex, job.changeIndex);
    }
  } finally {
    clearTimeout(timer);
    unfollow();
    forget();
  }
}

/** The newest state that a slow reader has not been given yet: at most one is kept. */
class News {
  #newest: Job | null = null;
  #failure: { readonly reason: unknown } | null = null;
  #wake = (): void => undefined;

  seen(job: Job): void {
    if (this.#newest === null || job.changeIndex > this.#newest.changeIndex) this.#newest = job;
    this.#wake();
  }

  fail(reason: unknown): void {
    this.#failure ??= { reason };
    this.#wake();
  }

  async next(): Promise<Job> {
    for (;;) {
      if (this.#failure !== null) throw this.#failure.reason;
      const job = this.#newest;
      this.#newest = null;
      if (job !== null) return job;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
  }
}

function notEnded(jobId: string): PipelineError {
  return outcomeUnknown(`job ${jobId} has not ended yet`, "wait again", { job_id: jobId });
}

/** A stream without a deadline goes on for as long as the job does. */
function atDeadline(call: Call, then: () => void): NodeJS.Timeout | undefined {
  if (!Number.isFinite(call.remainingMs())) return undefined;
  return setTimeout(then, Math.min(Math.max(0, timeLeft(call)()), TIMER_MS_MAX));
}

export function isEnded({ state }: Job): boolean {
  return (
    state === JobState.JOB_STATE_SUCCEEDED ||
    state === JobState.JOB_STATE_FAILED ||
    state === JobState.JOB_STATE_CANCELLED
  );
}

/** Also for what was aborted before. Returns the function that ends it. */
function onAbort(signals: readonly AbortSignal[], then: (reason: unknown) => void): () => void {
  const endings = signals.map((signal) => {
    const listener = (): void => then(signal.reason);
    if (signal.aborted) listener();
    signal.addEventListener("abort", listener, { once: true });
    return () => signal.removeEventListener("abort", listener);
  });
  return () => {
    for (const ending of endings) ending();
  };
}
