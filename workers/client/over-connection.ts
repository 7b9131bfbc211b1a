// The public client over any connection to the services, whether it crosses a network or not.
//
// Guarantees: the calls are those of the services; nothing is kept here but the handles' ids.
// Does not own: the connection, but for closing it.

import { randomUUID } from "node:crypto";
import type { Job } from "../../protos/gen/quorumq/v1/job.ts";
import type { ClientCallOptions, JobsConnection } from "../../transport/grpc/client.ts";
import { refusal } from "../../transport/reason.ts";
import type { Client, FlowHandle, JobHandle, WaitOptions } from "../client.ts";
import type { Clock } from "../clock.ts";
import { locksOver } from "./locks.ts";
import { resultOf } from "./result.ts";
import { retryAll } from "./retry.ts";
import { scheduleClient } from "./schedules.ts";
import { child, type FlowChild, type SubmitOptions, toSpec } from "./submission.ts";

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
    const answer = await jobs.submitJob({ job }, callOptions(options));
    const { traceId, deduplicated } = answer;
    const parts = { traceId, deduplicated, idempotencyKey: job.idempotencyKey };
    const children = answer.childJobIds.map((id) => handleOf<unknown>(id, parts));
    return { ...handleOf<Output>(answer.jobId, parts), children };
  }

  const client: Client = {
    submit: async (definition, input, options = {}) => {
      const { children, ...handle } = await submitted(child(definition, input, options), options);
      return handle;
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
    get: async (jobId) => present((await jobs.getJob({ jobId })).job),
    list: (filter = {}) =>
      jobs.listJobs({ pageSize: 0, pageToken: "", state: 0, kind: "", queue: "", ...filter }),
    cancel: async (jobId, reason = "") => present((await jobs.cancelJob({ jobId, reason })).job),
    retry: async (jobId, { requestId = randomUUID() } = {}) =>
      present((await jobs.retryJob({ jobId, requestId })).job),
    retryAll: (filter = {}) => retryAll(jobs, filter),
    wait,
    schedules: scheduleClient(jobs),
    cluster: () => cluster.getCluster({}),
    locks: locksOver(parts.locks, parts.clock),
    close,
  };
  return client;
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
