// Short histories of one job, written down by hand.
//
// Each operation takes one unit of time from the moment given, so that those at different moments
// come one after another.

import type {
  JobCall,
  JobOperation,
  JobOutcome,
  JobView,
  Report,
} from "../../../sim/linearizability/job-call.ts";

export const JOB_ID = "j-3";
export const SUBMIT = {
  kind: "submit",
  key: "order-1",
  spec: "mail",
  maxAttempts: 2,
  isDelayed: false,
} as const satisfies JobCall;

export function operation(at: number, call: JobCall, outcome: JobOutcome): JobOperation {
  return { client: "c1", call, calledAt: at, returnedAt: at + 1, outcome };
}

/** Nobody saw the answer. */
export function lost(at: number, call: JobCall): JobOperation {
  const returnedAt = Number.POSITIVE_INFINITY;
  return { client: "c1", call, calledAt: at, returnedAt, outcome: "unknown" };
}

export function submitted(at: number, deduplicated = false, jobId = JOB_ID): JobOperation {
  return operation(at, SUBMIT, { kind: "submitted", jobId, deduplicated });
}

export function acked(
  at: number,
  kind: "get" | "cancel",
  outcome: JobOutcome,
  jobId = JOB_ID,
): JobOperation {
  return operation(at, { kind, jobId }, outcome);
}

export function read(at: number, view: JobView): JobOperation {
  return acked(at, "get", { kind: "job", view });
}

export function started(at: number, token: number, number: number, startId: string): JobOperation {
  return operation(
    at,
    { kind: "start", jobId: JOB_ID, startId },
    { kind: "started", token, number },
  );
}

export function finishCall(token: number, report: Report, body = "a", isRetryable = true): JobCall {
  return { kind: "finish", jobId: JOB_ID, token, report, body, isRetryable };
}

export function viewOf(change: Partial<JobView>): JobView {
  return { state: "queued", attempts: [], result: null, error: null, ...change };
}
