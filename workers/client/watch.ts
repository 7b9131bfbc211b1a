// A job followed to its end, as a caller of the public client meets it.
//
// Guarantees: the job as it is, then as it is after each change, no change twice and the end never
// missed, over any number of streams, gateways and failovers; changes that come quicker than they
// can be told are told as one. What a retry cannot heal ends it, and so do the caller's own time
// and signal. Left early, it leaves nothing open.
// Does not own: the stream itself (gateway/wait.ts).

import { setTimeout as delay } from "node:timers/promises";
import type { Job } from "../../protos/gen/quorumq/v1/job.ts";
import type { JobsConnection } from "../../transport/grpc/client.ts";
import { Code, PipelineError } from "../../transport/pipeline-error.ts";
import { type CallOptions, callOptions } from "./call-options.ts";

const RETRY_DELAY_MS = 500;

export interface WatchOptions extends CallOptions {
  /** Changes up to this `changeIndex` are known. Default 0: begins with the job as it is. */
  readonly afterIndex?: number;
  /** Default: no limit. */
  readonly deadlineMs?: number;
}

export async function* watchUntilEnded(
  jobs: JobsConnection["jobs"],
  jobId: string,
  { afterIndex = 0, deadlineMs = Number.POSITIVE_INFINITY, ...options }: WatchOptions = {},
): AsyncGenerator<Job, void, undefined> {
  const { signal } = options;
  const endMs = performance.now() + deadlineMs;
  for (let seenIndex = afterIndex; ; ) {
    const leftMs = endMs - performance.now();
    const isLimited = leftMs !== Number.POSITIVE_INFINITY;
    const call = callOptions(isLimited ? { ...options, deadlineMs: leftMs } : options);
    try {
      for await (const { job } of jobs.watchJob({ jobId, afterIndex: seenIndex }, call)) {
        if (job === undefined) continue;
        seenIndex = job.changeIndex;
        yield job;
      }
      // The gateway ends a stream with the job, and at once when the caller knows of the end.
      return;
    } catch (thrown) {
      const error = PipelineError.from(thrown);
      const isOver = signal?.aborted === true || performance.now() + RETRY_DELAY_MS >= endMs;
      if (isOver || error.retry === "never" || error.code === Code.Internal) throw error;
      // Ended early by the signal, the next stream says so.
      const ended = signal === undefined ? {} : { signal };
      await delay(error.retryDelayMs ?? RETRY_DELAY_MS, undefined, ended).catch(() => undefined);
    }
  }
}
