// How jobs look on a terminal, and as JSON for programs.
//
// Guarantees: states by their word, payload and result as the JSON they are.
// Does not own: columns and colours (print.ts), the cluster (cluster-output.ts).

import {
  type Attempt,
  AttemptOutcome,
  ChildFailurePolicy,
  type Job,
  JobState,
} from "../protos/gen/quorumq/v1/job.ts";
import type { SubmitJobResponse } from "../protos/gen/quorumq/v1/job_service.ts";
import {
  coloured,
  type Form,
  printFields,
  printJson,
  printJsonLine,
  printLine,
  printTable,
  withDurations,
  wordOf,
} from "./print.ts";

const STATE_COLOR = {
  SUCCEEDED: "green",
  FAILED: "red",
  CANCELLED: "yellow",
} as const;

/** Of a log that has run for long, and of the longest word. */
const INDEX_WIDTH = 9;
const STATE_WIDTH = "SUCCEEDED".length;

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
    error: errorText(job.error),
    "waits for": waitsFor(job),
    schedule: scheduleLine(job),
    parent: job.parentJobId,
    children: childrenLine(job),
    run: job.run > 1 ? `${job.run}, after ${job.run - 1} that ended without a result` : "",
    attempts: attemptsText(job),
    progress: job.progress.toString("utf8"),
    deadline: job.deadlineTime?.toISOString() ?? "",
    created: job.createTime?.toISOString() ?? "",
    ended: job.endTime?.toISOString() ?? "",
    "log index": String(job.logIndex),
    trace: job.traceId,
  });
  for (const attempt of job.attempts) printLine(`  ${attemptLine(attempt)}`);
  for (const { worker, token, tried } of job.receipts) {
    printLine(`  refused    ${tried}  by ${worker}, token ${token}`);
  }
  const left = job.logLineCount - job.logLines.length;
  if (left > 0) printLine(`  log        ${left} lines before these are not kept`);
  for (const { time, attempt, text } of job.logLines) {
    printLine(`  log        ${time?.toISOString() ?? ""}  attempt ${attempt}  ${text}`);
  }
}

function scheduleLine({ scheduleId, slotTime }: Job): string {
  if (scheduleId === "") return "";
  return `${scheduleId}, ${slotTime === undefined ? "by hand" : `slot ${slotTime.toISOString()}`}`;
}

/** One line: what --after takes, the state, and what there is to say of it. */
export function printChange(job: Job, form: Form): void {
  if (form === "json") {
    printJsonLine(plainJob(job));
    return;
  }
  const index = String(job.changeIndex).padStart(INDEX_WIDTH);
  const gap = " ".repeat(STATE_WIDTH - stateWord(job.state).length);
  printLine(`${index}  ${colouredState(job.state)}${gap}  ${newsOf(job)}`.trimEnd());
}

function newsOf(job: Job): string {
  const { state, attempts, runAt, pendingChildCount } = job;
  switch (state) {
    case JobState.JOB_STATE_RUNNING: {
      const progress = job.progress.length === 0 ? "" : `  ${job.progress.toString("utf8")}`;
      return `attempt ${attemptsText(job)} at ${attempts.at(-1)?.worker}${progress}`;
    }
    case JobState.JOB_STATE_SUCCEEDED:
      return job.result.toString("utf8");
    case JobState.JOB_STATE_SCHEDULED:
      if (pendingChildCount > 0) return `waits for ${pendingChildCount} children`;
      return `for ${runAt?.toISOString()}${lastErrorText(job)}`;
    case JobState.JOB_STATE_QUEUED:
      return waitsFor(job) === "" ? lastErrorText(job).trimStart() : `waits for ${waitsFor(job)}`;
    default:
      return errorText(job.error);
  }
}

/** Why there is another attempt. */
function lastErrorText({ attempts }: Job): string {
  const error = attempts.at(-1)?.error;
  return error === undefined ? "" : `  after ${errorText(error)}`;
}

export function printJobs(jobs: readonly Job[], form: Form): void {
  if (form === "json") {
    printJson(jobs.map(plainJob));
    return;
  }
  if (jobs.length === 0) {
    process.stderr.write("no jobs\n");
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
    ...withDurations(job),
    state: stateWord(job.state),
    payload: parsed(job.payload),
    result: parsed(job.result),
    progress: parsed(job.progress),
    earlierRuns: job.earlierRuns.map((run) => ({ ...run, state: stateWord(run.state) })),
    onChildFailure: wordOf(ChildFailurePolicy, job.onChildFailure, "CHILD_FAILURE_POLICY_"),
    attempts: job.attempts.map((attempt) => ({
      ...attempt,
      outcome: outcomeWord(attempt),
    })),
  };
}

function errorText(error: Job["error"]): string {
  if (error === undefined) return "";
  return error.message === "" ? error.code : `${error.code}: ${error.message}`;
}

/** Where a job stands that has not ended, in a sentence. */
export function standingOf(job: Job): string {
  const { id, queue, attempts, runAt, pendingChildCount } = job;
  const what = `${id} is ${stateWord(job.state)}`;
  const waits = waitsFor(job);
  const last = attempts.at(-1);
  if (job.state === JobState.JOB_STATE_RUNNING) {
    return `${what} at ${last?.worker}, since ${last?.startTime?.toISOString()}`;
  }
  if (waits !== "") return `${what} and waits for ${waits}`;
  if (pendingChildCount > 0) return `${what} and waits for ${pendingChildCount} children`;
  if (job.state === JobState.JOB_STATE_SCHEDULED) return `${what} for ${runAt?.toISOString()}`;
  return `${what} and waits for a worker of queue ${queue}: does one run?`;
}

/** What keeps it from starting, as far as the ledger knows: not whether a worker is there. */
function waitsFor({ waitingForLock, heldBackBy, queue }: Job): string {
  if (waitingForLock !== "") return `lock ${waitingForLock}`;
  if (heldBackBy === "queue")
    return `its queue: \`quorumq queue list\` shows the limits of ${queue}`;
  return heldBackBy;
}

/** Those of the run that is on: each has all of its attempts. */
function attemptsText({ attempts, run, maxAttempts }: Job): string {
  const count = attempts.filter((attempt) => attempt.run === run).length;
  return `${count} of ${maxAttempts}`;
}

/** Named with their parent, and shown by `get` with how they are. */
export const CHILDREN_SHOWN_MAX = 8;

/** Below the parent that they belong to. */
export function printChildren(children: readonly Job[]): void {
  for (const { id, kind, state, error } of children) {
    const why = error === undefined ? "" : `  ${error.code}`;
    printLine(`  child      ${id}  ${colouredState(state)}  ${kind}${why}`);
  }
}

/** The first of them, and how many have not ended: what the parent waits for. */
function childrenLine({ childJobIds, pendingChildCount }: Job): string {
  if (childJobIds.length === 0) return "";
  const shown = childJobIds.slice(0, CHILDREN_SHOWN_MAX).join(", ");
  const left = childJobIds.length - CHILDREN_SHOWN_MAX;
  const others = left > 0 ? ` and ${left} more` : "";
  return `${shown}${others} (${pendingChildCount} of ${childJobIds.length} have not ended)`;
}

/** Who, when, and why it ended. */
function attemptLine(attempt: Attempt): string {
  const { number, worker, token, startTime, endTime, error } = attempt;
  const tookMs = (endTime?.getTime() ?? 0) - (startTime?.getTime() ?? 0);
  const time = startTime === undefined ? "" : `  at ${startTime.toISOString()}`;
  const took = endTime === undefined ? "" : `, ${tookMs} ms`;
  const why = error === undefined ? "" : `  ${errorText(error)}`;
  const what = `attempt ${number}  ${outcomeWord(attempt)}  by ${worker}, token ${token}`;
  return `${what}${time}${took}${why}`;
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
