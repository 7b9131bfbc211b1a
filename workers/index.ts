// What users import from "quorumq": define jobs, run them, submit them.

export { type AbortWhy, AttemptAborted } from "./attempt-aborted.ts";
export {
  type Client,
  type ClientOptions,
  createClient,
  JobFailedError,
  type JobHandle,
  type SubmitOptions,
  type WaitOptions,
} from "./client.ts";
export { type CreateWorkerOptions, createWorker, type WorkerConnection } from "./create-worker.ts";
export {
  type AttemptContext,
  defineJob,
  type JobDefinition,
  type JobOptions,
  type RetryPolicy,
} from "./define-job.ts";
export { NonRetryableError, type NonRetryableErrorOptions } from "./non-retryable-error.ts";
export type { StandardSchema } from "./standard-schema.ts";
export type { Worker, WorkerOptions } from "./worker.ts";
