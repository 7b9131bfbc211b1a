// What has become of an attempt that is over for its worker.
//
// Guarantees: "recorded" and "refused" are the ledger's own words; what it did not say is "left".

import type { Applied as WireApplied } from "../protos/gen/node/v1/exchange.ts";
import { JobState } from "../protos/gen/quorumq/v1/job.ts";

export interface AttemptRef {
  readonly jobId: string;
  readonly token: number;
}

export type EndReport =
  | RecordedReport
  | RefusedReport
  /** Nothing was reported, or the quorum did not answer: the ledger ends it. */
  | { readonly kind: "left" };

export interface RecordedReport {
  readonly kind: "recorded";
  /** What the job has entered. */
  readonly state: JobState;
  /** 0: there is no next attempt. */
  readonly nextAttemptMs: number;
}

export interface RefusedReport {
  readonly kind: "refused";
  /** 0: no attempt is live. */
  readonly currentToken: number;
  readonly state: JobState;
}

/** Of an attempt that is not current, or of a job that the ledger does not know. */
export function refusedReport(result: WireApplied["result"]): RefusedReport {
  if (result?.$case !== "fenced") {
    return { kind: "refused", currentToken: 0, state: JobState.JOB_STATE_UNSPECIFIED };
  }
  const { currentToken, state } = result.value;
  return { kind: "refused", currentToken, state };
}
