// One job as its callers see it, when nobody writes down what the workers do.
//
// Guarantees: submit, cancel and get as in job-model.ts; attempts may start and end at any moment,
// but only as a ledger can bring it about: each view continues the one before it. For real
// processes, whose workers cannot be watched; where all is known, job-model.ts is stricter.
// Does not own: starts, renewals and reports: such calls are a mistake here.

import assert from "node:assert";
import type { JobCall, JobOutcome, JobView } from "./job-call.ts";
import type { Model } from "./model.ts";

type End = "succeeded" | "failed" | "cancelled";
type SubmitCall = Extract<JobCall, { kind: "submit" }>;
type Seen = JobOutcome | "unknown";

interface ClientJob {
  readonly submitted: SubmitCall;
  /** null: accepted by a call whose answer nobody saw. */
  readonly jobId: string | null;
  /** How it was shown last. */
  readonly view: JobView;
  /** It ended so, and was not shown since; null: nobody was told that it ended. */
  readonly end: End | null;
}

export type ClientKnowledge = ClientJob | null;

export const jobClientModel: Model<ClientKnowledge, JobCall, JobOutcome> = {
  initial: () => null,
  key: (job) => JSON.stringify(job),
  isRead: (call) => call.kind === "get",
  step: (job, call, seen) => {
    if (call.kind === "submit") return submit(job, call, seen);
    assert(call.kind === "get" || call.kind === "cancel", `${call.kind} is no call of a client`);
    if (job === null || (job.jobId ?? call.jobId) !== call.jobId) {
      return seen === "unknown" || seen.kind === "job-not-found" ? [job] : [];
    }
    const known = job.jobId === null ? { ...job, jobId: call.jobId } : job;
    return call.kind === "get" ? get(known, seen) : cancel(known, seen);
  },
};

function submit(job: ClientKnowledge, call: SubmitCall, seen: Seen): ClientKnowledge[] {
  const isSame = job?.submitted.key === call.key && job.submitted.spec === call.spec;
  if (seen !== "unknown" && seen.kind === "submit-refused") {
    if (seen.reason === "lock-template-unfilled") return job === null ? [job] : [];
    const isReuse = seen.reason === "idempotency-key-reused";
    return isReuse && (job === null || isSame) ? [] : [job];
  }
  if (seen !== "unknown" && seen.kind !== "submitted") return [];
  if (job === null) {
    if (seen !== "unknown" && seen.deduplicated) return [];
    const state = call.isDelayed ? "scheduled" : "queued";
    const view: JobView = { state, attempts: [], result: null, error: null };
    const jobId = seen === "unknown" ? null : seen.jobId;
    return [{ submitted: call, jobId, view, end: null }];
  }
  if (seen === "unknown") return [job];
  const isRepeat = isSame && seen.deduplicated && (job.jobId ?? seen.jobId) === seen.jobId;
  return isRepeat ? [{ ...job, jobId: seen.jobId }] : [];
}

function get(job: ClientJob, seen: Seen): ClientKnowledge[] {
  if (seen === "unknown") return [job];
  if (seen.kind !== "job") return [];
  const { view } = seen;
  const isEnd = job.end === null ? view.state !== "cancelled" : view.state === job.end;
  const isFinal = endOf(job) !== null && job.end === null;
  const isPossible = isFinal
    ? JSON.stringify(view) === JSON.stringify(job.view)
    : isEnd && isSound(view, job.submitted.maxAttempts) && continues(job.view, view);
  return isPossible ? [{ ...job, view, end: null }] : [];
}

function cancel(job: ClientJob, seen: Seen): ClientKnowledge[] {
  const end = endOf(job);
  const cancelled: ClientJob = { ...job, end: "cancelled" };
  if (seen === "unknown") return end === null ? [job, cancelled] : [job];
  if (seen.kind === "cancelled") {
    if (end === null) return [cancelled];
    return end === "cancelled" ? [job] : [];
  }
  if (seen.kind !== "cancel-refused") return [];
  const { state } = seen;
  if (state !== "succeeded" && state !== "failed") return [];
  if (end === null) return [{ ...job, end: state }];
  return end === state ? [job] : [];
}

function endOf({ end, view: { state } }: ClientJob): End | null {
  if (end !== null) return end;
  return state === "succeeded" || state === "failed" || state === "cancelled" ? state : null;
}

/** Whether a ledger can show a job like this at all. */
function isSound({ state, attempts, result, error }: JobView, maxAttempts: number | null): boolean {
  const last = attempts.at(-1);
  const areEarlierOver = attempts.every((attempt, position) => {
    const isRisen = attempt.token > (attempts[position - 1]?.token ?? 0);
    const isRetried = !["started", "succeeded", "cancelled"].includes(attempt.outcome);
    return isRisen && (isRetried || attempt === last);
  });
  const isLastFit = {
    scheduled: last === undefined || isFailure(last.outcome),
    queued: last === undefined || isFailure(last.outcome) || last.outcome === "handed-back",
    running: last?.outcome === "started",
    succeeded: last?.outcome === "succeeded",
    failed: last !== undefined && isFailure(last.outcome),
    cancelled: last?.outcome !== "started" && last?.outcome !== "succeeded",
  }[state];
  const used = attempts.filter(({ outcome }) => isFailure(outcome)).length;
  const limit = maxAttempts ?? Number.POSITIVE_INFINITY;
  // What was lost is tried again as long as there is an attempt left.
  const isGivenUp = state !== "failed" || last?.outcome !== "lost" || used >= limit;
  const isWithin = state === "failed" ? used <= limit : used < limit || state === "succeeded";
  const hasEnds =
    (result !== null) === (state === "succeeded") &&
    (error !== null) === (state === "failed" || state === "cancelled");
  return areEarlierOver && isLastFit && (isGivenUp || maxAttempts === null) && isWithin && hasEnds;
}

function isFailure(outcome: JobView["attempts"][number]["outcome"]): boolean {
  return ["failed", "timed-out", "lost", "fenced"].includes(outcome);
}

/** Whether the job may be shown so after it was shown as before; both are not final. */
function continues(before: JobView, view: JobView): boolean {
  if (view.attempts.length < before.attempts.length) return false;
  const isKept = before.attempts.every(({ token, outcome }, position) => {
    const now = view.attempts[position];
    return now?.token === token && (now.outcome === outcome || outcome === "started");
  });
  const isNews = view.attempts.length > before.attempts.length || before.state === "running";
  if (isNews || view.state === "cancelled") return isKept;
  return isKept && (view.state === before.state || view.state === "queued");
}
