// The public client: submit typed jobs, wait for their results, look at them.
//
// Guarantees: input and output types come from the job's definition, and the input is checked
// against its schema before anything is sent. Every submission has an idempotency key, made here if
// not given, so that every retry within the time is safe. Failures are PipelineErrors; a job that
// ended without a result is a JobFailedError.
// Does not own: how calls travel (transport/grpc/client.ts).

import type { GetClusterResponse } from "../protos/gen/quorumq/v1/cluster_service.ts";
import type { Job } from "../protos/gen/quorumq/v1/job.ts";
import type { ListJobsRequest, ListJobsResponse } from "../protos/gen/quorumq/v1/job_service.ts";
import { connectJobs } from "../transport/grpc/client.ts";
import type { CallOptions } from "./client/call-options.ts";
import type { Locks } from "./client/locks.ts";
import { clientOver } from "./client/over-connection.ts";
import type { Queues } from "./client/queues.ts";
import { waitUntilEnded } from "./client/result.ts";
import type { RetryFilter } from "./client/retry.ts";
import type { ScheduleClient } from "./client/schedules.ts";
import type {
  FamilyOptions,
  FlowChild,
  SubmitAllOptions,
  SubmitOptions,
} from "./client/submission.ts";
import type { WatchOptions } from "./client/watch.ts";
import { MACHINE_CLOCK } from "./clock.ts";
import type { JobDefinition } from "./define-job.ts";

export type { CallOptions } from "./client/call-options.ts";
export { HeldLock, LockLostError, type LockLostWhy } from "./client/held-lock.ts";
export type { LockOptions, Locks } from "./client/locks.ts";
export type { QueueLimitOptions, Queues } from "./client/queues.ts";
export { JobFailedError } from "./client/result.ts";
export type { RetryFilter } from "./client/retry.ts";
export {
  type ChildOptions,
  child,
  type EachOptions,
  type FamilyOptions,
  type FlowChild,
  type JobSubmitOptions,
  type SubmitAllOptions,
  type SubmitOptions,
} from "./client/submission.ts";
export type { WatchOptions } from "./client/watch.ts";

export interface ClientOptions {
  /**
   * host:port of a gateway, or any target that gRPC resolves: dns:///gateways:50051 spreads calls
   * over all addresses of a name.
   */
  readonly address: string;
}

export interface WaitOptions {
  /** Default: no limit. */
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
}

export interface JobHandle<Output> {
  readonly id: string;
  readonly traceId: string;
  /** The key had been used for the same job before: this is that job. */
  readonly deduplicated: boolean;
  readonly idempotencyKey: string;
  /** The recorded result. Throws JobFailedError if the job ended without one. */
  result(options?: WaitOptions): Promise<Output>;
}

/** With a handle for each child, in the order they were given. */
export interface FlowHandle<Output, Children extends readonly FlowChild[]>
  extends JobHandle<Output> {
  readonly children: {
    readonly [At in keyof Children]: JobHandle<
      Children[At] extends FlowChild<infer ChildOutput> ? ChildOutput : never
    >;
  };
}

export interface Client {
  submit<Input, Output>(
    definition: JobDefinition<string, Input, Output>,
    input: Input,
    options?: SubmitOptions,
  ): Promise<JobHandle<Output>>;
  /**
   * Submits up to 1000 jobs of one definition in one entry of the log, all or none. Handles come in
   * the order of the inputs.
   */
  submitAll<Input, Output>(
    definition: JobDefinition<string, Input, Output>,
    inputs: readonly NoInfer<Input>[],
    options?: SubmitAllOptions<NoInfer<Input>>,
  ): Promise<readonly JobHandle<Output>[]>;
  /**
   * Submits a job with the children that it waits for, all together or none. Its handler gets their
   * results as `context.children`.
   */
  submitFlow<Input, Output, const Children extends readonly FlowChild[]>(
    definition: JobDefinition<string, Input, Output>,
    input: Input,
    options: SubmitOptions & FamilyOptions<Children>,
  ): Promise<FlowHandle<Output, Children>>;
  /** Submits and waits for the result. */
  run<Input, Output>(
    definition: JobDefinition<string, Input, Output>,
    input: Input,
    options?: SubmitOptions,
  ): Promise<Output>;
  get(jobId: string, options?: CallOptions): Promise<Job>;
  /** A page, newest first, without payloads and results. */
  list(filter?: Partial<ListJobsRequest>, options?: CallOptions): Promise<ListJobsResponse>;
  cancel(jobId: string, reason?: string, options?: CallOptions): Promise<Job>;
  /**
   * A new run of a job that has failed or was cancelled. Asked again with the same requestId, it
   * begins no second one.
   */
  retry(jobId: string, options?: { readonly requestId?: string } & CallOptions): Promise<Job>;
  /** Retries all jobs that match, and tells how many. */
  retryAll(filter?: RetryFilter): Promise<number>;
  /** The job when it has ended, however that was. */
  wait(jobId: string, options?: WaitOptions): Promise<Job>;
  /**
   * The job as it is, then after each change until it has ended: `for await (const job of …)`. Goes
   * on over failovers; to go on in another process, give it the last job's `changeIndex`.
   */
  watch(jobId: string, options?: WatchOptions): AsyncIterable<Job>;
  readonly schedules: ScheduleClient;
  /** Seen, paused, limited and drained. */
  readonly queues: Queues;
  cluster(options?: CallOptions): Promise<GetClusterResponse>;
  /** Locks outside jobs, in one line with them. */
  readonly locks: Locks;
  /**
   * Ends the connection, and with it all calls and waits that are open (CALL_CANCELLED), and the
   * renewal of locks that are held.
   */
  close(): void;
}

/**
 * A typed client of any gateway of a cluster. Connects at the first call, and again by itself;
 * calls that a gateway could not take are tried again within their deadline. One client is enough
 * for a process: calls share its connection. `close()` ends it.
 */
export function createClient({ address }: ClientOptions): Client {
  const connection = connectJobs({ address });
  return clientOver({
    ...connection,
    nowMs: Date.now,
    clock: MACHINE_CLOCK,
    wait: (jobId, options = {}) => waitUntilEnded(connection.jobs, jobId, options),
  });
}
