// Workers behind a stream: what they run, what is recorded, what is refused.

import { describe, expect, jest, test } from "@jest/globals";
import { JobState } from "../../../protos/gen/quorumq/v1/job.ts";
import {
  AbortReason,
  WorkerKind,
  type WorkRequest,
} from "../../../protos/gen/quorumq/v1/worker_service.ts";
import { connectJobs } from "../../../transport/grpc/client.ts";
import { silentLogger } from "../../../transport/telemetry/logger.ts";
import { createGateway } from "../../../workers/gateway.ts";
import { Outbox } from "../../../workers/remote/outbox.ts";
import { all, each, failureOf } from "../../support/edge.ts";
import { RemoteWorker } from "../../support/remote-worker.ts";
import { LONG, SHORT, startRemoteWorld } from "../../support/remote-world.ts";

jest.setTimeout(30_000);

const TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const SLOW = { initial: { seconds: 60, nanos: 0 }, multiplier: 1, max: undefined };
const { pipeline, connection, openGateway, worker, begun } = await startRemoteWorld();
const { quorum, submit, until, result, job } = pipeline;

describe("a remote worker", () => {
  test("is told its lease, gets a start with all that it needs, and its result is recorded", async () => {
    const remote = worker("greet-remotely", {
      kind: { maxAttempts: 4, lockTemplates: ["g:{id}"] },
    });
    const welcome = await remote.next("welcome");
    expect(welcome).toEqual({
      workerId: "w-greet-remotely",
      lease: LONG,
      heartbeatInterval: { seconds: 20, nanos: 0 },
    });
    const payload = '{"id": 12345678901234567890}';
    const jobId = await submit("greet-remotely", null, {
      payload: Buffer.from(payload),
      traceparent: TRACEPARENT,
    });
    const start = await remote.next("start");
    expect(start).toMatchObject({
      jobId,
      attempt: 1,
      maxAttempts: 4,
      kind: "greet-remotely",
      queue: "greet-remotely",
      timeout: undefined,
      run: 1,
      traceparent: TRACEPARENT,
    });
    // Byte for byte: a number that JavaScript cannot hold is none of the gateway's business.
    expect(start.payload.toString()).toBe(payload);
    expect(start.lockKeys).toEqual(["g:12345678901234567000"]);
    const exact = Buffer.from('{"sum": 12345678901234567891}');
    remote.finish(start, { $case: "succeeded", value: { result: exact } });
    expect(await remote.next("finished")).toEqual({
      jobId,
      token: start.token,
      state: JobState.JOB_STATE_SUCCEEDED,
      nextAttemptTime: undefined,
    });
    const { attempts, result: recorded } = job(jobId);
    expect(Buffer.from(recorded ?? []).equals(exact)).toBe(true);
    expect(attempts).toHaveLength(1);
    expect(attempts[0]).toMatchObject({ worker: "w-greet-remotely", token: start.token });
  });

  test("tells progress and log lines, which are kept with the job byte for byte", async () => {
    const remote = await begun("talkative");
    const jobId = await submit("talkative", {});
    const { token } = await remote.next("start");
    const progress = Buffer.from('{"done": 12345678901234567890}');
    const beat = { jobId, token, progress, logLines: ["one", "two"] };
    remote.send({ $case: "heartbeat", value: { attempts: [beat] } });
    await remote.next("heartbeat");
    remote.succeed({ jobId, token }, null);
    await remote.next("finished");
    expect(Buffer.from(job(jobId).progress ?? []).equals(progress)).toBe(true);
    expect(job(jobId).logLines.map(({ text }) => text)).toEqual(["one", "two"]);
  });

  test("that reports a failure is told when the next attempt is due, and gets it", async () => {
    const remote = await begun("flaky-remotely");
    const jobId = await submit("flaky-remotely", {});
    const first = await remote.next("start");
    remote.fail(first, "ProviderAway", true);
    const failed = await remote.next("finished");
    expect(failed.state).toBe(JobState.JOB_STATE_SCHEDULED);
    expect(failed.nextAttemptTime?.getTime()).toBeGreaterThan(job(jobId).createdMs);
    const second = await remote.next("start");
    expect(second).toMatchObject({ jobId, attempt: 2 });
    expect(second.token).toBeGreaterThan(first.token);
    remote.fail(second, "CardRefused", false);
    expect((await remote.next("finished")).state).toBe(JobState.JOB_STATE_FAILED);
    expect(job(jobId).error).toEqual({ code: "CardRefused", message: "as told", retryable: false });
  });

  test("may hand an attempt back, which does not count", async () => {
    const remote = await begun("returned", { kind: { maxAttempts: 1 } });
    const jobId = await submit("returned", {});
    const first = await remote.next("start");
    remote.finish(first, { $case: "handedBack", value: { message: "no licence is free" } });
    expect((await remote.next("finished")).state).toBe(JobState.JOB_STATE_QUEUED);
    const second = await remote.next("start");
    remote.succeed(second, "now");
    expect(await result(jobId)).toBe("now");
    expect(job(jobId)).toMatchObject({
      attemptsUsed: 1,
      attempts: [{ outcome: "handed-back" }, {}],
    });
  });

  test("whose result is not JSON has failed for good", async () => {
    const remote = await begun("garbled");
    const jobId = await submit("garbled", {});
    const value = { result: Buffer.from("not JSON") };
    remote.finish(await remote.next("start"), { $case: "succeeded", value });
    expect((await remote.next("finished")).state).toBe(JobState.JOB_STATE_FAILED);
    expect(job(jobId).error).toMatchObject({ code: "RESULT_REFUSED", retryable: false });
  });

  test("hears of a cancel, and its late result leaves a receipt", async () => {
    const remote = await begun("called-off");
    const jobId = await submit("called-off", {});
    const start = await remote.next("start");
    await connection.jobs.cancelJob({ jobId, reason: "not needed" });
    const reason = AbortReason.ABORT_REASON_CANCELLED;
    expect(await remote.next("abort")).toEqual({ jobId, token: start.token, reason });
    remote.succeed(start, "too late");
    expect(await remote.next("fenced")).toEqual({
      jobId,
      token: start.token,
      currentToken: 0,
      state: JobState.JOB_STATE_CANCELLED,
    });
    expect(job(jobId)).toMatchObject({ state: "cancelled", result: null, refusedCount: 1 });
  });

  test("is told when its attempt takes too long, and the job is tried again", async () => {
    const attemptTimeout = { seconds: 0, nanos: 2e8 };
    const remote = await begun("slow-remotely", { kind: { attemptTimeout } });
    const jobId = await submit("slow-remotely", {});
    const first = await remote.next("start");
    expect(first.timeout).toEqual(attemptTimeout);
    const { reason } = await remote.next("abort");
    expect(reason).toBe(AbortReason.ABORT_REASON_TIMED_OUT);
    // As the sign that it has stopped.
    remote.fail(first, "Stopped", true);
    remote.succeed(await remote.next("start"), "quicker");
    expect(await result(jobId)).toBe("quicker");
    expect(job(jobId).attempts[0]).toMatchObject({ outcome: "timed-out" });
  });
});

describe("a remote worker that gives no sign of life", () => {
  test("loses its attempt, and what it finishes late is refused with both tokens", async () => {
    const silent = await begun("silenced", { lease: SHORT, kind: { backoff: SLOW } });
    const jobId = await submit("silenced", {});
    const first = await silent.next("start");
    const { token } = first;
    const reason = AbortReason.ABORT_REASON_SILENT;
    expect(await silent.next("abort")).toEqual({ jobId, token, reason });
    await until(jobId, "scheduled");
    silent.succeed(first, "from the past");
    const state = JobState.JOB_STATE_SCHEDULED;
    expect(await silent.next("fenced")).toEqual({ jobId, token, currentToken: 0, state });
    await silent.break();
    const other = await begun("silenced", { workerId: "w-other" });
    quorum.advance(70_000);
    const second = await other.next("start");
    expect(second).toMatchObject({ jobId, attempt: 2 });
    other.succeed(first, "from the past");
    expect(await other.next("fenced")).toEqual({
      jobId,
      token,
      currentToken: second.token,
      state: JobState.JOB_STATE_RUNNING,
    });
    other.succeed(second, "by another");
    expect(await result(jobId)).toBe("by another");
    expect(job(jobId)).toMatchObject({ refusedCount: 2, attempts: [{ outcome: "lost" }, {}] });
  });

  test("keeps it as long as its heartbeats name it", async () => {
    const steady = await begun("steady-remotely", { lease: SHORT });
    const jobId = await submit("steady-remotely", {});
    const start = await steady.next("start");
    let renewals = 0;
    const past = Promise.withResolvers<void>();
    const propose = quorum.propose.bind(quorum);
    quorum.propose = (body, options) => {
      if (body.kind === "renew-leases" && body.worker === "w-steady-remotely") {
        renewals += 1;
        steady.heartbeat(start);
        // Six thirds: twice the lease.
        if (renewals === 6) past.resolve();
      }
      return propose(body, options);
    };
    await past.promise;
    const { leases } = await steady.next("heartbeat");
    expect(leases).toMatchObject([{ jobId, token: start.token }]);
    steady.succeed(start, "done");
    expect(await result(jobId)).toBe("done");
    expect(job(jobId).attempts).toHaveLength(1);
  });

  test("is told of attempts that are not its own any more", async () => {
    const remote = await begun("stranger");
    remote.heartbeat({ jobId: "j-none", token: 7 });
    const reason = AbortReason.ABORT_REASON_FENCED;
    expect(await remote.next("abort")).toEqual({ jobId: "j-none", token: 7, reason });
    expect(await remote.next("heartbeat")).toEqual({ leases: [] });
    remote.succeed({ jobId: "j-none", token: 7 }, "nothing");
    expect(await remote.next("fenced")).toMatchObject({ token: 7, currentToken: 0 });
  });
});

describe("a stream that cannot be right", () => {
  test("is told all that is wrong with its hello", async () => {
    const remote = new RemoteWorker(connection, {
      workerId: "no spaces",
      concurrency: 5_000,
      kinds: [WorkerKind.fromPartial({ kind: "", maxAttempts: 101 })],
      lease: { seconds: 0, nanos: 1 },
      resume: [1, 2].map(() => ({ jobId: "j-1", token: 7, traceparent: "" })),
    });
    const error = await remote.ended;
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT", reason: "INVALID_FIELD" });
    expect(error?.violations.map(({ field }) => field)).toEqual([
      "hello.worker_id",
      "hello.kinds[0].kind",
      "hello.kinds[0].max_attempts",
      "hello.concurrency",
      "hello.lease",
      "hello.resume[1]",
    ]);
  });

  test("must begin with a hello, and name an outcome", async () => {
    const remote = worker("impolite");
    remote.send({ $case: "finish", value: { jobId: "j-1", token: 0, outcome: undefined } });
    expect((await remote.ended)?.violations.map(({ field }) => field)).toEqual([
      "finish.token",
      "finish.outcome",
    ]);
    const again = worker("impolite");
    again.send({
      $case: "hello",
      value: { workerId: "", kinds: [], concurrency: 0, resume: [], lease: undefined },
    });
    expect(await again.ended).toMatchObject({ reason: "INVALID_FIELD" });
  });

  test("holds up no drain as long as it says nothing", async () => {
    const other = await openGateway();
    const mute = other.connection.workers.work(new Outbox<WorkRequest>());
    const ended = failureOf(all(mute));
    await all(other.connection.greeter.sayHelloBidiStream(each([])));
    await other.gateway.close(60_000);
    expect(await ended).toMatchObject({ code: "UNAVAILABLE", reason: "SHUTTING_DOWN" });
  });

  test("finds no workers' service at a gateway without Redis", async () => {
    const plain = await createGateway({
      quorum,
      host: "127.0.0.1",
      port: 0,
      logger: silentLogger(),
    });
    const client = connectJobs({ address: `127.0.0.1:${plain.port}` });
    const remote = new RemoteWorker(client, {});
    expect(await remote.ended).toMatchObject({ code: "UNIMPLEMENTED" });
    client.close();
    await plain.close(0);
  });
});
