// Queues as the public client has them: seen, paused, limited and drained.
//
// Guarantees: what an answer shows is the queue as the ledger has it after the call. Limits that
// are not named stay as they are. All calls may be repeated.
// Does not own: what limits mean (docs/queues.md).

import type { ListQueuesResponse, Queue } from "../../protos/gen/quorumq/v1/job_service.ts";
import type { JobsConnection } from "../../transport/grpc/client.ts";
import { refusal } from "../../transport/reason.ts";
import { durationOf } from "../../transport/wire-value.ts";
import { type CallOptions, callOptions } from "./call-options.ts";

/** 0 is no limit; what is absent stays as it is. */
export interface QueueLimitOptions {
  /** Jobs that run at the same time. */
  readonly maxRunning?: number;
  /** Starts within any stretch of time as long as the period; a count of 0 ends the limit. */
  readonly rate?: { readonly count: number; readonly periodMs: number };
  /** Jobs that wait before submissions are refused. */
  readonly maxWaiting?: number;
}

export interface Queues {
  /** A queue each, and all of them together. */
  list(options?: CallOptions): Promise<ListQueuesResponse>;
  /** No more starts of this queue ("*": of any); running jobs go on. */
  pause(queue: string, options?: CallOptions): Promise<Queue>;
  resume(queue: string, options?: CallOptions): Promise<Queue>;
  /** "*": all queues together, of which only maxRunning can be limited. */
  configure(queue: string, limits: QueueLimitOptions, options?: CallOptions): Promise<Queue>;
  /** Cancels what waits, and tells how many that were; running jobs go on. */
  drain(
    queue: string,
    options?: { readonly includeScheduled?: boolean; readonly reason?: string } & CallOptions,
  ): Promise<number>;
}

export function queuesOver(jobs: JobsConnection["jobs"]): Queues {
  return {
    list: (options = {}) => jobs.listQueues({}, callOptions(options)),
    pause: async (queue, options = {}) =>
      present((await jobs.pauseQueue({ queue }, callOptions(options))).queue),
    resume: async (queue, options = {}) =>
      present((await jobs.resumeQueue({ queue }, callOptions(options))).queue),
    configure: async (queue, { maxRunning, rate, maxWaiting }, options = {}) => {
      const period = rate === undefined ? undefined : durationOf(rate.periodMs);
      const limits = {
        maxRunning,
        rate: rate === undefined ? undefined : { count: rate.count, period },
        maxWaiting,
      };
      return present((await jobs.configureQueue({ queue, limits }, callOptions(options))).queue);
    },
    drain: async (queue, { includeScheduled = false, reason = "", ...options } = {}) => {
      const request = { queue, includeScheduled, reason };
      return (await jobs.drainQueue(request, callOptions(options))).cancelledCount;
    },
  };
}

function present(queue: Queue | undefined): Queue {
  if (queue !== undefined) return queue;
  throw refusal("INTERNAL", "the gateway answered without a queue");
}
