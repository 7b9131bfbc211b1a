// SubmitJob, SubmitJobs and BatchSubmitJobs: jobs put before the quorum.
//
// Guarantees: OK means committed on a majority. A job without an idempotency key gets one here, so
// that sending again inside the gateway's time is safe; an unknown outcome names the key. In a
// stream each item has its own answer, in order, and an item's error ends nothing else.

import { randomUUID } from "node:crypto";
import type { JobSpec } from "../../ledger/command.ts";
import type { SubmittedJob } from "../../protos/gen/node/v1/exchange.ts";
import type { JobSpec as WireJobSpec } from "../../protos/gen/quorumq/v1/job.ts";
import type {
  SubmitJobResponse,
  SubmitJobsRequest,
  SubmitJobsResponse,
} from "../../protos/gen/quorumq/v1/job_service.ts";
import { numberOf } from "../../transport/code-number.ts";
import type { Call } from "../../transport/grpc/call.ts";
import type { JobHandlers } from "../../transport/grpc/server.ts";
import {
  BATCH_JOBS_MAX,
  SUBMIT_STREAM_INFLIGHT_BYTES_MAX,
  SUBMIT_STREAM_INFLIGHT_MAX,
} from "../../transport/limit.ts";
import { Code, PipelineError } from "../../transport/pipeline-error.ts";
import type { Quorum } from "../../transport/quorum.ts";
import { AttributeName } from "../../transport/telemetry/name.ts";
import { traceIdOf } from "../../transport/telemetry/trace.ts";
import { propose, type TimeLeft, timeLeft } from "./ask.ts";
import { FlatJobs } from "./family.ts";
import { type Ahead, inOrder } from "./in-order.ts";
import { outcomeUnknown, submitRefused } from "./outcome.ts";
import { quoted, Violations } from "./violations.ts";

const AHEAD: Ahead<SubmitJobsRequest> = {
  itemsMax: SUBMIT_STREAM_INFLIGHT_MAX,
  bytesMax: SUBMIT_STREAM_INFLIGHT_BYTES_MAX,
  bytesOf: ({ job }) => payloadBytesOf(job),
};

type SubmitHandlers = Required<Pick<JobHandlers, "submitJob" | "submitJobs" | "batchSubmitJobs">>;

export function submitHandlers(quorum: Quorum): SubmitHandlers {
  return {
    submitJob: async ({ job }, call) => submitResponse(await submitOne(quorum, job, call)),
    submitJobs: (requests, call) =>
      inOrder(requests, AHEAD, (item) => submitItem(quorum, item, call)),
    batchSubmitJobs: async ({ jobs }, call) => {
      const submitted = await submitAll(quorum, jobs, call);
      return { jobs: submitted.map(submitResponse) };
    },
  };
}

/** All else is short, or refused at once. */
function payloadBytesOf(job: WireJobSpec | undefined): number {
  if (job === undefined) return 0;
  return job.children.reduce((sum, child) => sum + payloadBytesOf(child), job.payload.byteLength);
}

/** A job that is in the ledger, with the key and the ids of its children. */
export interface AcceptedJob extends SubmittedJob {
  readonly idempotencyKey: string;
  readonly childJobIds: string[];
}

export async function submitOne(
  quorum: Quorum,
  job: WireJobSpec | undefined,
  call: Call,
  leftMs: TimeLeft = timeLeft(call),
): Promise<AcceptedJob> {
  const violations = new Violations();
  const flat = new FlatJobs(call.traceparent, violations);
  flat.add(job, "job");
  violations.requireNone();
  const [accepted] = await submitFlat(quorum, flat, call, leftMs);
  if (accepted === undefined) throw new Error("one job submitted, none accepted or refused");
  call.annotate({ [AttributeName.JobId]: accepted.jobId });
  return accepted;
}

async function submitAll(
  quorum: Quorum,
  jobs: readonly WireJobSpec[],
  call: Call,
): Promise<readonly AcceptedJob[]> {
  const violations = new Violations();
  if (jobs.length === 0 || jobs.length > BATCH_JOBS_MAX) {
    violations.add("jobs", "has the wrong number of jobs", jobs.length, `1 to ${BATCH_JOBS_MAX}`);
    violations.requireNone();
  }
  const flat = new FlatJobs(call.traceparent, violations);
  for (const [position, job] of jobs.entries()) flat.add(job, `jobs[${position}]`);
  violations.requireNone();
  return await submitFlat(quorum, flat, call, timeLeft(call));
}

/** Those that are nobody's children, in their order. */
async function submitFlat(
  quorum: Quorum,
  flat: FlatJobs,
  call: Call,
  leftMs: TimeLeft,
): Promise<readonly AcceptedJob[]> {
  const specs = flat.specs.map(withKey);
  const submitted = await submitSpecs(quorum, specs, flat.paths, call, leftMs);
  const hasChildren = flat.roots.length < specs.length;
  return flat.roots.flatMap((position) => {
    const job = submitted[position];
    if (job === undefined) return [];
    const children = hasChildren ? flat.childrenOf(position) : [];
    const childJobIds = children.map((at) => submitted[at]?.jobId ?? "");
    return [{ ...job, idempotencyKey: specs[position]?.idempotencyKey ?? "", childJobIds }];
  });
}

async function submitSpecs(
  quorum: Quorum,
  jobs: readonly JobSpec[],
  paths: readonly string[],
  call: Call,
  leftMs: TimeLeft,
): Promise<readonly SubmittedJob[]> {
  const applied = await propose(quorum, { kind: "submit-jobs", jobs }, call, leftMs);
  if (applied === null) throw submitUnknown(jobs);
  switch (applied.result?.$case) {
    case "submitted":
      return applied.result.value.jobs;
    case "submitRefused":
      throw submitRefused(applied.result.value, paths);
    default:
      throw new Error(`submission answered with ${applied.result?.$case ?? "nothing"}`);
  }
}

function submitUnknown(jobs: readonly JobSpec[]): PipelineError {
  const key = jobs[0]?.idempotencyKey ?? "";
  const count = jobs.length;
  return count === 1
    ? outcomeUnknown(
        "the job may have been accepted",
        `submit it again with the same idempotency key ${quoted(key)}`,
        { idempotency_key: key },
      )
    : outcomeUnknown(
        `all ${count} jobs may have been accepted`,
        `submit them again with the same idempotency keys, the first of them ${quoted(key)}`,
        { idempotency_key: key, job_count: String(count) },
      );
}

async function submitItem(
  quorum: Quorum,
  { job }: SubmitJobsRequest,
  call: Call,
): Promise<SubmitJobsResponse> {
  try {
    return { ...submitResponse(await submitOne(quorum, job, call)), error: undefined };
  } catch (thrown) {
    const error = PipelineError.from(thrown);
    // Our own fault ends the stream, where it is logged; the item's fault is the item's answer.
    if (error.code === Code.Internal || call.signal.aborted) throw thrown;
    const { code, reason, rawMessage: message, retryDelayMs } = error;
    const retryDelay =
      retryDelayMs === undefined
        ? undefined
        : { seconds: Math.floor(retryDelayMs / 1_000), nanos: (retryDelayMs % 1_000) * 1_000_000 };
    return {
      jobId: "",
      logIndex: 0,
      traceId: "",
      deduplicated: false,
      childJobIds: [],
      error: { code: numberOf(code), reason, message, retryDelay },
    };
  }
}

/** Children have none: the topmost job's stands for them. */
function withKey(spec: JobSpec): JobSpec {
  const needsKey = spec.idempotencyKey === "" && spec.parent === 0;
  return needsKey ? { ...spec, idempotencyKey: randomUUID() } : spec;
}

function submitResponse(accepted: AcceptedJob): SubmitJobResponse {
  const { jobId, logIndex, deduplicated, traceparent, childJobIds } = accepted;
  return { jobId, logIndex, traceId: traceIdOf(traceparent), deduplicated, childJobIds };
}
