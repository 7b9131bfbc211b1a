// The proof that a fresh stack works: one real SayHello, and where to find what it left behind.
//
// Guarantees: the reply went through the whole pipeline; job id and trace id are read back from
// the ledger. While the quorum is still electing, it is tried again until the time is over.

import { setTimeout as delay } from "node:timers/promises";
import { JobState } from "../../protos/gen/quorumq/v1/job.ts";
import { ListJobsRequest } from "../../protos/gen/quorumq/v1/job_service.ts";
import { connectJobs, type JobsConnection } from "../../transport/grpc/client.ts";
import { Code, PipelineError } from "../../transport/pipeline-error.ts";
import {
  SpanKind,
  startRootSpan,
  traceIdOf,
  traceparentOf,
} from "../../transport/telemetry/trace.ts";

const CALL_TIMEOUT_MS = 10_000;
const PAUSE_MS = 200;

export interface Greeting {
  readonly reply: string;
  readonly jobId: string;
  readonly traceId: string;
}

export interface GreetingOptions {
  readonly address: string;
  readonly name: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Rejects with the last refusal when the time is over. */
export async function greet(options: GreetingOptions): Promise<Greeting> {
  const endMs = performance.now() + options.timeoutMs;
  const connection = connectJobs({ address: options.address });
  try {
    for (;;) {
      try {
        return await greetOnce(connection, options);
      } catch (error) {
        if (!mayPass(error) || performance.now() > endMs || options.signal.aborted) throw error;
      }
      await delay(PAUSE_MS);
    }
  } finally {
    connection.close();
  }
}

async function greetOnce(
  { greeter, jobs }: JobsConnection,
  { name, signal }: GreetingOptions,
): Promise<Greeting> {
  const span = startRootSpan({ name: "helloworld.Greeter/SayHello", kind: SpanKind.CLIENT });
  try {
    const traceparent = traceparentOf(span);
    const call = { timeoutMs: CALL_TIMEOUT_MS, traceparent, signal };
    const { message } = await greeter.sayHello({ name }, call);
    const traceId = traceIdOf(traceparent);
    const state = JobState.JOB_STATE_SUCCEEDED;
    const query = ListJobsRequest.fromPartial({ pageSize: 50, state, kind: "greet" });
    const listed = await jobs.listJobs(query, { timeoutMs: CALL_TIMEOUT_MS, signal });
    const job = listed.jobs.find((candidate) => candidate.traceId === traceId);
    if (job === undefined) throw new Error(`no greet job has the trace ${traceId}`);
    return { reply: message, jobId: job.id, traceId };
  } finally {
    span.end();
  }
}

/** No leader yet, no worker yet, not listening yet. */
function mayPass(error: unknown): boolean {
  if (!(error instanceof PipelineError)) return false;
  return error.code === Code.Unavailable || error.code === Code.DeadlineExceeded;
}
