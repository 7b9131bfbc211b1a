// The public client: submit typed jobs, wait for their results, look at them.
//
// Guarantees: input and output types come from the job's definition, and the input is checked
// against its schema before anything is sent. Every submission has an idempotency key, made here if
// not given, so that every retry within the time is safe. Failures are PipelineErrors; a job that
// ended without a result is a JobFailedError.
// Does not own: how calls travel (transport/grpc/client.ts).

import { randomUUID } from "node:crypto";
import type { GetClusterResponse } from "../protos/gen/quorumq/v1/cluster_service.ts";
import type { Job, JobSpec } from "../protos/gen/quorumq/v1/job.ts";
import type { ListJobsRequest, ListJobsResponse } from "../protos/gen/quorumq/v1/job_service.ts";
import { type ClientCallOptions, connectJobs } from "../transport/grpc/client.ts";
import { refusal } from "../transport/reason.ts";
import { resultOf, waitUntilEnded } from "./client/result.ts";
import type { JobDefinition } from "./define-job.ts";
import { describeIssues } from "./standard-schema.ts";

export { JobFailedError } from "./client/result.ts";

export interface ClientOptions {
  /** host:port of a gateway, or any target that gRPC resolves. */
  readonly address: string;
}

export interface SubmitOptions {
  /** One submission per key; made up when absent. */
  readonly idempotencyKey?: string;
  /** Not before this time, or this long from now. */
  readonly runAt?: Date;
  readonly delayMs?: number;
  /** 0 to 1000; higher runs earlier. */
  readonly priority?: number;
  /** Default: what the definition's lock templates give. */
  readonly lockKeys?: readonly string[];
  /** Default: where the definition says. */
  readonly queue?: string;
  /** For being accepted; with `run` also for the result. Default 10 s, `run` no limit. */
  readonly deadlineMs?: number;
  readonly traceparent?: string;
  readonly signal?: AbortSignal;
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

export interface Client {
  submit<Input, Output>(
    definition: JobDefinition<string, Input, Output>,
    input: Input,
    options?: SubmitOptions,
  ): Promise<JobHandle<Output>>;
  /** Submits and waits for the result. */
  run<Input, Output>(
    definition: JobDefinition<string, Input, Output>,
    input: Input,
    options?: SubmitOptions,
  ): Promise<Output>;
  get(jobId: string): Promise<Job>;
  /** A page, newest first, without payloads and results. */
  list(filter?: Partial<ListJobsRequest>): Promise<ListJobsResponse>;
  cancel(jobId: string, reason?: string): Promise<Job>;
  /** The job when it has ended, however that was. */
  wait(jobId: string, options?: WaitOptions): Promise<Job>;
  cluster(): Promise<GetClusterResponse>;
  close(): void;
}

/** Connects at the first call. */
export function createClient({ address }: ClientOptions): Client {
  const { jobs, cluster, close } = connectJobs({ address });
  const client: Client = {
    submit: async (definition, input, options = {}) => {
      const job = await specOf(definition, input, options);
      const answer = await jobs.submitJob({ job }, callOptions(options));
      return {
        id: answer.jobId,
        traceId: answer.traceId,
        deduplicated: answer.deduplicated,
        idempotencyKey: job.idempotencyKey,
        result: async (wait) => resultOf(await client.wait(answer.jobId, wait)),
      };
    },
    run: async (definition, input, options = {}) => {
      const startMs = performance.now();
      const { deadlineMs, signal } = options;
      const handle = await client.submit(definition, input, options);
      return await handle.result({
        ...(deadlineMs === undefined
          ? {}
          : { deadlineMs: deadlineMs - (performance.now() - startMs) }),
        ...(signal === undefined ? {} : { signal }),
      });
    },
    get: async (jobId) => present((await jobs.getJob({ jobId })).job),
    list: (filter = {}) =>
      jobs.listJobs({ pageSize: 0, pageToken: "", state: 0, kind: "", queue: "", ...filter }),
    cancel: async (jobId, reason = "") => present((await jobs.cancelJob({ jobId, reason })).job),
    wait: (jobId, options = {}) => waitUntilEnded(jobs, jobId, options),
    cluster: () => cluster.getCluster({}),
    close,
  };
  return client;
}

async function specOf<Input>(
  definition: JobDefinition<string, Input, unknown>,
  input: Input,
  options: SubmitOptions,
): Promise<JobSpec> {
  const checked = await definition.input["~standard"].validate(input);
  if (checked.issues !== undefined) {
    const description = describeIssues(checked.issues);
    throw refusal("INVALID_FIELD", `the input does not fit ${definition.kind}: ${description}`, {
      metadata: { field: "job.payload", kind: definition.kind },
      violations: [{ field: "job.payload", description }],
    });
  }
  const { runAt, delayMs } = options;
  // What was handed in, not what the schema made of it: the worker's own schema does that again.
  const payload = Buffer.from(JSON.stringify(input) ?? "null", "utf8");
  return {
    kind: definition.kind,
    queue: options.queue ?? definition.queue,
    payload,
    priority: options.priority ?? 0,
    runAt: runAt ?? (delayMs === undefined ? undefined : new Date(Date.now() + delayMs)),
    maxAttempts: 0,
    backoff: undefined,
    attemptTimeout: undefined,
    lockKeys: [...(options.lockKeys ?? [])],
    idempotencyKey: options.idempotencyKey ?? randomUUID(),
  };
}

function callOptions({ deadlineMs, traceparent, signal }: SubmitOptions): ClientCallOptions {
  return {
    ...(deadlineMs === undefined ? {} : { timeoutMs: deadlineMs }),
    ...(traceparent === undefined ? {} : { traceparent }),
    ...(signal === undefined ? {} : { signal }),
  };
}

function present(job: Job | undefined): Job {
  if (job !== undefined) return job;
  throw refusal("INTERNAL", "the gateway answered without a job");
}
