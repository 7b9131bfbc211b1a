// The pipeline behind the quorum: a solo quorum, a dispatcher, a private Redis, and workers.
//
// Guarantees: everything is the real thing but the quorum's network and disk. All is closed after
// the file's last test, the workers first.

import assert from "node:assert";
import { Redis } from "ioredis";
import type { JobSpec } from "../../ledger/command.ts";
import type { Job, JobState } from "../../ledger/job.ts";
import { getJob, isDispatchOver, isKnownQueue, queuedJobs } from "../../ledger/ledger.ts";
import { createBullJobQueue } from "../../transport/redis/job-queue.ts";
import { silentLogger } from "../../transport/telemetry/logger.ts";
import type { JobDefinition } from "../../workers/define-job.ts";
import { createDispatcher, type Dispatcher } from "../../workers/dispatcher.ts";
import { createWorkerOn, type Worker, type WorkerOptions } from "../../workers/worker.ts";
import { ledgerSpec } from "./ledger-spec.ts";
import { startRedis, type TestRedis } from "./redis.ts";
import { SoloQuorum } from "./solo-quorum.ts";
import { atEnd } from "./teardown.ts";

export interface Pipeline {
  readonly quorum: SoloQuorum;
  readonly redis: TestRedis;
  /** For a look at what is in Redis, or for wiping it. */
  readonly raw: Redis;
  readonly dispatcher: Dispatcher;
  /** Registers the kinds and takes jobs. `jobs` of different pipelines need different queues. */
  startWorker(
    jobs: readonly JobDefinition[],
    options?: Omit<WorkerOptions, "jobs">,
  ): Promise<Worker>;
  /** Submits one job now and returns its id. */
  submit(kind: string, payload: unknown, more?: Partial<JobSpec>): Promise<string>;
  job(jobId: string): Readonly<Job>;
  /** Resolves when the job has entered one of these states. */
  until(jobId: string, ...states: readonly JobState[]): Promise<Readonly<Job>>;
  /** The recorded result, parsed. */
  result(jobId: string): Promise<unknown>;
}

const CLUSTER = "pipeline";
const CALL = { timeoutMs: 5_000, traceparent: "" };

export async function startPipeline(
  options: { readonly reconcileMs?: number; readonly sweepMs?: number } = {},
): Promise<Pipeline> {
  const logger = silentLogger();
  const redis = await startRedis();
  const raw = new Redis(redis.url);
  raw.on("error", () => {
    // Tests stop and start Redis on purpose.
  });
  const quorum = new SoloQuorum();
  const jobQueue = createBullJobQueue({ url: redis.url, cluster: CLUSTER, id: "solo", logger });
  const dispatcher = createDispatcher({
    jobQueue,
    queued: () => queuedJobs(quorum.ledger),
    isOver: (jobId, dispatch) => isDispatchOver(quorum.ledger, jobId, dispatch),
    isKnownQueue: (queue) => isKnownQueue(quorum.ledger, queue),
    logger,
    ...options,
  });
  quorum.onChanges((changes) => dispatcher.changed(changes));
  dispatcher.start();
  atEnd(async () => {
    dispatcher.stop();
    await jobQueue.close();
    await quorum.close();
    raw.disconnect();
  });

  function job(jobId: string): Readonly<Job> {
    const found = getJob(quorum.ledger, jobId);
    assert(found !== undefined, `no job ${jobId}`);
    return found;
  }

  function until(jobId: string, ...states: readonly JobState[]): Promise<Readonly<Job>> {
    return new Promise((resolve) => {
      const look = (): boolean => {
        const isThere = states.includes(job(jobId).state);
        if (isThere) resolve(job(jobId));
        return isThere;
      };
      if (look()) return;
      const forget = quorum.onChanges(() => {
        if (look()) forget();
      });
    });
  }

  return {
    quorum,
    redis,
    raw,
    dispatcher,
    job,
    until,
    async startWorker(jobs, workerOptions = {}) {
      const worker = createWorkerOn(quorum, {
        redis: { url: redis.url, cluster: CLUSTER },
        logger,
        ...workerOptions,
        jobs,
      });
      atEnd(() => worker.close({ graceMs: 0 }));
      await worker.run();
      return worker;
    },
    async submit(kind, payload, more = {}) {
      const spec = ledgerSpec({ kind, payload: Buffer.from(JSON.stringify(payload)), ...more });
      const outcome = await quorum.propose({ kind: "submit-jobs", jobs: [spec] }, CALL);
      assert(outcome.kind === "applied");
      const { result } = outcome.applied;
      assert(result?.$case === "submitted", `refused: ${JSON.stringify(result)}`);
      return result.value.jobs[0]?.jobId ?? assert.fail("no job");
    },
    async result(jobId) {
      const ended = await until(jobId, "succeeded", "failed", "cancelled");
      assert(ended.result !== null, `${jobId} ${ended.state}: ${JSON.stringify(ended.error)}`);
      return JSON.parse(Buffer.from(ended.result).toString("utf8"));
    },
  };
}
