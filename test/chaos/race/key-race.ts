// One idempotency key, submitted many times at once through every door; and again when the job has
// finished and left the queue.
//
// Guarantees: what is counted is what callers were told and what the ledger recorded.

import { randomUUID } from "node:crypto";
import type { Job, JobSpec } from "../../../protos/gen/quorumq/v1/job.ts";
import type { JobsConnection } from "../../../transport/grpc/client.ts";
import type { Door, Submitted } from "./door.ts";

export interface KeyRaceOptions {
  readonly doors: readonly Door[];
  readonly connection: JobsConnection;
  /** Submissions at once, each time. */
  readonly count: number;
  readonly spec: JobSpec;
  /** Resolves when the queue does not hold the job any more. */
  readonly untilGone: (job: Job) => Promise<void>;
}

export interface KeyRaceReport {
  readonly submissions: number;
  readonly jobIds: readonly string[];
  /** How many callers were told that theirs was the first; the others that it was not. */
  readonly firsts: number;
  readonly attempts: number;
  readonly failures: readonly string[];
}

export async function raceKey(options: KeyRaceOptions): Promise<KeyRaceReport> {
  const { connection, count, spec, untilGone } = options;
  const keyed = { ...spec, idempotencyKey: `race-${randomUUID()}` };
  const failures: string[] = [];
  const before = await acceptedBy(connection);
  const early = await submitAll(options, keyed, failures);
  const jobId = early[0]?.jobId ?? "";
  const { job } = await connection.jobs.waitJob({ jobId }, { timeoutMs: 60_000 });
  if (job === undefined) throw new Error(`no job ${jobId}`);
  await untilGone(job);
  const late = await submitAll(options, keyed, failures);
  const after = await acceptedBy(connection);
  const { job: last } = await connection.jobs.getJob({ jobId });
  const all = [...early, ...late];
  const report = {
    submissions: all.length,
    jobIds: [...new Set(all.map((submitted) => submitted.jobId))],
    firsts: all.filter(({ deduplicated }) => !deduplicated).length,
    attempts: last?.attempts.length ?? 0,
  };
  if (all.length !== 2 * count) failures.push(`${2 * count - all.length} were not answered`);
  if (report.jobIds.length !== 1) failures.push(`one key made ${report.jobIds.length} jobs`);
  // None, if a gateway had to ask again: it is then told of its own first asking.
  if (report.firsts > 1) failures.push(`${report.firsts} callers were first`);
  if (after - before !== 1) failures.push(`the ledger accepted ${after - before} jobs`);
  if (report.attempts !== 1) failures.push(`the job ran ${report.attempts} times`);
  return { ...report, failures };
}

async function submitAll(
  { doors, count }: KeyRaceOptions,
  spec: JobSpec,
  failures: string[],
): Promise<Submitted[]> {
  const outcomes = await Promise.allSettled(
    Array.from({ length: count }, async (_, at) => {
      const door = doors[at % doors.length];
      if (door === undefined) throw new Error("no door");
      return await door.submit(spec);
    }),
  );
  for (const outcome of outcomes) {
    if (outcome.status === "rejected") failures.push(`not accepted: ${String(outcome.reason)}`);
  }
  return outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
}

async function acceptedBy({ cluster }: JobsConnection): Promise<number> {
  return (await cluster.getCluster({})).counts?.accepted ?? 0;
}
