// The in-process quorum that other tests stand on.

import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { CommandBody } from "../../../ledger/command.ts";
import type { JobEvent } from "../../../transport/quorum.ts";
import { ledgerSpec } from "../../support/ledger-spec.ts";
import { SoloQuorum } from "../../support/solo-quorum.ts";

const CALL = { timeoutMs: 1_000, traceparent: "" };
const KIND: CommandBody = {
  kind: "register-kinds",
  kinds: [
    {
      kind: "greet",
      queue: "main",
      maxAttempts: 2,
      backoff: { initialMs: 1_000, multiplier: 2, maxMs: 10_000, jitter: 0.5 },
      attemptTimeoutMs: 0,
      totalTimeoutMs: 0,
      lockTemplates: [],
      concurrencyTemplates: [],
    },
  ],
};
const SUBMIT: CommandBody = {
  kind: "submit-jobs",
  jobs: [ledgerSpec({ kind: "greet", payload: Buffer.from("null") })],
};

let solo: SoloQuorum;

beforeEach(() => {
  solo = new SoloQuorum();
});
afterEach(() => solo.close());

async function stateOf(jobId: string): Promise<number | undefined> {
  const outcome = await solo.read({ read: { $case: "jobs", value: { jobIds: [jobId] } } }, CALL);
  return outcome.kind === "answered" ? outcome.answer.jobs[0]?.state : undefined;
}

test("a job can be submitted, started, finished and read", async () => {
  const events: JobEvent[] = [];
  const succeeded = new Promise<void>((resolve) => {
    solo.onEvent((event) => {
      events.push(event);
      if (event.event === "succeeded") resolve();
    });
  });
  await solo.propose(KIND, CALL);
  await solo.propose(SUBMIT, CALL);
  const attempt = { jobId: "j-2", worker: "w1" };
  const start = { kind: "start-attempt" as const, ...attempt, startId: "s", leaseMs: 10_000 };
  const started = await solo.propose(start, CALL);
  expect(started).toMatchObject({ applied: { result: { $case: "started", value: { token: 3 } } } });
  await solo.propose(
    {
      kind: "finish-attempt",
      ...attempt,
      token: 3,
      outcome: "succeeded",
      result: Buffer.from("1"),
      error: null,
    },
    CALL,
  );
  await succeeded;
  expect(events.map(({ event }) => event)).toEqual(["queued", "running", "succeeded"]);
  expect(await stateOf("j-2")).toBe(4);
});

test("time brought forward ends a lease that nobody renews", async () => {
  await solo.propose(KIND, CALL);
  await solo.propose(SUBMIT, CALL);
  const start = { jobId: "j-2", worker: "w1", startId: "s", leaseMs: 10_000 };
  await solo.propose({ kind: "start-attempt", ...start }, CALL);
  solo.advance(10_001);
  expect(await stateOf("j-2")).not.toBe(3);
});

test("time that passes by itself makes a delayed job due", async () => {
  const due = new Promise<JobEvent>((resolve) => {
    solo.onEvent((event) => event.event === "queued" && resolve(event));
  });
  await solo.propose(KIND, CALL);
  const jobs = SUBMIT.kind === "submit-jobs" ? SUBMIT.jobs : [];
  const delayed = jobs.map((job) => ({ ...job, runAtMs: Date.now() + 50 }));
  await solo.propose({ kind: "submit-jobs", jobs: delayed }, CALL);
  expect(await stateOf("j-2")).toBe(1);
  // The tick's timer keeps no process alive; this one waits for it.
  const waiting = setInterval(() => undefined, 10);
  expect(await due).toMatchObject({ jobId: "j-2" });
  clearInterval(waiting);
});

test("an interruption answers every call until it is over", async () => {
  solo.interrupt({ kind: "unavailable", reason: "no-leader" });
  expect(await solo.propose(KIND, CALL)).toEqual({ kind: "unavailable", reason: "no-leader" });
  expect(solo.leader().leader).toBeNull();
  solo.restore();
  expect(await solo.propose(KIND, CALL)).toMatchObject({ kind: "applied" });
});

test("a command that a leader would refuse is refused", async () => {
  await expect(solo.propose({ kind: "tick" }, CALL)).rejects.toThrow("leader's own");
});
