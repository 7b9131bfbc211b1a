// What the quorum answered, in the words of callers: the gateway's side of the error table.
//
// Guarantees: "unavailable" is told only when nothing happened; what may have happened is told as
// OUTCOME_UNKNOWN with what to do about it. Reads change nothing, so they are never unknown.
// Does not own: codes (transport/reason.ts).

import { ATTEMPTS_MAX, RUNS_MAX } from "../../ledger/history-limit.ts";
import { type SubmitRefused, SubmitRefused_Reason } from "../../protos/gen/node/v1/exchange.ts";
import { JobState } from "../../protos/gen/quorumq/v1/job.ts";
import type { PipelineError } from "../../transport/pipeline-error.ts";
import type { Unanswered } from "../../transport/quorum.ts";
import { refusal } from "../../transport/reason.ts";
import { quoted } from "./violations.ts";

type Unavailable = Extract<Unanswered, { kind: "unavailable" }>;

export function unavailable({ reason }: Unavailable): PipelineError {
  switch (reason) {
    case "no-leader":
      return refusal("NO_LEADER", "the quorum has no leader at present; nothing was accepted");
    case "broker-unavailable":
      return refusal("BROKER_UNAVAILABLE", "RabbitMQ cannot be reached; nothing was accepted");
    case "shutting-down":
      return refusal("SHUTTING_DOWN", "the gateway shuts down; nothing was accepted");
    case "overloaded":
      return refusal("BACKLOG_FULL", "too much is on its way to the quorum; nothing was accepted");
  }
}

/** `whatHappened` says what may have taken place, `advice` how to find out. */
export function outcomeUnknown(
  whatHappened: string,
  advice: string,
  metadata: Readonly<Record<string, string>>,
): PipelineError {
  return refusal("OUTCOME_UNKNOWN", `the time is over and ${whatHappened}: ${advice}`, {
    metadata,
  });
}

export function readTimedOut(): PipelineError {
  return refusal("NO_LEADER", "no leader with a majority confirmed the read in time");
}

/** A repeat whose key has outlived its job. */
export function jobForgotten(jobId: string, idempotencyKey: string): PipelineError {
  const why = "which has ended, and is forgotten with its result";
  return refusal(
    "JOB_NOT_FOUND",
    `the idempotency key ${quoted(idempotencyKey)} was used for job ${quoted(jobId)}, ${why}`,
    { metadata: { job_id: jobId, idempotency_key: idempotencyKey } },
  );
}

export function jobNotFound(jobId: string): PipelineError {
  const why = "it was never accepted, or ended so long ago that it was forgotten";
  return refusal("JOB_NOT_FOUND", `there is no job ${quoted(jobId)}: ${why}`, {
    metadata: { job_id: jobId },
  });
}

export function queueNotFound(queue: string): PipelineError {
  const why = "no kind was registered with it, and it was never configured";
  return refusal("QUEUE_NOT_FOUND", `there is no queue ${quoted(queue)}: ${why}`, {
    metadata: { queue },
  });
}

export function jobFinished(jobId: string, state: JobState): PipelineError {
  const word = stateWord(state);
  return refusal("JOB_FINISHED", `job ${jobId} has ended already: it is ${word}`, {
    metadata: { job_id: jobId, state: word },
  });
}

/** Only what has failed or was cancelled can be retried. */
export function retryRefused(jobId: string, state: JobState): PipelineError {
  const word = stateWord(state);
  const metadata = { job_id: jobId, state: word };
  if (state === JobState.JOB_STATE_SUCCEEDED) {
    const message = `job ${jobId} has SUCCEEDED: submit a new job to run it again`;
    return refusal("JOB_SUCCEEDED", message, { metadata });
  }
  if (state === JobState.JOB_STATE_FAILED || state === JobState.JOB_STATE_CANCELLED) {
    const spent = `has had ${RUNS_MAX} runs or ${ATTEMPTS_MAX} attempts`;
    const message = `job ${jobId} ${spent}: submit a new job to run it again`;
    return refusal("JOB_SPENT", message, { metadata });
  }
  const advice = "wait for its end, or cancel it first";
  return refusal("JOB_NOT_FINISHED", `job ${jobId} has not ended: it is ${word}; ${advice}`, {
    metadata,
  });
}

/** SUCCEEDED for JOB_STATE_SUCCEEDED. */
export function stateWord(state: JobState): string {
  const name = Object.entries(JobState).find(([, value]) => value === state)?.[0] ?? "UNKNOWN";
  return name.replace("JOB_STATE_", "");
}

/** `paths` are those of the jobs in the request, by position. */
export function submitRefused(refused: SubmitRefused, paths: readonly string[]): PipelineError {
  const path = paths[refused.position] ?? "job";
  const { value, jobId } = refused;
  const wrong = (field: string, description: string): PipelineError =>
    refusal("INVALID_FIELD", `${path}.${field} ${description}`, {
      metadata: { field: `${path}.${field}`, value },
      violations: [{ field: `${path}.${field}`, description }],
    });
  switch (refused.reason) {
    case SubmitRefused_Reason.REASON_UNKNOWN_KIND:
      return wrong("kind", `is not known: ${quoted(value)}; no worker ever registered it`);
    case SubmitRefused_Reason.REASON_UNKNOWN_QUEUE:
      return wrong("queue", `is not known: ${quoted(value)}; no worker registered the kind there`);
    case SubmitRefused_Reason.REASON_LOCK_TEMPLATE_UNFILLED:
      return wrong("payload", `has no value that fits the kind's key template ${quoted(value)}`);
    case SubmitRefused_Reason.REASON_BACKLOG_FULL:
      return refusal(
        "BACKLOG_FULL",
        `queue ${quoted(value)} has as many waiting jobs as it may; nothing was accepted`,
        { metadata: { field: `${path}.queue`, queue: value } },
      );
    case SubmitRefused_Reason.REASON_IDEMPOTENCY_KEY_REUSED:
      return refusal(
        "IDEMPOTENCY_KEY_REUSED",
        `${path}.idempotency_key ${quoted(value)} belongs to ${jobId}, which is another job`,
        { metadata: { field: `${path}.idempotency_key`, idempotency_key: value, job_id: jobId } },
      );
    case SubmitRefused_Reason.REASON_UNSPECIFIED:
      // A newer quorum's reason: still a refusal of what the caller asked for.
      return wrong("kind", `was refused: ${quoted(value)}`);
  }
}
