// The stream of a remote worker when it breaks, drains or moves: what becomes of its attempts.

import { describe, expect, jest, test } from "@jest/globals";
import { JobState } from "../../../protos/gen/quorumq/v1/job.ts";
import { AbortReason, WorkerKind } from "../../../protos/gen/quorumq/v1/worker_service.ts";
import { RemoteWorker } from "../../support/remote-worker.ts";
import { LONG, SHORT, startRemoteWorld } from "../../support/remote-world.ts";

jest.setTimeout(30_000);

const world = await startRemoteWorld();
const { pipeline, gateway, connection, openGateway, worker, begun } = world;
const { quorum, submit, until, result, job } = pipeline;

describe("a stream that breaks", () => {
  test("leaves the attempt to its lease: then it counts as lost, and another runs it", async () => {
    const dying = await begun("orphaned", { lease: SHORT });
    const jobId = await submit("orphaned", {});
    await dying.next("start");
    await dying.break();
    const heir = await begun("orphaned", { workerId: "w-heir" });
    const start = await heir.next("start");
    expect(start).toMatchObject({ jobId, attempt: 2 });
    heir.succeed(start, "inherited");
    expect(await result(jobId)).toBe("inherited");
    expect(job(jobId).attempts[0]).toMatchObject({
      outcome: "lost",
      error: { code: "LEASE_EXPIRED" },
    });
  });

  test("lets its worker come back, even to another gateway, and go on", async () => {
    const before = await begun("resumed", { kind: { lockTemplates: ["resumed"] } });
    const jobId = await submit("resumed", {});
    const { token } = await before.next("start");
    await before.break();
    const elsewhere = await openGateway();
    const after = new RemoteWorker(elsewhere.connection, {
      workerId: "w-resumed",
      lease: LONG,
      kinds: [WorkerKind.fromPartial({ kind: "resumed", queue: "resumed" })],
      resume: [{ jobId, token, traceparent: "" }],
    });
    await after.next("welcome");
    const left = await untilNamed(after, { jobId, token });
    expect(left).toBeGreaterThan(0);
    await connection.jobs.cancelJob({ jobId, reason: "heard there, too" });
    const reason = AbortReason.ABORT_REASON_CANCELLED;
    expect(await after.next("abort")).toEqual({ jobId, token, reason });
    expect(job(jobId).attempts).toHaveLength(1);
  });

  test("lets nobody else go on with its attempts by mistake", async () => {
    const before = await begun("mixed-up");
    const jobId = await submit("mixed-up", {});
    const { token } = await before.next("start");
    await before.break();
    const resume = [{ jobId, token, traceparent: "" }];
    const other = worker("mixed-up", { workerId: "w-somebody-else", resume });
    const reason = AbortReason.ABORT_REASON_FENCED;
    expect(await other.next("abort")).toEqual({ jobId, token, reason });
    expect(job(jobId).attempts.at(-1)).toMatchObject({ token, outcome: "started" });
  });

  test("lets its worker hand in on the next what was finished meanwhile", async () => {
    const before = await begun("late-report");
    const jobId = await submit("late-report", {});
    const start = await before.next("start");
    await before.break();
    const after = await begun("late-report");
    after.succeed(start, "in time");
    after.succeed(start, "in time");
    const answers = [await after.next("finished"), await after.next("finished")];
    expect(answers.map(({ state }) => state)).toEqual([
      JobState.JOB_STATE_SUCCEEDED,
      JobState.JOB_STATE_SUCCEEDED,
    ]);
    expect(await result(jobId)).toBe("in time");
    expect(job(jobId)).toMatchObject({ refusedCount: 0, attempts: [{ outcome: "succeeded" }] });
  });

  test("does not bring back what the ledger has ended", async () => {
    const before = await begun("bygone", { kind: { maxAttempts: 1 } });
    const jobId = await submit("bygone", {});
    const { token } = await before.next("start");
    await before.break();
    quorum.advance(70_000);
    await until(jobId, "failed");
    const after = worker("bygone", { resume: [{ jobId, token, traceparent: "" }] });
    const reason = AbortReason.ABORT_REASON_FENCED;
    expect(await after.next("abort")).toEqual({ jobId, token, reason });
  });

  test("is replaced by the next one of the same worker", async () => {
    const first = await begun("doubled");
    const second = await begun("doubled");
    expect(await first.ended).toMatchObject({ code: "ABORTED", reason: "WORKER_REPLACED" });
    const jobId = await submit("doubled", {});
    second.succeed(await second.next("start"), 2);
    expect(await result(jobId)).toBe(2);
  });
});

/** Milliseconds of lease left, once the gateway knows the attempt. */
async function untilNamed(
  remote: RemoteWorker,
  attempt: { readonly jobId: string; readonly token: number },
): Promise<number> {
  for (;;) {
    remote.heartbeat(attempt);
    const { leases } = await remote.next("heartbeat");
    const [lease] = leases;
    if (lease !== undefined) return (lease.left?.seconds ?? 0) * 1_000;
  }
}

describe("a drain", () => {
  test("of the worker: nothing new, what runs may end, then the stream does", async () => {
    const leaving = await begun("leaving-remotely", { concurrency: 1 });
    const first = await submit("leaving-remotely", {});
    const start = await leaving.next("start");
    leaving.send({ $case: "drain", value: { grace: LONG } });
    const second = await submit("leaving-remotely", {});
    leaving.succeed(start, "last");
    await leaving.next("drained");
    expect(await leaving.ended).toBeNull();
    expect(await result(first)).toBe("last");
    expect(job(second)).toMatchObject({ state: "queued", attempts: [] });
  });

  test("of the worker without patience: what runs is aborted and handed back, uncounted", async () => {
    const hasty = await begun("hasty", { kind: { maxAttempts: 1 } });
    const jobId = await submit("hasty", {});
    const start = await hasty.next("start");
    hasty.send({ $case: "drain", value: { grace: { seconds: 0, nanos: 0 } } });
    const { reason } = await hasty.next("abort");
    expect(reason).toBe(AbortReason.ABORT_REASON_SHUTDOWN);
    hasty.fail(start, "Stopped", true);
    await hasty.next("drained");
    expect(job(jobId)).toMatchObject({ state: "queued", attemptsUsed: 0 });
  });

  test("of the gateway: the worker moves to another with what it runs", async () => {
    const [old, next] = await Promise.all([openGateway(), openGateway()]);
    const kinds = [WorkerKind.fromPartial({ kind: "moved", queue: "moved" })];
    const hello = { workerId: "w-moved", lease: LONG, kinds };
    const before = new RemoteWorker(old.connection, hello);
    await before.next("welcome");
    const jobId = await submit("moved", {});
    const { token } = await before.next("start");
    const closed = old.gateway.close(10_000);
    await before.next("move");
    const resume = [{ jobId, token, traceparent: "" }];
    const after = new RemoteWorker(next.connection, { ...hello, resume });
    await after.next("welcome");
    before.halfClose();
    expect(await before.ended).toBeNull();
    await closed;
    after.succeed({ jobId, token }, "moved");
    expect(await result(jobId)).toBe("moved");
    expect(job(jobId).attempts).toHaveLength(1);
  });
});

test("a gateway that closes leaves nothing of its workers behind", async () => {
  const lonely = await begun("lonely");
  await gateway.close(0);
  expect(await lonely.ended).toMatchObject({ code: "UNAVAILABLE" });
  const clients = String(await pipeline.raw.client("LIST"));
  expect(clients).not.toContain("w-lonely");
});
