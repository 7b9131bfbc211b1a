// Schedules of one second on a stack whose leaders are killed, and that has no leader for a while.
//
// Guarantees: only what callers can see is looked at: the schedules and their jobs. Ends its
// schedules. Does not own: the stack, and what the policies promise (ledger/slots.ts).

import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { ListJobsRequest } from "../../../protos/gen/quorumq/v1/job_service.ts";
import { MissedPolicy, OverlapPolicy, Schedule } from "../../../protos/gen/quorumq/v1/schedule.ts";
import type { JobsConnection } from "../../../transport/grpc/client.ts";
import { jobSpec } from "../../support/job-spec.ts";
import type { LocalStack } from "../../support/stack.ts";
import { insist, leaderOf } from "../cluster.ts";
import { isOneRow, type SlotVerdict, verdictOf } from "./verdict.ts";

const EVERY_MS = 1_000;
const PAGE_SIZE = 1_000;
const PATIENCE_MS = 60_000;
const CALL = { timeoutMs: 10_000 };

export interface SlotsOptions {
  readonly stack: LocalStack;
  readonly connection: JobsConnection;
  readonly say: (line: string) => void;
}

/** A cron of one second for so long, while leaders are killed: what went wrong. */
export async function killLeaders(
  options: SlotsOptions & { readonly forMs: number; readonly kills: number },
): Promise<readonly string[]> {
  const { stack, connection, say, forMs, kills } = options;
  const id = await create(connection, MissedPolicy.MISSED_POLICY_SKIP, 30);
  const pauseMs = forMs / (kills + 1);
  for (let kill = 1; kill <= kills; kill += 1) {
    await delay(pauseMs);
    const leader = await leaderOf(connection.cluster);
    const pid = stack.kill(leader, "SIGKILL");
    say(`killed ${leader}, ${kill} of ${kills}`);
    await stack.restarted(leader, pid);
  }
  await delay(pauseMs);
  const { schedule, verdict } = await end(connection, id);
  say(lineOf("every second", verdict));
  return [
    ...verdict.failures,
    ...(verdict.missing.length > 0 ? [`${verdict.missing.length} slots have no job`] : []),
    ...countFailures(schedule, { firedCount: verdict.slots, missedCount: 0 }),
  ];
}

/** A majority stands still for so long: each policy does with the slots meanwhile what it says. */
export async function outage(
  options: SlotsOptions & { readonly forMs: number; readonly missedAfterSeconds: number },
): Promise<readonly string[]> {
  const { stack, connection, say, forMs, missedAfterSeconds } = options;
  const policies = ["SKIP", "ONCE", "ALL"] as const;
  const ids = await Promise.all(
    policies.map((policy) =>
      create(connection, MissedPolicy[`MISSED_POLICY_${policy}`], missedAfterSeconds),
    ),
  );
  await delay(3 * EVERY_MS);
  const leader = await leaderOf(connection.cluster);
  const others = stack.processes("node").filter((node) => node.id !== leader);
  say(`${others.map((node) => node.id).join(" and ")} stand still for ${forMs} ms`);
  for (const { pid } of others) process.kill(pid, "SIGSTOP");
  try {
    await delay(forMs);
  } finally {
    for (const { pid } of others) process.kill(pid, "SIGCONT");
  }
  await leaderOf(connection.cluster);
  await delay(3 * EVERY_MS);
  const failures: string[] = [];
  for (const [at, policy] of policies.entries()) {
    const { schedule, verdict } = await end(connection, ids[at] ?? "", missedAfterSeconds * 1_000);
    say(lineOf(policy, verdict));
    const found = [...verdict.failures, ...outageFailures(policy, schedule, verdict)];
    failures.push(...found.map((what) => `${policy}: ${what}`));
  }
  return failures;
}

function outageFailures(
  policy: "SKIP" | "ONCE" | "ALL",
  schedule: Schedule,
  { slots, missing, late }: SlotVerdict,
): string[] {
  const counts = { firedCount: slots - missing.length, missedCount: missing.length };
  const failures = countFailures(schedule, counts);
  if (!isOneRow(missing, EVERY_MS)) failures.push("the slots without a job are not one row");
  if (policy === "ALL") {
    if (missing.length > 0) failures.push(`${missing.length} slots have no job`);
    if (late.length === 0) failures.push("no slot was made good: there was no outage");
    return failures;
  }
  if (missing.length === 0) failures.push("no slot was missed: there was no outage");
  const lateCount = policy === "ONCE" ? 1 : 0;
  if (late.length !== lateCount) failures.push(`${late.length} missed slots have a job`);
  // The one that is made good is the last of those that were missed.
  const [lastMs, goodMs] = [missing.at(-1) ?? 0, late[0]];
  if (goodMs !== undefined && goodMs !== lastMs + EVERY_MS) failures.push("not the last one");
  return failures;
}

function countFailures(
  schedule: Schedule,
  counts: { readonly firedCount: number; readonly missedCount: number },
): string[] {
  const expected = { ...counts, skippedCount: 0, refusedCount: 0, gapCount: 0, pendingCount: 0 };
  return Object.entries(expected)
    .filter(([name, count]) => schedule[name as keyof typeof expected] !== count)
    .map(([name, count]) => `${name} is ${schedule[name as keyof typeof expected]}, not ${count}`);
}

async function create(
  { jobs }: JobsConnection,
  missed: MissedPolicy,
  missedAfterSeconds: number,
): Promise<string> {
  const payload = Buffer.from('{"name":"slot"}');
  const schedule = Schedule.fromPartial({
    id: `slots-${randomUUID()}`,
    cron: "* * * * * *",
    job: jobSpec({ kind: "greet", payload, idempotencyKey: "" }),
    overlap: OverlapPolicy.OVERLAP_POLICY_ALLOW,
    missed,
    missedAfter: { seconds: missedAfterSeconds, nanos: 0 },
  });
  await insist(PATIENCE_MS, () => jobs.createSchedule({ schedule }, CALL));
  return schedule.id;
}

/** No more slots; what there is of it then, and what has become of its slots. */
async function end(
  { jobs }: JobsConnection,
  scheduleId: string,
  missedAfterMs = 30_000,
): Promise<{ readonly schedule: Schedule; readonly verdict: SlotVerdict }> {
  const { schedule } = await insist(PATIENCE_MS, () => jobs.pauseSchedule({ scheduleId }, CALL));
  if (schedule === undefined) throw new Error(`${scheduleId} is gone`);
  const made: { slotMs: number; createdMs: number }[] = [];
  let pageToken = "";
  do {
    const request = ListJobsRequest.fromPartial({ pageSize: PAGE_SIZE, pageToken, kind: "greet" });
    const page = await insist(PATIENCE_MS, () => jobs.listJobs(request, CALL));
    for (const job of page.jobs) {
      if (job.scheduleId !== scheduleId) continue;
      const [slotMs, createdMs] = [job.slotTime, job.createTime].map((time) => time?.getTime());
      made.push({ slotMs: slotMs ?? 0, createdMs: createdMs ?? 0 });
    }
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  const createdMs = schedule.createTime?.getTime() ?? 0;
  const firstMs = (Math.floor(createdMs / EVERY_MS) + 1) * EVERY_MS;
  const verdict = verdictOf(made, { everyMs: EVERY_MS, firstMs, missedAfterMs });
  await insist(PATIENCE_MS, () => jobs.deleteSchedule({ scheduleId }, CALL));
  return { schedule, verdict };
}

function lineOf(what: string, { slots, jobs, missing, late, delayMsMax }: SlotVerdict): string {
  const told = `${slots} slots, ${jobs} jobs, ${missing.length} without one, ${late.length} late`;
  return `${what}: ${told}; latest ${delayMsMax} ms after its slot`;
}
