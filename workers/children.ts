// The children of a job as its handler meets them: how each ended, and with which result.
//
// Guarantees: in the order they were given. Results that the start did not carry (all of them
// together are more than 1 MiB) are read from the quorum when they are asked for; a result that was
// recorded is always found, as long as the job is kept.
// Does not own: when a parent runs (ledger/family.ts).

import { setTimeout as sleep } from "node:timers/promises";
import { JobState, type ChildEnd as WireChildEnd } from "../protos/gen/quorumq/v1/job.ts";
import type { Quorum } from "../transport/quorum.ts";
import type { AttemptContext, ChildEnd, JobDefinition } from "./define-job.ts";

/** The child has no result, or is no child of this job. */
export class NoChildResultError extends Error {
  override readonly name = "NoChildResultError";
}

const READ_TIMEOUT_MS = 5_000;
const RETRY_MS = 200;

export function childEndsOf(children: readonly WireChildEnd[]): readonly ChildEnd[] {
  return children.map(({ jobId, kind, state, result, isResultLeftOut, error }) => ({
    jobId,
    kind,
    state: wordOf(state),
    result: hasResult(state) && !isResultLeftOut ? parsed(result) : undefined,
    isResultLeftOut,
    error: error === undefined ? null : { code: error.code, message: error.message },
  }));
}

/** What a context's `childResult` does. */
export function childResultReader(
  quorum: Quorum,
  children: readonly ChildEnd[],
  signal: AbortSignal,
): AttemptContext["childResult"] {
  return async (jobId) => {
    const child = children.find((one) => one.jobId === jobId);
    if (child === undefined) throw new NoChildResultError(`${jobId} is no child of this job`);
    if (child.state !== "SUCCEEDED") {
      throw new NoChildResultError(`child ${jobId} has no result: it is ${child.state}`);
    }
    return child.isResultLeftOut ? await readResult(quorum, jobId, signal) : child.result;
  };
}

/**
 * The results of a job's children of one kind that succeeded, typed by their definition, in the
 * order they were given.
 */
export async function childResults<Output>(
  { children, childResult }: Pick<AttemptContext, "children" | "childResult">,
  definition: JobDefinition<string, unknown, Output>,
): Promise<Output[]> {
  const results: Output[] = [];
  for (const { jobId, kind, state } of children) {
    if (kind !== definition.kind || state !== "SUCCEEDED") continue;
    results.push((await childResult(jobId)) as Output);
  }
  return results;
}

/** As long as the attempt may run. */
async function readResult(quorum: Quorum, jobId: string, signal: AbortSignal): Promise<unknown> {
  for (;;) {
    signal.throwIfAborted();
    const outcome = await quorum.read(
      { read: { $case: "jobs", value: { jobIds: [jobId] } } },
      { timeoutMs: READ_TIMEOUT_MS, traceparent: "", signal },
    );
    if (outcome.kind === "answered") {
      const [job] = outcome.answer.jobs;
      if (job !== undefined && hasResult(job.state)) return parsed(job.result);
      throw new NoChildResultError(`the result of ${jobId} is not kept any more`);
    }
    await sleep(RETRY_MS, undefined, { signal });
  }
}

function hasResult(state: JobState): boolean {
  return state === JobState.JOB_STATE_SUCCEEDED;
}

function parsed(result: Buffer): unknown {
  return result.byteLength === 0 ? null : JSON.parse(result.toString("utf8"));
}

function wordOf(state: JobState): ChildEnd["state"] {
  if (hasResult(state)) return "SUCCEEDED";
  return state === JobState.JOB_STATE_CANCELLED ? "CANCELLED" : "FAILED";
}
