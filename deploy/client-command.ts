// The commands about jobs: submit, get, wait, list, cancel.
//
// Guarantees: the answer goes to stdout in the form asked for, and nothing else does. A job that
// ended as FAILED or CANCELLED makes submit --wait and wait exit with 3. The id of a submitted job
// is told on stderr before the wait, so that it is known also when the wait times out.
// Does not own: how an answer looks (output.ts); refusals, which are thrown (exit-code.ts).

import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { type Job, JobSpec, JobState } from "../protos/gen/quorumq/v1/job.ts";
import { Code, PipelineError } from "../transport/pipeline-error.ts";
import type { Ask, AskCommand } from "./ask.ts";
import { ExitCode, UsageError } from "./exit-code.ts";
import { printJob, printJobs, printSubmitted } from "./output.ts";

export const JOB_COMMANDS = { submit, get, wait, list, cancel } as const satisfies Readonly<
  Record<string, AskCommand>
>;

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
  const answer = await connection.jobs.getJob(
    { jobId: words[0] ?? "" },
    { timeoutMs: timeoutMs() },
  );
  printJob(present(answer.job), form);
  return ExitCode.Ok;
}

function wait(ask: Ask): Promise<ExitCode> {
  return finished(ask.words[0] ?? "", ask);
}

async function finished(jobId: string, { connection, form, timeoutMs }: Ask): Promise<ExitCode> {
  const answer = await connection.jobs.waitJob({ jobId }, { timeoutMs: timeoutMs() });
  const job = present(answer.job);
  printJob(job, form);
  return job.state === JobState.JOB_STATE_SUCCEEDED ? ExitCode.Ok : ExitCode.JobUnsuccessful;
}

async function list({ connection, options, form, timeoutMs }: Ask): Promise<ExitCode> {
  const state = options["state"];
  const answer = await connection.jobs.listJobs(
    {
      pageSize: Number(options["limit"]),
      pageToken: "",
      state: state === undefined ? JobState.JOB_STATE_UNSPECIFIED : stateNamed(String(state)),
      kind: String(options["kind"] ?? ""),
      queue: String(options["queue"] ?? ""),
    },
    { timeoutMs: timeoutMs() },
  );
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

async function specOf({ words, options }: Ask): Promise<JobSpec> {
  const [kind = "", payloadWord] = words;
  const delaySeconds = options["delay"];
  const locks = options["lock"];
  return JobSpec.fromPartial({
    kind,
    queue: String(options["queue"] ?? ""),
    payload: Buffer.from(await payloadOf(payloadWord)),
    priority: Number(options["priority"] ?? 0),
    maxAttempts: Number(options["maxAttempts"] ?? 0),
    lockKeys: Array.isArray(locks) ? locks.map(String) : [],
    idempotencyKey: String(options["key"] ?? ""),
    ...(delaySeconds === undefined
      ? {}
      : { runAt: new Date(Date.now() + Number(delaySeconds) * 1_000) }),
  });
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
