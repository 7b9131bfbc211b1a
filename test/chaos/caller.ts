// One caller: submits a job, does what the README tells it on an error, and looks at what it has.
//
// Guarantees: keeps one idempotency key and asks again on a retryable code until it is accepted;
// what else it does is tried once. Each answer goes into the history; a code that callers must not
// see, and an answer that is wrong by itself, is told.

import { setTimeout as delay } from "node:timers/promises";
import type { JobSpec } from "../../protos/gen/quorumq/v1/job.ts";
import type { JobsConnection } from "../../transport/grpc/client.ts";
import { PipelineError } from "../../transport/pipeline-error.ts";
import type { JobCall, JobOutcome } from "../sim/linearizability/job-call.ts";
import { type ClientHistory, outcomeOfError, submitCall, viewOf } from "./client-history.ts";
import { otherThan, type Plan } from "./job-mix.ts";

const RETRYABLE = new Set<string>(["UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"]);
const CALL_TIMEOUT_MS = 5_000;
const WAIT_TIMEOUT_MS = 30_000;
/** A caller gives up after this: then the run has failed. */
const PATIENCE_MS = 120_000;

export interface AcceptedJob {
  readonly jobId: string;
  readonly key: string;
  /** Somebody asked for its cancellation, perhaps in vain. */
  readonly mayBeCancelled: boolean;
}

export interface CallerOptions {
  readonly jobs: JobsConnection["jobs"];
  readonly history: ClientHistory;
  readonly name: string;
  readonly plan: Plan;
  readonly countCode: (code: string) => void;
  /** `calledAtMs`: when the call that was accepted began. */
  readonly onAccepted: (job: AcceptedJob, calledAtMs: number) => void;
  readonly onFailure: (what: string) => void;
}

export class Caller {
  readonly #options: CallerOptions;

  constructor(options: CallerOptions) {
    this.#options = options;
  }

  async run(): Promise<void> {
    const { job, afterwards, pauseMs } = this.#options.plan;
    const jobId = await this.#untilAccepted(job);
    if (jobId === null || afterwards === "nothing") return;
    await delay(pauseMs);
    switch (afterwards) {
      case "look":
        await this.#get(jobId);
        await delay(pauseMs);
        await this.#get(jobId);
        break;
      case "cancel":
        await this.#cancel(jobId);
        await this.#get(jobId);
        break;
      case "wait":
        await this.#wait(jobId);
        break;
      case "repeat":
        await this.#submitAgain(job);
        break;
      case "reuse":
        await this.#submitAgain(otherThan(job));
        break;
    }
  }

  async #untilAccepted(job: JobSpec): Promise<string | null> {
    const { onAccepted, onFailure, plan } = this.#options;
    const untilMs = performance.now() + PATIENCE_MS;
    for (let tries = 1; performance.now() < untilMs; tries += 1) {
      const calledAtMs = performance.now();
      const outcome = await this.#submit(job);
      if (outcome !== null && outcome.kind === "submitted") {
        const mayBeCancelled = plan.afterwards === "cancel";
        onAccepted({ jobId: outcome.jobId, key: job.idempotencyKey, mayBeCancelled }, calledAtMs);
        return outcome.jobId;
      }
      if (outcome !== null) return null;
      await delay(Math.min(100 * 2 ** tries, 1_000) * (0.5 + Math.random() / 2));
    }
    onFailure(`not accepted within ${PATIENCE_MS} ms: ${job.idempotencyKey}`);
    return null;
  }

  #submit(job: JobSpec): Promise<JobOutcome | null> {
    return this.#call(submitCall(job), async ({ submitJob }) => {
      const { jobId, deduplicated } = await submitJob({ job }, { timeoutMs: CALL_TIMEOUT_MS });
      return { kind: "submitted", jobId, deduplicated };
    });
  }

  async #submitAgain(job: JobSpec): Promise<void> {
    await this.#submit(job);
  }

  async #get(jobId: string): Promise<void> {
    await this.#call({ kind: "get", jobId }, async ({ getJob }) => {
      const { job } = await getJob({ jobId }, { timeoutMs: CALL_TIMEOUT_MS });
      return job === undefined ? null : { kind: "job", view: viewOf(job) };
    });
  }

  async #wait(jobId: string): Promise<void> {
    await this.#call({ kind: "get", jobId }, async ({ waitJob }) => {
      const { job } = await waitJob({ jobId }, { timeoutMs: WAIT_TIMEOUT_MS });
      return job === undefined ? null : { kind: "job", view: viewOf(job) };
    });
  }

  async #cancel(jobId: string): Promise<void> {
    await this.#call({ kind: "cancel", jobId }, async ({ cancelJob }) => {
      await cancelJob({ jobId, reason: "chaos" }, { timeoutMs: CALL_TIMEOUT_MS });
      return { kind: "cancelled" };
    });
  }

  /** null: unknown, worth another try. */
  async #call(
    call: JobCall,
    ask: (jobs: JobsConnection["jobs"]) => Promise<JobOutcome | null>,
  ): Promise<JobOutcome | null> {
    const { jobs, history, name, countCode, onFailure } = this.#options;
    const calledAt = history.nowMs();
    let outcome: JobOutcome | null = null;
    try {
      outcome = await ask(jobs);
      countCode("OK");
    } catch (error) {
      const failure = PipelineError.from(error);
      countCode(failure.code);
      outcome = outcomeOfError(failure);
      if (outcome === null && !RETRYABLE.has(failure.code)) {
        onFailure(`${call.kind}: ${failure.message}`);
      }
    }
    history.record(name, call, calledAt, outcome);
    return outcome;
  }
}
