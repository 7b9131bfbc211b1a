// Each state of a job has exactly one number on the wire.
//
// Does not own: what else is said of a job (result-codec.ts) or a schedule (schedule-codec.ts).

import type { JobState } from "../ledger/job.ts";
import { JobState as WireState } from "../protos/gen/quorumq/v1/job.ts";

export const STATE_TO_WIRE: Readonly<Record<JobState, WireState>> = {
  scheduled: WireState.JOB_STATE_SCHEDULED,
  queued: WireState.JOB_STATE_QUEUED,
  running: WireState.JOB_STATE_RUNNING,
  succeeded: WireState.JOB_STATE_SUCCEEDED,
  failed: WireState.JOB_STATE_FAILED,
  cancelled: WireState.JOB_STATE_CANCELLED,
};
