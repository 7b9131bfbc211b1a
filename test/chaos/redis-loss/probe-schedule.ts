// A schedule with a slot each second, and what its jobs say of it afterwards.
//
// Guarantees: every slot from the first to the last has one job, or is named.

import type { Job } from "../../../protos/gen/quorumq/v1/job.ts";
import type { Client } from "../../../workers/index.ts";
import { type Summary, summaryOf } from "../../bench/percentile.ts";
import { probeTick } from "./probe-jobs.ts";

const SCHEDULE_ID = "probe-every-second";
const SLOT_MS = 1_000;

export interface TickVerdict {
  readonly slots: number;
  /** Slots without a job, or with two. */
  readonly wrong: readonly string[];
  /** From the slot to the start of its job's first attempt. */
  readonly late: Summary;
}

export async function beginSchedule(client: Client, file: string): Promise<void> {
  const input = { file, key: "", holdMs: 5, failures: 0 };
  const options = {
    id: SCHEDULE_ID,
    cron: "* * * * * *",
    overlap: "allow",
    missed: "all",
  } as const;
  await client.schedules.create(probeTick, input, options);
}

/** Ends it; resolves with the ids of all jobs that it made. */
export async function endSchedule(client: Client): Promise<readonly string[]> {
  await client.schedules.delete(SCHEDULE_ID);
  const ids: string[] = [];
  let pageToken = "";
  do {
    const page = await client.list({ kind: probeTick.kind, pageSize: 1_000, pageToken });
    ids.push(...page.jobs.map(({ id }) => id));
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return ids;
}

export function tickVerdictOf(jobs: readonly Job[]): TickVerdict {
  const ticks = jobs.filter(({ kind }) => kind === probeTick.kind);
  const slots = ticks.map(({ slotTime }) => slotTime?.getTime() ?? 0).toSorted((a, b) => a - b);
  const wrong: string[] = [];
  for (const [at, slotMs] of slots.entries()) {
    const stepMs = slotMs - (slots[at - 1] ?? slotMs - SLOT_MS);
    const name = new Date(slotMs).toISOString();
    if (stepMs === 0) wrong.push(`${name} has two jobs`);
    else if (stepMs !== SLOT_MS)
      wrong.push(`${stepMs / SLOT_MS - 1} slots before ${name} have none`);
  }
  const lateMs = ticks.map(
    ({ attempts, slotTime }) =>
      (attempts[0]?.startTime?.getTime() ?? 0) - (slotTime?.getTime() ?? 0),
  );
  return { slots: slots.length, wrong, late: summaryOf(lateMs) };
}
