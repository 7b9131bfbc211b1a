// What the ledger answers, as a history of jobs writes it down.
//
// Guarantees: nothing of the ledger's own objects is kept. Only this file knows the ledger; model
// and checker do not.

import type { Job } from "../../../ledger/job.ts";
import type { Result } from "../../../ledger/result.ts";
import type { JobOutcome, JobView } from "./job-call.ts";

/** For what concerns one job: of several that were submitted or renewed together, one by one. */
export function outcomeOf(result: Result, position = 0): JobOutcome {
  switch (result.kind) {
    case "submitted": {
      const { jobId = "", deduplicated = false } = result.jobs[position] ?? {};
      return { kind: "submitted", jobId, deduplicated };
    }
    case "submit-refused":
      return { kind: "submit-refused", reason: result.reason };
    case "started":
      return { kind: "started", token: result.token, number: result.number };
    case "start-refused":
      return { kind: "start-refused", reason: result.reason };
    case "finished":
      return { kind: "finished", state: result.state };
    case "fenced":
      return { kind: "fenced", currentToken: result.currentToken, state: result.state };
    case "renewed":
      return { kind: "renewed" };
    case "cancelled":
      return { kind: "cancelled" };
    case "cancel-refused":
      return { kind: "cancel-refused", state: result.state };
    case "retried":
      return { kind: "retried" };
    case "retry-refused":
      return { kind: "retry-refused", state: result.state };
    case "job-not-found":
      return { kind: "job-not-found" };
    case "queue-set":
    case "queue-drained":
    case "queue-not-found":
    case "reported":
    case "retried-jobs":
    case "locks":
    case "lock-refused":
    case "done":
    case "schedule":
    case "schedule-refused":
    case "schedule-deleted":
    case "schedule-not-found":
      throw new Error(`${result.kind} is the answer to no operation of these histories`);
  }
}

/** Of a renewal of several leases, what it says of one job. */
export function renewalOf(
  result: Extract<Result, { kind: "renewed" }>,
  jobId: string,
  token: number,
): JobOutcome {
  const stale = result.stale.find((one) => one.jobId === jobId && one.token === token);
  return stale === undefined ? { kind: "renewed" } : outcomeOf(stale);
}

/** undefined: there is no such job. */
export function readOf(job: Readonly<Job> | undefined): JobOutcome {
  return job === undefined ? { kind: "job-not-found" } : { kind: "job", view: viewOf(job) };
}

export function viewOf(job: Readonly<Job>): JobView {
  return {
    state: job.state,
    attempts: job.attempts.map(({ token, outcome }) => ({ token, outcome })),
    result: job.result === null ? null : new TextDecoder().decode(job.result),
    error: job.error === null ? null : job.error.code,
  };
}
