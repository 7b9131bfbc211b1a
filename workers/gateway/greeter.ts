// helloworld.Greeter, as every stock client knows it, run as real jobs of the kind `greet`.
//
// Guarantees: a greeting is the recorded result of a job that went through the whole pipeline. When
// the pipeline cannot run it in time the answer is UNAVAILABLE with a reason and a time to try
// again; a greeting is never made up here.
// Does not own: the handler of `greet`, which a worker runs.

import type { HelloReply, HelloRequest } from "../../protos/gen/helloworld.ts";
import { type Job, JobSpec, JobState } from "../../protos/gen/quorumq/v1/job.ts";
import type { Call } from "../../transport/grpc/call.ts";
import type { GreeterHandlers } from "../../transport/grpc/server.ts";
import {
  GREETER_STREAM_INFLIGHT_MAX,
  SUBMIT_STREAM_INFLIGHT_BYTES_MAX,
} from "../../transport/limit.ts";
import { Code, PipelineError } from "../../transport/pipeline-error.ts";
import type { Quorum } from "../../transport/quorum.ts";
import { refusal } from "../../transport/reason.ts";
import { timeLeft } from "./ask.ts";
import type { JobFollower } from "./follower.ts";
import { type Ahead, inOrder } from "./in-order.ts";
import { submitOne } from "./submit.ts";
import { checkPayload } from "./validate.ts";
import { Violations } from "./violations.ts";
import { ended } from "./wait.ts";

export const GREET_KIND = "greet";
const AHEAD: Ahead<HelloRequest> = {
  itemsMax: GREETER_STREAM_INFLIGHT_MAX,
  bytesMax: SUBMIT_STREAM_INFLIGHT_BYTES_MAX,
  bytesOf: ({ name }) => name.length,
};

export function greeterHandlers(quorum: Quorum, follower: JobFollower): GreeterHandlers {
  const reply = (name: string, call: Call): Promise<HelloReply> =>
    greet(quorum, follower, name, call);
  return {
    sayHello: ({ name }, call) => reply(name, call),
    sayHelloStreamReply: async function* ({ name }, call) {
      yield await reply(name, call);
    },
    sayHelloBidiStream: (requests, call) =>
      inOrder(requests, AHEAD, ({ name }) => reply(name, call)),
  };
}

async function greet(
  quorum: Quorum,
  follower: JobFollower,
  name: string,
  call: Call,
): Promise<HelloReply> {
  const payload = Buffer.from(JSON.stringify({ name }), "utf8");
  const violations = new Violations();
  checkPayload(payload, "name", violations);
  violations.requireNone();
  const leftMs = timeLeft(call);
  try {
    const { jobId } = await submitOne(quorum, greetJob(payload), call, leftMs);
    const job = await ended(follower, jobId, leftMs, [call.signal]);
    if (job === null) throw notRun(`job ${jobId} is accepted, but no worker ran it in time`, jobId);
    return { message: messageOf(job) };
  } catch (thrown) {
    throw asUnavailable(thrown);
  }
}

/** The refusals that mean "not now" for a greeting, whatever they mean for a job. */
function asUnavailable(thrown: unknown): unknown {
  if (!(thrown instanceof PipelineError)) return thrown;
  switch (thrown.code) {
    case Code.InvalidArgument:
      // Only the kind can be refused: no worker has ever offered to greet.
      return refusal("NO_WORKER_RAN_IT", `no worker has registered the kind ${GREET_KIND}`, {
        metadata: { kind: GREET_KIND },
        cause: thrown,
      });
    case Code.DeadlineExceeded:
      return refusal("NO_LEADER", "the quorum did not answer in time", { cause: thrown });
    default:
      return thrown;
  }
}

function notRun(message: string, jobId: string): PipelineError {
  return refusal("NO_WORKER_RAN_IT", message, { metadata: { job_id: jobId } });
}

function messageOf(job: Job): string {
  const { id, state, result, error } = job;
  if (state === JobState.JOB_STATE_SUCCEEDED) {
    // No bytes stand for null.
    const value: unknown = result.byteLength === 0 ? null : JSON.parse(result.toString("utf8"));
    const message =
      typeof value === "object" && value !== null && "message" in value ? value.message : null;
    if (typeof message === "string") return message;
    throw refusal("GREETING_FAILED", `job ${id} gave no message`, { metadata: { job_id: id } });
  }
  const why = error === undefined ? "was cancelled" : `failed: ${error.code}`;
  throw refusal("GREETING_FAILED", `job ${id} ${why}`, {
    metadata: { job_id: id, ...(error === undefined ? {} : { error_code: error.code }) },
  });
}

function greetJob(payload: Buffer): JobSpec {
  return JobSpec.fromPartial({ kind: GREET_KIND, payload });
}
