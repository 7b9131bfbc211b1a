// The verdict on a run: what the ledger says of every job that a caller was told is accepted,
// whether all nodes have the same ledger, and whether what callers saw fits one order.
//
// Guarantees: reads each accepted job itself, not a summary; a job counts as recorded once when it
// is SUCCEEDED with exactly one attempt that succeeded, or CANCELLED where a caller asked for it.

import type {
  LedgerCounts,
  VerifyLedgerResponse,
} from "../../protos/gen/quorumq/v1/cluster_service.ts";
import {
  type Attempt,
  AttemptOutcome,
  type Job,
  JobState,
} from "../../protos/gen/quorumq/v1/job.ts";
import type { JobsConnection } from "../../transport/grpc/client.ts";
import { PipelineError } from "../../transport/pipeline-error.ts";
import type { AcceptedJob } from "./caller.ts";
import { type ClientHistory, type HistoryVerdict, viewOf } from "./client-history.ts";
import { insist } from "./cluster.ts";

export interface Audit {
  readonly accepted: number;
  /** Ended as they should, once. */
  readonly recordedOnce: number;
  readonly cancelled: number;
  /** Accepted, and not in the ledger. */
  readonly lost: readonly string[];
  /** With more than one attempt that succeeded. */
  readonly recordedTwice: readonly string[];
  /** In the ledger and not as they should be. */
  readonly wrong: readonly string[];
  /** Two callers' jobs with one id. */
  readonly confused: readonly string[];
  readonly counts: LedgerCounts;
  readonly ledgers: Ledgers;
  readonly history: HistoryVerdict;
}

/** Every node's ledger, built anew from its own disk up to one entry. */
export interface Ledgers {
  readonly index: number;
  readonly hash: string;
  readonly nodes: number;
  /** Names of those with another hash than most. */
  readonly diverged: readonly string[];
  /** Names of those that gave none. */
  readonly silent: readonly string[];
}

const READS_AT_ONCE = 50;
const WAIT_TIMEOUT_MS = 60_000;
const LOOK_TIMEOUT_MS = 2_000;
/** For each batch; once so many have not ended, the rest is only looked at. */
const PATIENCE_MS = 120_000;
const NOT_ENDED_MAX = 20;

export async function audit(
  connection: JobsConnection,
  accepted: readonly AcceptedJob[],
  history: ClientHistory,
): Promise<Audit> {
  const lost: string[] = [];
  const recordedTwice: string[] = [];
  const wrong: string[] = [];
  let recordedOnce = 0;
  let cancelled = 0;
  for (let at = 0; at < accepted.length; at += READS_AT_ONCE) {
    const batch = accepted.slice(at, at + READS_AT_ONCE);
    const patienceMs = wrong.length < NOT_ENDED_MAX ? PATIENCE_MS : 0;
    const reads = batch.map(({ jobId }) => read(connection, jobId, history, patienceMs));
    for (const [position, job] of (await Promise.all(reads)).entries()) {
      const { jobId = "", mayBeCancelled = false } = batch[position] ?? {};
      if (job === "not-found") lost.push(jobId);
      else if (job === "not-ended") wrong.push(`${jobId} has not ended`);
      else if (successesOf(job) > 1) recordedTwice.push(shownJob(job));
      else if (isCancelled(job) && mayBeCancelled) cancelled += 1;
      else if (isRecordedOnce(job)) recordedOnce += 1;
      else wrong.push(shownJob(job));
    }
  }
  const { counts } = await insist(30_000, () =>
    connection.cluster.getCluster({}, { timeoutMs: 10_000 }),
  );
  if (counts === undefined) throw new Error("the cluster tells no counts");
  const ids = new Set(accepted.map(({ jobId }) => jobId));
  const confused = ids.size === accepted.length ? [] : ["an id was given to two callers"];
  const verdicts = { lost, recordedTwice, wrong, confused };
  const ledgers = await compareLedgers(connection.cluster);
  const verdict = { accepted: accepted.length, recordedOnce, cancelled, ...verdicts };
  return { ...verdict, counts, ledgers, history: history.check() };
}

export async function compareLedgers(cluster: JobsConnection["cluster"]): Promise<Ledgers> {
  const answer = await insist(120_000, () => cluster.verifyLedger({}, { timeoutMs: 60_000 }));
  return ledgersOf(answer);
}

export function ledgersOf({ index, hash, nodes }: VerifyLedgerResponse): Ledgers {
  const wanted = Buffer.from(hash).toString("hex");
  const own = nodes.map((node) => ({
    id: node.nodeId,
    hash: Buffer.from(node.hash).toString("hex"),
  }));
  return {
    index,
    hash: wanted,
    nodes: nodes.length,
    diverged: own.filter((one) => one.hash !== "" && one.hash !== wanted).map(({ id }) => id),
    silent: own.filter((one) => one.hash === "").map(({ id }) => id),
  };
}

/** Again on a retryable error, until it has ended or the time is over. */
async function read(
  { jobs }: JobsConnection,
  jobId: string,
  history: ClientHistory,
  patienceMs: number,
): Promise<Job | "not-found" | "not-ended"> {
  const call = { kind: "get", jobId } as const;
  const calledAt = history.nowMs();
  try {
    const { job } = await insist(patienceMs, async () => {
      try {
        const timeoutMs = patienceMs === 0 ? LOOK_TIMEOUT_MS : WAIT_TIMEOUT_MS;
        return await jobs.waitJob({ jobId }, { timeoutMs });
      } catch (error) {
        if (PipelineError.from(error).reason !== "JOB_NOT_FOUND") throw error;
        return { job: null };
      }
    });
    if (job === undefined) throw new Error("a wait ended without a job");
    const outcome = job === null ? null : { kind: "job" as const, view: viewOf(job) };
    history.record("audit", call, calledAt, outcome ?? { kind: "job-not-found" });
    return job ?? "not-found";
  } catch (error) {
    if (PipelineError.from(error).code === "DEADLINE_EXCEEDED") return "not-ended";
    throw error;
  }
}

function successesOf({ attempts }: Job): number {
  return attempts.filter(({ outcome }) => outcome === AttemptOutcome.ATTEMPT_OUTCOME_SUCCEEDED)
    .length;
}

function areRising(attempts: readonly Attempt[]): boolean {
  return attempts.every(({ token }, at) => at === 0 || token > (attempts[at - 1]?.token ?? 0));
}

function isRecordedOnce(job: Job): boolean {
  const isDone = job.state === JobState.JOB_STATE_SUCCEEDED && successesOf(job) === 1;
  return isDone && areRising(job.attempts);
}

function isCancelled(job: Job): boolean {
  const isDone = job.state === JobState.JOB_STATE_CANCELLED && successesOf(job) === 0;
  return isDone && areRising(job.attempts);
}

function shownJob({ id, state, attempts }: Job): string {
  const shown = attempts.map(({ number, outcome, token }) => `#${number}/${token}:${outcome}`);
  return `${id}: state ${state}, ${shown.join(" ")}`;
}
