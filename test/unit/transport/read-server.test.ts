// Reads of jobs with much to tell: an answer always fits one message, and none is left out.

import { describe, expect, test } from "@jest/globals";
import {
  type ReadAnswer,
  type Read as WireRead,
  ReadAnswer as WireReadAnswer,
} from "../../../protos/gen/node/v1/exchange.ts";
import { JobState } from "../../../protos/gen/quorumq/v1/job.ts";
import {
  ERROR_MESSAGE_LENGTH_MAX,
  PAGE_SIZE_MAX,
  READ_BYTES_MAX,
  READ_JOBS_MAX,
} from "../../../transport/limit.ts";
import { answerRead } from "../../../transport/read-server.ts";
import { kindOf, World } from "../ledger/world.ts";

const ATTEMPTS = 20;
const ANY = JobState.JOB_STATE_UNSPECIFIED;

/** Jobs that have failed often, each time with as much to say as is allowed. */
function wordyWorld(jobCount: number): { world: World; jobIds: string[] } {
  const backoff = { initialMs: 0, multiplier: 1, maxMs: 0 };
  const world = new World([kindOf({ maxAttempts: ATTEMPTS, backoff })]);
  const message = "語".repeat(ERROR_MESSAGE_LENGTH_MAX);
  const jobIds = Array.from({ length: jobCount }, () => world.add());
  for (const jobId of jobIds) {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
      const finish = { jobId, token: world.begin(jobId), worker: "w1", result: null } as const;
      const error = { code: "WORDY", message, retryable: true };
      world.commit({ kind: "finish-attempt", ...finish, outcome: "failed", error });
    }
  }
  return { world, jobIds };
}

function ask(world: World, read: WireRead["read"]): ReadAnswer {
  const answer = answerRead(world.ledger, { read }, world.index);
  const { byteLength } = WireReadAnswer.encode(answer).finish();
  expect(byteLength).toBeLessThanOrEqual(READ_BYTES_MAX);
  expect(answer.jobs.length).toBeGreaterThan(0);
  return answer;
}

describe("jobs with long histories", () => {
  const { world, jobIds } = wordyWorld(READ_JOBS_MAX);

  test("are read in several answers, in the order asked", () => {
    const found: string[] = [];
    while (found.length < jobIds.length) {
      const left = jobIds.slice(found.length);
      const { jobs, hasMore } = ask(world, { $case: "jobs", value: { jobIds: left } });
      found.push(...jobs.map((job) => job.id));
      expect(hasMore).toBe(jobs.length < left.length);
    }
    expect(found).toEqual(jobIds);
  });

  test("are listed in shorter pages", () => {
    const found: string[] = [];
    let hasMore = true;
    while (hasMore) {
      const beforeJobId = found.at(-1) ?? "";
      const filter = { state: ANY, kind: "", queue: "", pageSize: PAGE_SIZE_MAX };
      const page = ask(world, { $case: "list", value: { ...filter, beforeJobId } });
      found.push(...page.jobs.map((job) => job.id));
      hasMore = page.hasMore;
    }
    expect(found).toEqual(jobIds.toReversed());
  });
});
