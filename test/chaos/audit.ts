// The verdict on a run: what the ledger says of every job that a caller was told is accepted.
//
// Guarantees: reads each accepted job itself, not a summary; a job counts as recorded once when it
// is SUCCEEDED with exactly one attempt that succeeded.

import type { LedgerCounts } from "../../protos/gen/quorumq/v1/cluster_service.ts";
import {
  type Attempt,
  AttemptOutcome,
  type Job,
  JobState,
} from "../../protos/gen/quorumq/v1/job.ts";
import type { JobsConnection } from "../../transport/grpc/client.ts";
import type { AcceptedJob } from "./load.ts";

export interface Audit {
  readonly accepted: number;
  /** SUCCEEDED with exactly one successful attempt. */
  readonly recordedOnce: number;
  /** Accepted, and not in the ledger. */
  readonly lost: readonly string[];
  /** In the ledger and not as they should be. */
  readonly wrong: readonly string[];
  /** Two callers' jobs with one id, or one key with two ids. */
  readonly confused: readonly string[];
  readonly counts: LedgerCounts;
}

const READS_AT_ONCE = 50;

export async function audit(
  connection: JobsConnection,
  accepted: readonly AcceptedJob[],
): Promise<Audit> {
  const lost: string[] = [];
  const wrong: string[] = [];
  let recordedOnce = 0;
  for (let at = 0; at < accepted.length; at += READS_AT_ONCE) {
    const batch = accepted.slice(at, at + READS_AT_ONCE);
    const jobs = await Promise.all(batch.map(({ jobId }) => read(connection, jobId)));
    for (const [position, job] of jobs.entries()) {
      const id = batch[position]?.jobId ?? "";
      if (job === null) lost.push(id);
      else if (isRecordedOnce(job)) recordedOnce += 1;
      else wrong.push(`${id}: state ${job.state}, ${job.attempts.map(shown).join(" ")}`);
    }
  }
  const { counts } = await connection.cluster.getCluster({}, { timeoutMs: 30_000 });
  if (counts === undefined) throw new Error("the cluster tells no counts");
  const ids = new Set(accepted.map(({ jobId }) => jobId));
  const confused = ids.size === accepted.length ? [] : ["an id was given to two callers"];
  return { accepted: accepted.length, recordedOnce, lost, wrong, confused, counts };
}

async function read(connection: JobsConnection, jobId: string): Promise<Job | null> {
  const { job } = await connection.jobs.waitJob({ jobId }, { timeoutMs: 60_000 });
  return job ?? null;
}

function isRecordedOnce(job: Job): boolean {
  const succeeded = job.attempts.filter(
    ({ outcome }) => outcome === AttemptOutcome.ATTEMPT_OUTCOME_SUCCEEDED,
  );
  const tokens = job.attempts.map(({ token }) => token);
  const areRising = tokens.every((token, at) => at === 0 || token > (tokens[at - 1] ?? 0));
  return job.state === JobState.JOB_STATE_SUCCEEDED && succeeded.length === 1 && areRising;
}

function shown({ number, outcome, token }: Attempt): string {
  return `#${number}/${token}:${outcome}`;
}
