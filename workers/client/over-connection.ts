// The public client over any connection to the services, whether it crosses a network or not.
//
// Guarantees: the calls are those of the services; nothing is kept here but the handles' ids.
// Does not own: the connection, but for closing it.

import { randomUUID } from "node:crypto";
import type { Job } from "../../protos/gen/quorumq/v1/job.ts";
import { ListJobsRequest } from "../../protos/gen/quorumq/v1/job_service.ts";
import type { JobsConnection } from "../../transport/grpc/client.ts";
import { refusal } from "../../transport/reason.ts";
import type { Client, FlowHandle, JobHandle, WaitOptions } from "../client.ts";
import type { Clock } from "../clock.ts";
import type { JobDefinition } from "../define-job.ts";
import { callOptions } from "./call-options.ts";
import { insistently } from "./insistent-call.ts";
import { locksOver } from "./locks.ts";
import { queuesOver } from "./queues.ts";
import { resultOf } from "./result.ts";
import { retryAll } from "./retry.ts";
import { scheduleClient } from "./schedules.ts";
import {
  child,
  type FlowChild,
  type SubmitAllOptions,
  type SubmitOptions,
  toSpec,
  toSpecs,
} from "./submission.ts";
import { watchUntilEnded } from "./watch.ts";

export interface ClientParts extends Pick<JobsConnection, "jobs" | "cluster" | "locks" | "close"> {
  /** The clock that `delayMs` counts from. */
  readonly nowMs: () => number;
  /** What locks are kept by. */
  readonly clock: Clock;
  /** The job when it has ended. */
  readonly wait: Client["wait"];
}

export function clientOver(parts: ClientParts): Client {
  const { jobs, cluster, close, nowMs, wait } = parts;
  const handleOf = <Output>(id: string, parts: Omit<JobHandle<Output>, "id" | "result">) => ({
    id,
    ...parts,
    result: async (options?: WaitOptions) => resultOf<Output>(await wait(id, options)),
  });

  async function submitted<Output>(
    top: FlowChild<Output>,
    options: SubmitOptions,
  ): Promise<FlowHandle<Output, readonly FlowChild[]>> {
    const job = await toSpec(top, options.idempotencyKey, nowMs);
    const answer = await insistently(callOptions(options), (each) => jobs.submitJob({ job }, each));
    const { traceId, deduplicated } = answer;
    const parts = { traceId, deduplicated, idempotencyKey: job.idempotencyKey };
    const children = answer.childJobIds.map((id) => handleOf<unknown>(id, parts));
    return { ...handleOf<Output>(answer.jobId, parts), children };
  }

  const locks = locksOver(parts.locks, parts.clock);
  const client: Client = {
    submit: async (definition, input, options = {}) => {
      const { children, ...handle } = await submitted(child(definition, input, options), options);
      return handle;
    },
    submitAll: async <Input, Output>(
      definition: JobDefinition<string, Input, Output>,
      inputs: readonly Input[],
      options: SubmitAllOptions<Input> = {},
    ) => {
      if (inputs.length === 0) return [];
      const specs = await toSpecs(definition, inputs, options, nowMs);
      const answer = await insistently(callOptions(options), (each) =>
        jobs.batchSubmitJobs({ jobs: specs }, each),
      );
      return answer.jobs.map(({ jobId, traceId, deduplicated }, at) => {
        const idempotencyKey = specs[at]?.idempotencyKey ?? "";
        return handleOf<Output>(jobId, { traceId, deduplicated, idempotencyKey });
      });
    },
    submitFlow: async (definition, input, options) => {
      const handle = await submitted(child(definition, input, options), options);
      // One handle a child, in their order: what the type says.
      return handle as FlowHandle<never, never>;
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
    get: async (jobId, options = {}) =>
      present((await jobs.getJob({ jobId }, callOptions(options))).job),
    list: (filter = {}, options = {}) =>
      jobs.listJobs(ListJobsRequest.fromPartial(filter), callOptions(options)),
    cancel: async (jobId, reason = "", options = {}) =>
      present((await jobs.cancelJob({ jobId, reason }, callOptions(options))).job),
    retry: async (jobId, { requestId = randomUUID(), ...options } = {}) =>
      present((await jobs.retryJob({ jobId, requestId }, callOptions(options))).job),
    retryAll: (filter = {}) => retryAll(jobs, filter),
    wait,
    watch: (jobId, options) => watchUntilEnded(jobs, jobId, options),
    schedules: scheduleClient(jobs),
    queues: queuesOver(jobs),
    cluster: (options = {}) => cluster.getCluster({}, callOptions(options)),
    locks: { acquire: locks.acquire, run: locks.run },
    close: () => {
      locks.close();
      close();
    },
  };
  return client;
}

function present(job: Job | undefined): Job {
  if (job !== undefined) return job;
  throw refusal("INTERNAL", "the gateway answered without a job");
}
