// The commands about jobs: submit, get, wait, watch, list, cancel, retry.
//
// Guarantees: the answer goes to stdout in the form asked for, and nothing else does. A job that
// ended as FAILED or CANCELLED makes submit --wait, wait and watch exit with 3. The id of a
// submitted job is told on stderr before the wait, so that it is known also when that times out.
// Does not own: how an answer looks (output.ts); refusals, which are thrown (exit-code.ts).

import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { ChildFailurePolicy, type Job, JobSpec, JobState } from "../protos/gen/quorumq/v1/job.ts";
import { ListJobsRequest, RetryJobsRequest } from "../protos/gen/quorumq/v1/job_service.ts";
import { Code, PipelineError } from "../transport/pipeline-error.ts";
import { durationOf } from "../transport/result-codec.ts";
import { watchUntilEnded } from "../workers/client/watch.ts";
import type { Ask, AskCommand } from "./ask.ts";
import { ExitCode, UsageError } from "./exit-code.ts";
import {
  CHILDREN_SHOWN_MAX,
  printChange,
  printChildren,
  printJob,
  printJobs,
  printSubmitted,
  standingOf,
} from "./output.ts";
import { printJson, printLine, whenUnread } from "./print.ts";

const STANDING_TIMEOUT_MS = 2_000;

export const JOB_COMMANDS = {
  ...{ submit, get, wait, watch, list, cancel, retry, redrive },
} as const satisfies Readonly<Record<string, AskCommand>>;

async function submit(ask: Ask): Promise<ExitCode> {
  const { connection, options, form, timeoutMs } = ask;
  const job = await specOf(ask);
  const submitted = await connection.jobs.submitJob({ job }, { timeoutMs: timeoutMs() });
  if (options["wait"] !== true) {
    printSubmitted(submitted, form);
    return ExitCode.Ok;
  }
  process.stderr.write(`submitted ${submitted.jobId}, trace ${submitted.traceId}\n`);
  return finished(submitted.jobId, ask);
}

async function get({ connection, words, form, timeoutMs }: Ask): Promise<ExitCode> {
  const read = async (jobId: string): Promise<Job> =>
    present((await connection.jobs.getJob({ jobId }, { timeoutMs: timeoutMs() })).job);
  const job = await read(words[0] ?? "");
  printJob(job, form);
  if (form === "text") {
    printChildren(await Promise.all(job.childJobIds.slice(0, CHILDREN_SHOWN_MAX).map(read)));
  }
  return ExitCode.Ok;
}

function wait(ask: Ask): Promise<ExitCode> {
  return finished(ask.words[0] ?? "", ask);
}

/** Without --timeout for as long as it takes, also over failovers; to the end, or a reader's. */
async function watch(ask: Ask): Promise<ExitCode> {
  const { connection, words, options, form, timeoutMs } = ask;
  const [jobId = ""] = words;
  // An address that is wrong is no gateway that will come back; and the job may have ended.
  let job = present((await connection.jobs.getJob({ jobId }, { timeoutMs: timeoutMs() })).job);
  const unread = whenUnread();
  const afterIndex = Number(options["after"] ?? 0);
  const call = { afterIndex, deadlineMs: timeoutMs(), signal: unread };
  try {
    for await (job of watchUntilEnded(connection.jobs, jobId, call)) printChange(job, form);
  } catch (error) {
    if (unread.aborted) return ExitCode.Ok;
    throw error;
  }
  return job.state === JobState.JOB_STATE_SUCCEEDED ? ExitCode.Ok : ExitCode.JobUnsuccessful;
}

async function finished(jobId: string, { connection, form, timeoutMs }: Ask): Promise<ExitCode> {
  let job: Job;
  try {
    job = present((await connection.jobs.waitJob({ jobId }, { timeoutMs: timeoutMs() })).job);
  } catch (error) {
    if (error instanceof PipelineError && error.reason === "OUTCOME_UNKNOWN") {
      await tellStanding(jobId, connection);
    }
    throw error;
  }
  printJob(job, form);
  return job.state === JobState.JOB_STATE_SUCCEEDED ? ExitCode.Ok : ExitCode.JobUnsuccessful;
}

/** What an ended wait was for. Without an answer, the end of the wait is all there is to tell. */
async function tellStanding(jobId: string, { jobs }: Ask["connection"]): Promise<void> {
  const call = { timeoutMs: STANDING_TIMEOUT_MS };
  const answer = await jobs.getJob({ jobId }, call).catch(() => ({ job: undefined }));
  if (answer.job !== undefined) process.stderr.write(`${standingOf(answer.job)}\n`);
}

async function list({ connection, options, form, timeoutMs }: Ask): Promise<ExitCode> {
  const state = options["state"];
  const request = ListJobsRequest.fromPartial({
    pageSize: Number(options["limit"]),
    state: state === undefined ? JobState.JOB_STATE_UNSPECIFIED : stateNamed(String(state)),
    kind: String(options["kind"] ?? ""),
    queue: String(options["queue"] ?? ""),
    scheduleId: String(options["schedule"] ?? ""),
    parentJobId: String(options["parent"] ?? ""),
  });
  const answer = await connection.jobs.listJobs(request, { timeoutMs: timeoutMs() });
  printJobs(answer.jobs, form);
  return ExitCode.Ok;
}

async function cancel({ connection, options, words, form, timeoutMs }: Ask): Promise<ExitCode> {
  const answer = await connection.jobs.cancelJob(
    { jobId: words[0] ?? "", reason: String(options["reason"] ?? "") },
    { timeoutMs: timeoutMs() },
  );
  printJob(present(answer.job), form);
  return ExitCode.Ok;
}

async function retry({ connection, words, options, form, timeoutMs }: Ask): Promise<ExitCode> {
  const requestId = String(options["requestId"] ?? "");
  const answer = await connection.jobs.retryJob(
    { jobId: words[0] ?? "", requestId },
    { timeoutMs: timeoutMs() },
  );
  printJob(present(answer.job), form);
  return ExitCode.Ok;
}

/** Piece by piece: each is one call of one request. */
async function redrive({ connection, options, form, timeoutMs }: Ask): Promise<ExitCode> {
  const request = RetryJobsRequest.fromPartial({
    state: stateNamed(String(options["state"])),
    kind: String(options["kind"] ?? ""),
    queue: String(options["queue"] ?? ""),
    errorCode: String(options["error"] ?? ""),
    createdFrom: dateOption(options["createdFrom"]),
    createdBefore: dateOption(options["createdBefore"]),
    requestId: randomUUID(),
  });
  let retried = 0;
  let pageToken = "";
  do {
    const call = { timeoutMs: timeoutMs() };
    const piece = await connection.jobs.retryJobs({ ...request, pageToken }, call);
    retried += piece.retriedCount;
    pageToken = piece.nextPageToken;
    if (pageToken !== "") process.stderr.write(`retried ${retried} so far\n`);
  } while (pageToken !== "");
  if (form === "json") printJson({ retried });
  else printLine(`retried ${retried}`);
  return ExitCode.Ok;
}

function dateOption(value: unknown): Date | undefined {
  return value instanceof Date ? value : undefined;
}

/** Also of a schedule's job. */
export async function specOf({ words, options }: Pick<Ask, "words" | "options">): Promise<JobSpec> {
  const [kind = "", payloadWord] = words;
  const delaySeconds = options["delay"];
  const totalSeconds = options["totalTimeout"];
  const locks = options["lock"];
  const children = options["child"];
  return JobSpec.fromPartial({
    kind,
    queue: String(options["queue"] ?? ""),
    payload: Buffer.from(await payloadOf(payloadWord)),
    priority: Number(options["priority"] ?? 0),
    maxAttempts: Number(options["maxAttempts"] ?? 0),
    lockKeys: Array.isArray(locks) ? locks.map(String) : [],
    idempotencyKey: String(options["key"] ?? ""),
    ...(totalSeconds === undefined
      ? {}
      : { totalTimeout: durationOf(Math.ceil(Number(totalSeconds) * 1_000)) }),
    children: Array.isArray(children) ? await Promise.all(children.map(String).map(childOf)) : [],
    ...(options["runParent"] === true
      ? { onChildFailure: ChildFailurePolicy.CHILD_FAILURE_POLICY_RUN_PARENT }
      : {}),
    ...(delaySeconds === undefined
      ? {}
      : { runAt: new Date(Date.now() + Number(delaySeconds) * 1_000) }),
  });
}

/** "square={"n":3}", or a kind alone for a job without payload. */
async function childOf(word: string): Promise<JobSpec> {
  const [kind = "", ...rest] = word.split("=");
  const payload = rest.length === 0 ? "" : await payloadOf(rest.join("="));
  return JobSpec.fromPartial({ kind, payload: Buffer.from(payload) });
}

/** Checked here too: a shell's quoting is the likeliest mistake, and this names it. */
async function payloadOf(word: string | undefined): Promise<string> {
  if (word === undefined) return "";
  let payload = word;
  if (word === "-") payload = await text(process.stdin);
  else if (word.startsWith("@")) payload = await readPayload(word.slice(1));
  try {
    JSON.parse(payload);
  } catch (error) {
    throw new UsageError(`the payload is not JSON (mind the shell's quotes): ${String(error)}`);
  }
  return payload;
}

async function readPayload(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UsageError(`the payload's file ${path} cannot be read (${code})`);
  }
}

function stateNamed(word: string): JobState {
  const name = `JOB_STATE_${word.toUpperCase()}`;
  return JobState[name as keyof typeof JobState];
}

function present(job: Job | undefined): Job {
  if (job !== undefined) return job;
  throw new PipelineError("the gateway answered without a job", {
    code: Code.Internal,
    reason: "INTERNAL",
    retry: "never",
  });
}
