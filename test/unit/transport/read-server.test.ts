// Reads of jobs with much to tell: an answer always fits one message, and none is left out.

import { describe, expect, test } from "@jest/globals";
import {
  type ReadAnswer,
  ReadList,
  type Read as WireRead,
  ReadAnswer as WireReadAnswer,
} from "../../../protos/gen/node/v1/exchange.ts";
import type { LogEntry } from "../../../protos/gen/quorumq/v1/cluster_service.ts";
import {
  ERROR_MESSAGE_LENGTH_MAX,
  LOG_READ_ENTRIES_MAX,
  PAGE_SIZE_MAX,
  READ_BYTES_MAX,
  READ_JOBS_MAX,
} from "../../../transport/limit.ts";
import { answerRead, type LogSource } from "../../../transport/read-server.ts";
import { kindOf, World } from "../ledger/world.ts";

const ATTEMPTS = 20;

/** Jobs that have failed often, each time with as much to say as is allowed. */
function wordyWorld(jobCount: number): { world: World; jobIds: string[] } {
  const backoff = { initialMs: 0, multiplier: 1, maxMs: 0, jitter: 0.5 };
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
      const value = ReadList.fromPartial({ pageSize: PAGE_SIZE_MAX, beforeJobId });
      const page = ask(world, { $case: "list", value });
      found.push(...page.jobs.map((job) => job.id));
      hasMore = page.hasMore;
    }
    expect(found).toEqual(jobIds.toReversed());
  });
});

describe("a read of the log", () => {
  const { ledger, index } = wordyWorld(0).world;
  const row = (at: number, detail = "{}"): LogEntry => ({
    ...{ index: at, term: 1, kind: "tick", timeMs: 0, detail },
  });
  /** Entries `first` to `last`. */
  const source =
    (first: number, last: number, detail?: string): LogSource =>
    (fromIndex, entriesMax) => ({
      firstLogIndex: first,
      entries: Array.from({ length: last - first + 1 }, (_, i) => row(first + i, detail))
        .filter((entry) => entry.index >= fromIndex)
        .slice(0, entriesMax),
    });
  const tail = (log: LogSource, fromIndex: number, entriesMax = 0): ReadAnswer => {
    const read = { $case: "log", value: { fromIndex, entriesMax } } as const;
    return answerRead(ledger, { read }, index, undefined, log);
  };
  const indexes = ({ entries }: ReadAnswer): number[] => entries.map((entry) => entry.index);

  test("gives at most what is asked for, and at most the largest page", () => {
    expect(indexes(tail(source(1, 9), 3, 2))).toEqual([3, 4]);
    expect(tail(source(1, 9_999), 0).entries).toHaveLength(LOG_READ_ENTRIES_MAX);
    expect(tail(source(1, 9_999), 0, 9_999).entries).toHaveLength(LOG_READ_ENTRIES_MAX);
  });

  test("from the oldest on gives that; of a compacted entry, nothing but where the log begins", () => {
    expect(indexes(tail(source(5, 6), 0))).toEqual([5, 6]);
    expect(tail(source(5, 6), 4)).toMatchObject({ entries: [], firstLogIndex: 5 });
    expect(tail(source(5, 4), 5)).toMatchObject({ entries: [], firstLogIndex: 5 });
  });

  test("fits one message, whatever the entries say; one always goes", () => {
    const half = "x".repeat(READ_BYTES_MAX / 2);
    expect(indexes(tail(source(1, 9, half), 0))).toEqual([1]);
    expect(indexes(tail(source(1, 9, half.slice(100)), 0))).toEqual([1, 2]);
    expect(indexes(tail(source(1, 9, half + half), 2))).toEqual([2]);
  });
});
