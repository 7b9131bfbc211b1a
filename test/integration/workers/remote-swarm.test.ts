// Many remote workers that do everything that workers do wrong, and what the ledger makes of it.
//
// The dice decide what each attempt does; how it interleaves is real, so a seed narrows a failure
// down and does not repeat it.

import { expect, jest, test } from "@jest/globals";
import { JobState } from "../../../protos/gen/quorumq/v1/job.ts";
import { WorkerKind } from "../../../protos/gen/quorumq/v1/worker_service.ts";
import { Dice } from "../../chaos/dice.ts";
import { startRemoteWorld } from "../../support/remote-world.ts";
import { SwarmWorker } from "../../support/swarm-worker.ts";
import { atEnd } from "../../support/teardown.ts";

jest.setTimeout(120_000);

const SEED = 20_261_125;
const WORKERS = 6;
const JOBS = 100;
const ROUNDS_MAX = 10;
const OUTCOMES = ["failed", "handed-back", "lost", "succeeded"];
const LOCKS = 20;
const LEASE_MS = 400;

const { pipeline, openGateway } = await startRemoteWorld();

test("each job ends once, with the result of its last attempt, whatever its workers did", async () => {
  const dice = new Dice(SEED);
  const kinds = [
    WorkerKind.fromPartial({
      kind: "swarm",
      queue: "swarm",
      maxAttempts: 100,
      lockTemplates: ["swarm:{lock}"],
      backoff: { initial: { seconds: 0, nanos: 1e7 }, multiplier: 1, max: undefined },
    }),
  ];
  const gateways = await Promise.all([openGateway(), openGateway()]);
  const workers = Array.from({ length: WORKERS }, (_, at) => {
    const connection = dice.from(gateways).connection;
    const options = { workerId: `swarm-${at}`, connection, kinds, leaseMs: LEASE_MS };
    return new SwarmWorker({ ...options, dice: new Dice(SEED + at) });
  });
  atEnd(async () => {
    await Promise.all(workers.map((worker) => worker.stop()));
  });
  await Promise.all(workers.map((worker) => worker.begun));
  const answersNow = () => workers.flatMap((worker) => worker.answers);
  const jobs: Awaited<ReturnType<typeof pipeline.until>>[] = [];
  // The dice say what is tried; whether a lease runs out meanwhile is for the machine to say.
  const hasSeenAll = (): boolean =>
    answersNow().some(({ kind }) => kind === "fenced") &&
    jobs.some(({ refusedCount }) => refusedCount > 0) &&
    OUTCOMES.every((wanted) =>
      jobs.some(({ attempts }) => attempts.some(({ outcome }) => outcome === wanted)),
    );
  for (let round = 0; round < ROUNDS_MAX && !hasSeenAll(); round += 1) {
    const jobIds = await Promise.all(
      Array.from({ length: JOBS }, () => pipeline.submit("swarm", { lock: dice.below(LOCKS) })),
    );
    jobs.push(...(await Promise.all(jobIds.map((jobId) => pipeline.until(jobId, "succeeded")))));
  }
  await Promise.all(workers.map((worker) => worker.stop()));

  // One attempt succeeded, it was the last, and what is recorded is its own.
  for (const { attempts, result } of jobs) {
    const { token } = JSON.parse(Buffer.from(result ?? []).toString("utf8")) as { token: number };
    const succeeded = attempts.filter(({ outcome }) => outcome === "succeeded");
    expect(succeeded.map((attempt) => attempt.token)).toEqual([token]);
    expect(attempts.at(-1)?.token).toBe(token);
    const tokens = attempts.map((attempt) => attempt.token);
    expect(tokens).toEqual(tokens.toSorted((a, b) => a - b));
  }
  // No worker was told of another success than the recorded one.
  const recorded = new Map(jobs.map((job) => [job.id, job.attempts.at(-1)?.token]));
  const answers = answersNow();
  const told = answers.filter(({ state }) => state === JobState.JOB_STATE_SUCCEEDED);
  const finished = told.filter(({ kind }) => kind === "finished");
  for (const { jobId, token } of finished) expect(token).toBe(recorded.get(jobId));
  expect(hasSeenAll()).toBe(true);
});
