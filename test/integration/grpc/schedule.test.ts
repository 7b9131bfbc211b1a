// Schedules over gRPC and by the public client: created, shown, paused, deleted; refusals.

import { beforeAll, describe, expect, jest, test } from "@jest/globals";
import { z } from "zod";
import { JobState } from "../../../protos/gen/quorumq/v1/job.ts";
import { ListJobsRequest } from "../../../protos/gen/quorumq/v1/job_service.ts";
import { MissedPolicy, OverlapPolicy, Schedule } from "../../../protos/gen/quorumq/v1/schedule.ts";
import { createClient, defineJob } from "../../../workers/index.ts";
import { type Edge, failureOf, startEdge } from "../../support/edge.ts";
import { jobSpec } from "../../support/job-spec.ts";
import { SoloQuorum } from "../../support/solo-quorum.ts";
import { atEnd } from "../../support/teardown.ts";
import { registerKinds } from "../../support/tiny-executor.ts";

jest.setTimeout(30_000);

let edge: Edge;

beforeAll(async () => {
  // Whenever the tests are run, no nightly slot comes while time is moved by an hour.
  const aheadMs = Date.UTC(2026, 0, 15, 12) - Date.now();
  edge = await startEdge(new SoloQuorum({ now: () => Date.now() + aheadMs }));
  await registerKinds(edge.quorum, ["idle"]);
});

function schedule(change: Partial<Schedule> = {}): Schedule {
  const job = jobSpec({ kind: "idle", idempotencyKey: "" });
  return Schedule.fromPartial({ cron: "0 3 * * *", timeZone: "Europe/Berlin", job, ...change });
}

const duration = (seconds: number) => ({ seconds, nanos: 0 });

async function violationsOf(change: Partial<Schedule>): Promise<Record<string, string>> {
  const error = await failureOf(edge.jobs.createSchedule({ schedule: schedule(change) }));
  expect(error).toMatchObject({ code: "INVALID_ARGUMENT", reason: "INVALID_FIELD" });
  return Object.fromEntries(error.violations.map(({ field, description }) => [field, description]));
}

describe("CreateSchedule", () => {
  test("tells what it has made, with defaults and the next slot", async () => {
    const answer = await edge.jobs.createSchedule({ schedule: schedule({ id: "nightly" }) });
    expect(answer.created).toBe(true);
    expect(answer.schedule).toMatchObject({
      ...{ id: "nightly", cron: "0 3 * * *", timeZone: "Europe/Berlin", paused: false },
      overlap: OverlapPolicy.OVERLAP_POLICY_SKIP,
      missed: MissedPolicy.MISSED_POLICY_SKIP,
      missedAfter: duration(30),
      job: { kind: "idle" },
      firedCount: 0,
    });
    const { nextTime, createTime } = answer.schedule ?? {};
    expect(nextTime?.getTime()).toBeGreaterThan(createTime?.getTime() ?? Number.NaN);
    const wall = nextTime?.toLocaleTimeString("en-GB", { timeZone: "Europe/Berlin" });
    expect(wall).toBe("03:00:00");
    edge.quorum.advance(0);
    const { schedule: shown } = await edge.jobs.getSchedule({ scheduleId: "nightly" });
    expect(shown).toEqual({ ...answer.schedule, upcomingTimes: expect.any(Array) });
    expect(shown?.upcomingTimes[0]).toEqual(nextTime);
  });

  test("of the same again gives what is there; of another under its id is refused", async () => {
    const first = schedule({ id: "same", overlap: OverlapPolicy.OVERLAP_POLICY_QUEUE });
    await edge.jobs.createSchedule({ schedule: first });
    const again = await edge.jobs.createSchedule({ schedule: first });
    expect(again).toMatchObject({ created: false, schedule: { id: "same" } });
    const error = await failureOf(
      edge.jobs.createSchedule({ schedule: { ...first, cron: "0 4 * * *" } }),
    );
    expect(error).toMatchObject({ code: "ALREADY_EXISTS", reason: "SCHEDULE_EXISTS" });
    expect(error.metadata).toEqual({ schedule_id: "same" });
  });

  test("without an id makes one up, each time another", async () => {
    const ids = await Promise.all(
      [1, 2].map(
        async () => (await edge.jobs.createSchedule({ schedule: schedule() })).schedule?.id,
      ),
    );
    expect(new Set(ids).size).toBe(2);
    expect(ids[0]).toMatch(/^s-[0-9a-f-]{36}$/);
  });

  test("names what is wrong with a rule, and what would be right", async () => {
    expect(await violationsOf({ cron: "61 * * * *" })).toEqual({
      "schedule.cron": expect.stringContaining('"61 * * * *"; allowed: five or six fields such as'),
    });
    expect(await violationsOf({ timeZone: "Berlin" })).toEqual({
      "schedule.time_zone": expect.stringContaining('got "Berlin"; allowed: an IANA name such as'),
    });
    expect(await violationsOf({ cron: "", timeZone: "", interval: duration(0) })).toEqual({
      "schedule.interval": expect.stringContaining("got 0 ms; allowed: 1000 to"),
    });
    expect(await violationsOf({ cron: "", timeZone: "" })).toEqual({
      "schedule.cron": expect.stringContaining("is missing"),
    });
    expect(Object.keys(await violationsOf({ interval: duration(5) }))).toEqual([
      "schedule.interval",
    ]);
    expect(await violationsOf({ cron: "0 0 30 2 *" })).toEqual({
      "schedule.cron": expect.stringContaining("has no slot"),
    });
    expect(Object.keys(await violationsOf({ endTime: new Date(1_000) }))).toEqual([
      "schedule.end_time",
    ]);
  });

  test("tells all problems at once, those of the job by their paths", async () => {
    const job = jobSpec({ kind: "a b", idempotencyKey: "k", runAt: new Date() });
    const wrong = { id: "a:b", job, missedAfter: duration(0), overlap: 9 as OverlapPolicy };
    expect(Object.keys(await violationsOf(wrong)).toSorted()).toEqual([
      ...["schedule.id", "schedule.job.idempotency_key", "schedule.job.kind"],
      ...["schedule.job.run_at", "schedule.missed_after", "schedule.overlap"],
    ]);
    const none = await failureOf(edge.jobs.createSchedule({ schedule: undefined }));
    expect(none.violations.map(({ field }) => field)).toEqual(["schedule"]);
  });

  test("refuses a kind that nobody registered, as a submission does", async () => {
    const job = jobSpec({ kind: "unheard-of", idempotencyKey: "" });
    expect(await violationsOf({ job })).toEqual({
      "schedule.job.kind": expect.stringContaining("is not known"),
    });
  });
});

describe("the other calls", () => {
  test("ListSchedules gives each once, in the order of creation, without payloads", async () => {
    const ids = Array.from({ length: 5 }, (_, at) => `list-${at}`);
    for (const id of ids) await edge.jobs.createSchedule({ schedule: schedule({ id }) });
    const found: Schedule[] = [];
    let pageToken = "";
    do {
      const page = await edge.jobs.listSchedules({ pageSize: 2, pageToken });
      expect(page.schedules.length).toBeLessThanOrEqual(2);
      found.push(...page.schedules);
      pageToken = page.nextPageToken;
      // The one that the next page begins behind may go.
      if (found.at(-1)?.id === "list-1") await edge.jobs.deleteSchedule({ scheduleId: "list-1" });
    } while (pageToken !== "");
    expect(found.map(({ id }) => id).filter((id) => id.startsWith("list-"))).toEqual(ids);
    for (const { job } of found) expect(job?.payload.byteLength).toBe(0);
    const error = await failureOf(edge.jobs.listSchedules({ pageSize: -1, pageToken: "x" }));
    expect(error.violations.map(({ field }) => field)).toEqual(["page_size", "page_token"]);
  });

  test("PauseSchedule and ResumeSchedule say how it stands, as often as they are asked", async () => {
    await edge.jobs.createSchedule({ schedule: schedule({ id: "paused" }) });
    for (const _ of [1, 2]) {
      const { schedule: shown } = await edge.jobs.pauseSchedule({ scheduleId: "paused" });
      expect(shown).toMatchObject({ paused: true, nextTime: undefined });
    }
    const { schedule: shown } = await edge.jobs.resumeSchedule({ scheduleId: "paused" });
    expect(shown?.paused).toBe(false);
  });

  test("DeleteSchedule says whether there was one", async () => {
    await edge.jobs.createSchedule({ schedule: schedule({ id: "gone" }) });
    expect(await edge.jobs.deleteSchedule({ scheduleId: "gone" })).toEqual({ existed: true });
    expect(await edge.jobs.deleteSchedule({ scheduleId: "gone" })).toEqual({ existed: false });
  });

  test("of an unknown schedule are NOT_FOUND; an id that cannot be one is named", async () => {
    for (const call of ["getSchedule", "pauseSchedule", "resumeSchedule"] as const) {
      const error = await failureOf(edge.jobs[call]({ scheduleId: "never" }));
      expect(error).toMatchObject({ code: "NOT_FOUND", reason: "SCHEDULE_NOT_FOUND" });
      const bad = await failureOf(edge.jobs[call]({ scheduleId: "a b" }));
      expect(bad.violations.map(({ field }) => field)).toEqual(["schedule_id"]);
    }
  });
});

test("slots make jobs that say where they come from, and the schedule counts them", async () => {
  const interval = duration(3_600);
  const ofEach = { cron: "", timeZone: "", interval };
  const created = await edge.jobs.createSchedule({
    schedule: schedule({ id: "hourly", ...ofEach }),
  });
  edge.quorum.advance(0);
  edge.quorum.advance(3_600_000);
  const list = ListJobsRequest.fromPartial({ scheduleId: "hourly" });
  const { jobs } = await edge.jobs.listJobs(list);
  expect(jobs).toHaveLength(1);
  const slotTime = created.schedule?.nextTime;
  expect(jobs[0]).toMatchObject({ scheduleId: "hourly", slotTime });
  const { schedule: shown } = await edge.jobs.getSchedule({ scheduleId: "hourly" });
  expect(shown).toMatchObject({ firedCount: 1, lastJobId: jobs[0]?.id, lastTime: slotTime });
  expect(shown).toMatchObject({ openCount: 1, lastJobState: JobState.JOB_STATE_QUEUED });
  const hours = shown?.upcomingTimes.map((time) => time.getTime() - Number(slotTime)) ?? [];
  expect(hours).toEqual([1, 2, 3, 4, 5].map((hour) => hour * 3_600_000));
  const { counts } = await edge.cluster.getCluster({});
  expect(counts).toMatchObject({ slotsFired: 1, slotsSkipped: 0, slotsMissed: 0 });
});

describe("TriggerSchedule", () => {
  const names = (idempotencyKey: string, allowOverlap = false) => ({
    ...{ scheduleId: "by-hand", idempotencyKey, allowOverlap },
  });

  beforeAll(async () => {
    await edge.jobs.createSchedule({ schedule: schedule({ id: "by-hand" }) });
  });

  test("makes a job now, once a key, under the caller's trace", async () => {
    const traceId = "0af7651916cd43dd8448eb211c80319c";
    const traceparent = `00-${traceId}-b7ad6b7169203331-01`;
    const answer = await edge.jobs.triggerSchedule(names("one"), { traceparent });
    expect(answer).toMatchObject({ deduplicated: false, traceId });
    const again = await edge.jobs.triggerSchedule(names("one"));
    expect(again).toEqual({ ...answer, deduplicated: true });
    const { job } = await edge.jobs.getJob({ jobId: answer.jobId });
    expect(job).toMatchObject({ scheduleId: "by-hand", slotTime: undefined, kind: "idle" });
    const { schedule: shown } = await edge.jobs.getSchedule({ scheduleId: "by-hand" });
    expect(shown).toMatchObject({ triggeredCount: 1, openCount: 1, firedCount: 0 });
  });

  test("is refused while a job of it is open, which it names; beside it, if that is asked for", async () => {
    const { jobId } = await edge.jobs.triggerSchedule(names("one"));
    const error = await failureOf(edge.jobs.triggerSchedule(names("two")));
    expect(error).toMatchObject({ code: "FAILED_PRECONDITION", reason: "SCHEDULE_BUSY" });
    expect(error.metadata).toEqual({ schedule_id: "by-hand", job_id: jobId });
    const beside = await edge.jobs.triggerSchedule(names("", true));
    expect(beside.jobId).not.toBe(jobId);
  });

  test("tells what is wrong with the request, and what there is not", async () => {
    const bad = names("k".repeat(600));
    const error = await failureOf(edge.jobs.triggerSchedule({ ...bad, scheduleId: "a b" }));
    expect(error.violations.map(({ field }) => field)).toEqual(["schedule_id", "idempotency_key"]);
    const none = { scheduleId: "never", idempotencyKey: "", allowOverlap: false };
    expect(await failureOf(edge.jobs.triggerSchedule(none))).toMatchObject({
      ...{ code: "NOT_FOUND", reason: "SCHEDULE_NOT_FOUND" },
    });
    const taken = jobSpec({ kind: "idle", idempotencyKey: "other job", priority: 9 });
    await edge.jobs.submitJob({ job: taken });
    expect(await failureOf(edge.jobs.triggerSchedule(names("other job", true)))).toMatchObject({
      ...{ code: "ALREADY_EXISTS", reason: "IDEMPOTENCY_KEY_REUSED" },
    });
  });
});

test("the public client: typed, checked, by its words", async () => {
  const idle = defineJob({
    kind: "idle",
    input: z.object({ to: z.string() }),
    handler: () => "done",
  });
  const client = createClient({ address: edge.address });
  atEnd(() => Promise.resolve(client.close()));
  const rule = { id: "typed", cron: "0 6 * * MON", overlap: "queue", missed: "once" } as const;
  const made = await client.schedules.create(idle, { to: "ada" }, { ...rule, priority: 5 });
  expect(made).toMatchObject({
    ...{ id: "typed", timeZone: "UTC", overlap: OverlapPolicy.OVERLAP_POLICY_QUEUE },
    job: { kind: "idle", priority: 5, payload: Buffer.from('{"to":"ada"}') },
  });
  expect(await client.schedules.get("typed")).toMatchObject({ id: "typed" });
  expect((await client.schedules.pause("typed")).paused).toBe(true);
  expect((await client.schedules.resume("typed")).paused).toBe(false);
  const { jobId } = await client.schedules.trigger("typed", { idempotencyKey: "now" });
  expect((await client.list({ scheduleId: "typed" })).jobs.map(({ id }) => id)).toEqual([jobId]);
  const { schedules } = await client.schedules.list({ pageSize: 1_000 });
  expect(schedules.map(({ id }) => id)).toContain("typed");
  expect(await client.schedules.delete("typed")).toBe(true);
  const bad = client.schedules.create(idle, { to: 7 as unknown as string }, { everyMs: 1_000 });
  expect(await failureOf(bad)).toMatchObject({ reason: "INVALID_FIELD" });
});
