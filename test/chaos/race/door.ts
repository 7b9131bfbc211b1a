// A way into the pipeline, whichever it is: a gateway over gRPC, or a console over HTTP.

import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Job, JobSpec } from "../../../protos/gen/quorumq/v1/job.ts";
import { JobState } from "../../../protos/gen/quorumq/v1/job.ts";
import type { JobsConnection } from "../../../transport/grpc/client.ts";
import { openEvents } from "../../support/event-reader.ts";

export interface Submitted {
  readonly jobId: string;
  readonly deduplicated: boolean;
}

export interface Seen {
  readonly id: string;
  /** JOB_STATE_SUCCEEDED and the like. */
  readonly state: string;
  readonly changeIndex: number;
}

export interface Door {
  readonly name: string;
  submit(spec: JobSpec): Promise<Submitted>;
  wait(jobId: string, timeoutMs: number): Promise<Seen>;
  watch(jobId: string, afterIndex: number, timeoutMs: number): AsyncIterable<Seen>;
}

export function grpcDoor(name: string, { jobs }: JobsConnection): Door {
  return {
    name,
    submit: (job) => jobs.submitJob({ job }, { timeoutMs: 30_000 }),
    wait: async (jobId, timeoutMs) => seen((await jobs.waitJob({ jobId }, { timeoutMs })).job),
    watch: async function* (jobId, afterIndex, timeoutMs) {
      const answers = jobs.watchJob({ jobId, afterIndex }, { timeoutMs });
      for await (const { job } of answers) yield seen(job);
    },
  };
}

export function httpDoor(name: string, url: string): Door {
  return {
    name,
    submit: async ({ kind, queue, payload, idempotencyKey }) => {
      const key = idempotencyKey || randomUUID();
      const rest = JSON.stringify({ kind, queue, idempotencyKey: key }).slice(1);
      const body = `{"payload":${payload.toString("utf8")},${rest}`;
      const headers = { "content-type": "application/json", "x-timeout-ms": "30000" };
      for (;;) {
        const answer = await fetch(`${url}/v1/jobs`, { method: "POST", headers, body });
        if (answer.status !== 503) return (await bodyOf(answer)) as Submitted;
        // As gRPC's channel does by itself.
        await delay(Number(answer.headers.get("retry-after") ?? 1) * 1_000);
      }
    },
    wait: async (jobId, timeoutMs) => {
      const headers = { "x-timeout-ms": String(timeoutMs) };
      return seenJson(await bodyOf(await fetch(`${url}/v1/jobs/${jobId}:wait`, { headers })));
    },
    watch: async function* (jobId, afterIndex, timeoutMs) {
      const headers = { "x-timeout-ms": String(timeoutMs) };
      const address = `${url}/v1/jobs/${jobId}:watch?afterIndex=${afterIndex}`;
      const events = await openEvents(address, headers);
      try {
        for (let event = await events.next(); event !== null; event = await events.next()) {
          if (event.name !== "job") throw new Error(`${event.name}: ${JSON.stringify(event.data)}`);
          yield seenJson(event.data);
        }
      } finally {
        await events.leave();
      }
    },
  };
}

async function bodyOf(answer: Response): Promise<unknown> {
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${answer.status}: ${text}`);
  return JSON.parse(text);
}

function seen(job: Job | undefined): Seen {
  if (job === undefined) throw new Error("an answer without a job");
  const state = Object.entries(JobState).find(([, number]) => number === job.state)?.[0] ?? "";
  return { id: job.id, state, changeIndex: job.changeIndex };
}

function seenJson(job: unknown): Seen {
  const { id, state, changeIndex } = job as Readonly<Record<string, unknown>>;
  return { id: String(id), state: String(state), changeIndex: Number(changeIndex) };
}
