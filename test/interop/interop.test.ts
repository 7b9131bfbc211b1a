// Callers and workers in other languages, with nothing but their stubs: the same calls, the same
// answers, every error with all its details; jobs that are tried again, cancelled, inherited.

import assert from "node:assert";
import { beforeAll, describe, expect, jest, test } from "@jest/globals";
import { AttemptOutcome, type Job, JobSpec, JobState } from "../../protos/gen/quorumq/v1/job.ts";
import { connectJobs, type JobsConnection } from "../../transport/grpc/client.ts";
import { PipelineError } from "../../transport/pipeline-error.ts";
import { silentLogger } from "../../transport/telemetry/logger.ts";
import { createGateway } from "../../workers/gateway.ts";
import { temporaryFolder } from "../support/folder.ts";
import { SoloQuorum } from "../support/solo-quorum.ts";
import { LocalStack } from "../support/stack.ts";
import { atEnd } from "../support/teardown.ts";
import { RunningProgram } from "./program.ts";
import { preparedToolchains, TOOLCHAINS } from "./toolchain.ts";

jest.setTimeout(150_000);

const prepared = preparedToolchains();
const withWorkers = prepared.flatMap(({ language, workers }) =>
  workers === null ? [] : [{ language, workers }],
);
const domain = "quorumq.v1";

test("say which languages are tested here, and how the others are", () => {
  const languages = prepared.map(({ language }) => language);
  for (const { language } of TOOLCHAINS) {
    if (languages.includes(language)) continue;
    process.stderr.write(`no client in ${language} is tested: prepare it with npm run interop\n`);
  }
  expect(TOOLCHAINS.map(({ language }) => language)).toEqual(["Python", "Go"]);
});

/** A gateway that has never seen a leader. */
async function leaderlessGateway(): Promise<string> {
  const quorum = new SoloQuorum();
  quorum.interrupt({ kind: "unavailable", reason: "no-leader" });
  const logger = silentLogger();
  const gateway = await createGateway({ quorum, host: "127.0.0.1", port: 0, logger });
  atEnd(async () => {
    await gateway.close(0);
    await quorum.close();
  });
  return `127.0.0.1:${gateway.port}`;
}

let starting: Promise<LocalStack> | undefined;

/** Started when the first test needs it. */
function theStack(): Promise<LocalStack> {
  starting ??= LocalStack.start({ dir: temporaryFolder("interop") }).then((stack) => {
    atEnd(async () => {
      await stack.stop();
    });
    return stack;
  });
  return starting;
}

for (const { language, client } of prepared)
  describe(`a caller in ${language}`, () => {
    test("is greeted, submits, runs, waits, watches, lists, cancels, and reads errors", async () => {
      const stack = await theStack();
      const program = new RunningProgram(client, [stack.address, await leaderlessGateway()]);
      const found: unknown = JSON.parse(await program.output());
      expect(found).toEqual({
        greeting: `Hello ${language}`,
        greetings: ["Hello a", "Hello b"],
        isSameJob: true,
        deduplicated: [false, true],
        traceIdLength: 32,
        ran: ["JOB_STATE_SUCCEEDED", { message: `Hello ${language}` }],
        waited: "JOB_STATE_SUCCEEDED",
        watched: "JOB_STATE_SUCCEEDED",
        scheduled: {
          pages: [3, 3, 1],
          isNewestFirst: true,
          cancelled: ["JOB_STATE_CANCELLED"],
        },
        failures: {
          wrong: {
            code: "INVALID_ARGUMENT",
            reason: "INVALID_FIELD",
            domain,
            named: ["field", "limit", "retry", "value", "violation_count"],
            fields: ["job.max_attempts", "job.payload", "job.priority"],
          },
          unknownKind: {
            code: "INVALID_ARGUMENT",
            reason: "INVALID_FIELD",
            domain,
            named: ["field", "retry", "value"],
            fields: ["job.kind"],
          },
          reusedKey: {
            code: "ALREADY_EXISTS",
            reason: "IDEMPOTENCY_KEY_REUSED",
            domain,
            named: ["field", "idempotency_key", "job_id", "retry"],
          },
          finished: {
            code: "FAILED_PRECONDITION",
            reason: "JOB_FINISHED",
            domain,
            named: ["job_id", "retry", "state"],
          },
          noJob: { code: "NOT_FOUND", reason: "JOB_NOT_FOUND", domain, named: ["job_id", "retry"] },
          leaderless: {
            code: "UNAVAILABLE",
            reason: "NO_LEADER",
            domain,
            named: ["retry"],
            retryDelayMs: 500,
          },
        },
      });
    });
  });

for (const { language, workers } of withWorkers)
  describe(`a worker in ${language}`, () => {
    let jobs: JobsConnection["jobs"];
    let stack: LocalStack;
    let first: RunningProgram;
    let streams = 1;

    /** A worker process that takes jobs. */
    async function startWorker(
      id: string,
      queue: string,
      leaseSeconds: string,
    ): Promise<RunningProgram> {
      const program = new RunningProgram(workers.resuming, [
        stack.address,
        id,
        queue,
        leaseSeconds,
      ]);
      await program.said("welcome");
      return program;
    }

    function spec(kind: string, payload: unknown): JobSpec {
      return JobSpec.fromPartial({ kind, payload: Buffer.from(JSON.stringify(payload)) });
    }

    async function run(kind: string, payload: unknown): Promise<Job> {
      const { job } = await jobs.runJob({ job: spec(kind, payload) }, { timeoutMs: 60_000 });
      return job ?? assert.fail("no job");
    }

    async function submit(kind: string, payload: unknown): Promise<string> {
      const job = spec(kind, payload);
      return (await insist(() => jobs.submitJob({ job }))).jobId;
    }

    /** Once its progress is known to whoever watches it. */
    async function untilTold(jobId: string): Promise<Job> {
      for await (const { job } of jobs.watchJob({ jobId, afterIndex: 0 })) {
        if (job !== undefined && job.progress.length > 0) return job;
      }
      throw new Error(`${jobId} ended without a word`);
    }

    async function untilTriedAgain(jobId: string): Promise<void> {
      for await (const { job } of jobs.watchJob({ jobId, afterIndex: 0 })) {
        if ((job?.attempts.length ?? 0) > 1) return;
      }
      throw new Error(`${jobId} was tried once only`);
    }

    async function ended(jobId: string): Promise<Job> {
      const { job } = await insist(() => jobs.waitJob({ jobId }, { timeoutMs: 60_000 }));
      return job ?? assert.fail("no job");
    }

    beforeAll(async () => {
      stack = await theStack();
      const connection = connectJobs({ address: stack.address });
      atEnd(() => connection.close());
      jobs = connection.jobs;
      first = await startWorker("python-1", "python", "30");
    });

    test("runs jobs, and its results are recorded", async () => {
      const words = await run("python-count-words", { text: "one two three" });
      expect(resultOf(words)).toEqual({ words: 3 });
      const results = await Promise.all([1, 2, 3, 4, 5].map((n) => run("python-double", n)));
      expect(results.map(resultOf)).toEqual([2, 4, 6, 8, 10]);
      expect(results.flatMap(({ attempts }) => attempts)).toHaveLength(5);
    });

    test("fails, and is tried again as the kind says, or not at all", async () => {
      const [flaky, refused] = await Promise.all([
        run("python-fail-twice", null),
        run("python-refuse", null),
      ]);
      expect(resultOf(flaky)).toEqual({ attempt: 3 });
      expect(flaky.attempts.map(({ error }) => error?.code ?? "")).toEqual([
        "ValueError",
        "ValueError",
        "",
      ]);
      expect(refused).toMatchObject({
        state: JobState.JOB_STATE_FAILED,
        error: { code: "NonRetryable", message: "not ever", retryable: false },
      });
      expect(refused.attempts).toHaveLength(1);
    });

    test("hears that its job was cancelled, and its late error leaves a receipt", async () => {
      const jobId = await submit("python-linger", null);
      await first.said(`start ${jobId} `);
      await jobs.cancelJob({ jobId, reason: "enough" });
      await first.said(`abort ${jobId} `);
      await first.said(`fenced ${jobId} `);
      const job = await ended(jobId);
      expect(job).toMatchObject({ state: JobState.JOB_STATE_CANCELLED, refusedCount: 1 });
    });

    test("that is killed loses its job to another", async () => {
      const dying = await startWorker("python-dying", "mortal", "2");
      const jobId = await submit("mortal-outlive", null);
      await dying.said(`start ${jobId} `);
      const told = await untilTold(jobId);
      expect(JSON.parse(told.progress.toString("utf8"))).toEqual({ attempt: 1 });
      await dying.kill("SIGKILL");
      const heir = await startWorker("python-heir", "mortal", "2");
      const job = await ended(jobId);
      expect(resultOf(job)).toEqual({ attempt: 2, worker: "python-heir" });
      expect(job.logLines.map(({ text }) => text)).toEqual(["attempt 1 runs", "attempt 2 runs"]);
      expect(job.attempts.map(({ worker, outcome }) => [worker, outcome])).toEqual([
        ["python-dying", AttemptOutcome.ATTEMPT_OUTCOME_LOST],
        ["python-heir", AttemptOutcome.ATTEMPT_OUTCOME_SUCCEEDED],
      ]);
      await heir.kill("SIGTERM");
      await heir.output();
    });

    test.each([
      ["killed", "SIGKILL"],
      ["drained", "SIGTERM"],
    ] as const)("keeps its job while its gateway is %s and started again", async (_how, signal) => {
      const jobId = await submit("python-pause", 3);
      await first.said(`start ${jobId} `);
      const pid = stack.kill("gateway", signal);
      await stack.restarted("gateway", pid);
      streams += 1;
      await first.said("welcome", streams);
      const job = await ended(jobId);
      expect(job.attempts).toHaveLength(1);
      expect(resultOf(job)).toEqual({ aborted: false, token: job.attempts[0]?.token });
    });

    test("of the shortest sort runs jobs, has them tried again, drains", async () => {
      const short = new RunningProgram(workers.short, [stack.address, "python-short"]);
      await short.said("python-short takes jobs");
      const words = await run("count-words", { text: "one two three" });
      expect(resultOf(words)).toEqual({ words: 3 });
      const failing = await submit("count-words", { words: "none" });
      await untilTriedAgain(failing);
      await short.kill("SIGTERM");
      await short.output();
      const { attempts } = (await jobs.getJob({ jobId: failing })).job ?? assert.fail("no job");
      expect(attempts[0]).toMatchObject({
        worker: "python-short",
        outcome: AttemptOutcome.ATTEMPT_OUTCOME_FAILED,
        error: { code: "KeyError", message: "'text'", retryable: true },
      });
    });

    test("drains: it finishes what it runs and ends", async () => {
      const jobId = await submit("python-pause", 0.5);
      await first.said(`start ${jobId} `);
      await first.kill("SIGTERM");
      expect(await first.output()).toContain("drained");
      expect((await ended(jobId)).attempts).toHaveLength(1);
    });
  });

/** The channel waits a while before it tries a gateway again that was away. */
async function insist<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (PipelineError.from(error).code !== "UNAVAILABLE") throw error;
    }
  }
}

function resultOf({ result }: Job): unknown {
  return JSON.parse(result.toString("utf8"));
}
