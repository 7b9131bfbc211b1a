// What users import from "quorumq": define jobs, run them, submit them.

export { decodeJobEvent } from "../transport/job-event.ts";
export type { JobEvent } from "../transport/quorum.ts";
export { type AbortWhy, AttemptAborted } from "./attempt-aborted.ts";
export { childResults, NoChildResultError } from "./children.ts";
export type { ScheduleClient, ScheduleOptions, ScheduleTiming } from "./client/schedules.ts";
export {
  type CallOptions,
  type ChildOptions,
  type Client,
  type ClientOptions,
  child,
  createClient,
  type EachOptions,
  type FamilyOptions,
  type FlowChild,
  type FlowHandle,
  type HeldLock,
  JobFailedError,
  type JobHandle,
  type JobSubmitOptions,
  LockLostError,
  type LockLostWhy,
  type LockOptions,
  type Locks,
  type QueueLimitOptions,
  type Queues,
  type RetryFilter,
  type SubmitAllOptions,
  type SubmitOptions,
  type WaitOptions,
  type WatchOptions,
} from "./client.ts";
export { type CreateWorkerOptions, createWorker, type WorkerConnection } from "./create-worker.ts";
export {
  type AttemptContext,
  type ChildEnd,
  defineJob,
  type JobDefinition,
  type JobOptions,
  type JsonValue,
  type RetryPolicy,
} from "./define-job.ts";
export { NonRetryableError, type NonRetryableErrorOptions } from "./non-retryable-error.ts";
export type { StandardSchema } from "./standard-schema.ts";
export type { Worker, WorkerOptions } from "./worker.ts";
