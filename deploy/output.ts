// How jobs look on a terminal, and as JSON for programs.
//
// Guarantees: states by their word, payload and result as the JSON they are.
// Does not own: columns and colours (print.ts), the cluster (cluster-output.ts).

import { type Attempt, AttemptOutcome, type Job, JobState } from "../protos/gen/quorumq/v1/job.ts";
import type { SubmitJobResponse } from "../protos/gen/quorumq/v1/job_service.ts";
import {
  coloured,
  type Form,
  printFields,
  printJson,
  printLine,
  printTable,
  wordOf,
} from "./print.ts";

const STATE_COLOR = {
  SUCCEEDED: "green",
  FAILED: "red",
  CANCELLED: "yellow",
} as const;

export function printSubmitted(submitted: SubmitJobResponse, form: Form): void {
  if (form === "json") {
    printJson(submitted);
    return;
  }
  const again = submitted.deduplicated ? "  (submitted before under the same key)" : "";
  printLine(`${submitted.jobId}${again}`);
}

export function printJob(job: Job, form: Form): void {
  if (form === "json") {
    printJson(plainJob(job));
    return;
  }
  printFields({
    id: job.id,
    kind: `${job.kind} in queue ${job.queue}`,
    state: colouredState(job.state),
    result: job.result.toString("utf8"),
    error: job.error === undefined ? "" : `${job.error.code}: ${job.error.message}`,
    "waits for": job.waitingForLock === "" ? "" : `lock ${job.waitingForLock}`,
    attempts: `${job.attempts.length} of ${job.maxAttempts}`,
    created: job.createTime?.toISOString() ?? "",
    ended: job.endTime?.toISOString() ?? "",
    "log index": String(job.logIndex),
    trace: job.traceId,
  });
  for (const attempt of job.attempts) printLine(`  ${attemptLine(attempt)}`);
}

export function printJobs(jobs: readonly Job[], form: Form): void {
  if (form === "json") {
    printJson(jobs.map(plainJob));
    return;
  }
  printTable(
    ["ID", "KIND", "QUEUE", "STATE", "CREATED"],
    jobs.map((job) => [
      job.id,
      job.kind,
      job.queue,
      colouredState(job.state),
      job.createTime?.toISOString() ?? "",
    ]),
  );
}

export function stateWord(state: JobState): string {
  return wordOf(JobState, state, "JOB_STATE_");
}

/** A job as a plain value: what --output json prints. */
export function plainJob(job: Job): Record<string, unknown> {
  return {
    ...job,
    state: stateWord(job.state),
    payload: parsed(job.payload),
    result: parsed(job.result),
    attempts: job.attempts.map((attempt) => ({
      ...attempt,
      outcome: outcomeWord(attempt),
    })),
  };
}

function attemptLine(attempt: Attempt): string {
  const error = attempt.error === undefined ? "" : `  ${attempt.error.code}`;
  const { number, worker, token } = attempt;
  return `attempt ${number}  ${outcomeWord(attempt)}  by ${worker}, token ${token}${error}`;
}

function outcomeWord(attempt: Attempt): string {
  return wordOf(AttemptOutcome, attempt.outcome, "ATTEMPT_OUTCOME_");
}

function parsed(bytes: Buffer): unknown {
  return bytes.length === 0 ? null : JSON.parse(bytes.toString("utf8"));
}

function colouredState(state: JobState): string {
  const word = stateWord(state);
  const color = STATE_COLOR[word as keyof typeof STATE_COLOR];
  return color === undefined ? word : coloured(color, word);
}
