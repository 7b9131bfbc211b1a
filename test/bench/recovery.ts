// How long the jobs of a worker that is killed with kill -9 wait until they have run elsewhere.
//
// Guarantees: each sample is one job that ran on the killed worker, from before the signal to the
// answer that says that its next attempt has ended, which it does at once. The kill comes anywhere
// between two renewals of the lease. Bounded by count and by time.
// Does not measure: what a handler had done by then, which is done again.

import { setTimeout as delay } from "node:timers/promises";
import { type Job, JobState } from "../../protos/gen/quorumq/v1/job.ts";
import type { JobsConnection } from "../../transport/grpc/client.ts";
import { jobSpec } from "../support/job-spec.ts";
import type { LocalStack } from "../support/stack.ts";
import { type Figure, latencyFigure } from "./figure.ts";

export interface RecoveryOptions {
  readonly stack: LocalStack;
  readonly connection: JobsConnection;
  readonly kills: number;
  /** The workers'. */
  readonly leaseMs: number;
  /** No further kill after this. */
  readonly timeMsMax: number;
}

/** They are spread over two workers. */
const JOBS = 8;
const LOOK_MS = 20;
const CALL = { timeoutMs: 60_000 };

export async function measureRecovery(options: RecoveryOptions): Promise<Figure[]> {
  const endMs = performance.now() + options.timeMsMax;
  const samplesMs: number[] = [];
  let failures = 0;
  for (let kill = 0; kill < options.kills && performance.now() < endMs; kill += 1) {
    const waits = await killOne(options);
    samplesMs.push(...waits.filter((ms) => ms !== null));
    failures += waits.filter((ms) => ms === null).length;
  }
  const lease = `lease ${options.leaseMs / 1_000} s`;
  const what = `kill -9 of a worker until its jobs have run elsewhere, ${lease}`;
  return [latencyFigure(what, samplesMs, failures)];
}

/** Of each of its jobs; null: it did not run again. */
async function killOne(options: RecoveryOptions): Promise<readonly (number | null)[]> {
  const { stack, leaseMs } = options;
  const { jobs } = options.connection;
  const job = jobSpec({ kind: "bench-stay", payload: Buffer.from("{}") });
  const submitted = await Promise.all(
    Array.from({ length: JOBS }, () => jobs.submitJob({ job }, CALL)),
  );
  const running = await Promise.all(submitted.map(({ jobId }) => untilRunning(jobs, jobId)));
  await delay(Math.random() * leaseMs);
  const worker = running[0]?.attempts[0]?.worker ?? "";
  const isHere = ({ attempts }: Job): boolean => attempts[0]?.worker === worker;
  const killedMs = performance.now();
  const deadPid = stack.kill(worker, "SIGKILL");
  const waits = await Promise.all(
    running.filter(isHere).map(async ({ id }) => {
      const { job: ended } = await jobs.waitJob({ jobId: id }, CALL);
      return ended?.attempts.length === 2 ? performance.now() - killedMs : null;
    }),
  );
  const others = running.filter((other) => !isHere(other));
  await Promise.all(others.map(({ id }) => jobs.cancelJob({ jobId: id, reason: "" }, CALL)));
  await stack.restarted(worker, deadPid);
  return waits;
}

async function untilRunning(jobs: JobsConnection["jobs"], jobId: string): Promise<Job> {
  for (;;) {
    const { job } = await jobs.getJob({ jobId }, CALL);
    if (job?.state === JobState.JOB_STATE_RUNNING) return job;
    await delay(LOOK_MS);
  }
}
