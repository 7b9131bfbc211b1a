// Lock keys under real workers: the ledger holds them and the line for them, whatever Redis does.
//
// What is checked is what handlers and holders saw themselves, in the order it happened.

import assert from "node:assert";
import { describe, expect, test } from "@jest/globals";
import { z } from "zod";
import { silentLogger } from "../../../transport/telemetry/logger.ts";
import { createClient } from "../../../workers/client.ts";
import { defineJob } from "../../../workers/define-job.ts";
import { createGateway } from "../../../workers/gateway.ts";
import { startPipeline } from "../../support/pipeline.ts";
import { atEnd } from "../../support/teardown.ts";

const pipeline = await startPipeline({ reconcileMs: 500 });
const { quorum, submit, result, raw } = pipeline;
const gateway = await createGateway({
  ...{ quorum, host: "127.0.0.1", port: 0, logger: silentLogger() },
});
const client = createClient({ address: `127.0.0.1:${gateway.port}` });
atEnd(async () => {
  client.close();
  await gateway.close(0);
});

const KEYS = ["red", "green", "blue"];
const input = z.object({ n: z.number() });

/** What was done under locks, as it happened. */
class Diary {
  readonly #inside = new Map<string, string>();
  readonly #lastTokens = new Map<string, bigint>();
  readonly begun: string[] = [];
  count = 0;

  begin(who: string, keys: readonly string[], token: bigint): void {
    this.begun.push(who);
    for (const key of keys) {
      assert(!this.#inside.has(key), `${who} is under ${key} with ${this.#inside.get(key)}`);
      this.#inside.set(key, who);
      const last = this.#lastTokens.get(key) ?? 0n;
      assert(token > last, `${who} has ${token} for ${key}, after ${last}`);
      this.#lastTokens.set(key, token);
    }
  }

  end(keys: readonly string[]): void {
    this.count += 1;
    for (const key of keys) this.#inside.delete(key);
  }
}

const moment = () => new Promise((resolve) => setTimeout(resolve, 3));

test("jobs parked on three keys are run in their order after Redis lost everything", async () => {
  const diary = new Diary();
  const gate = Promise.withResolvers<void>();
  const parked = defineJob({
    kind: "parked",
    queue: "parked",
    input,
    async handler({ n }, { jobId, fencingToken }) {
      const keys = [KEYS[n % 3] ?? ""];
      diary.begin(jobId, keys, fencingToken);
      await gate.promise;
      diary.end(keys);
    },
  });
  await pipeline.startWorker([parked], { concurrency: 30 });
  const jobIds: string[] = [];
  const allParked = new Promise<void>((resolve) => {
    quorum.onChanges(() => {
      const places = KEYS.map((key) => quorum.ledger.lines.get(key)?.size ?? 0);
      if (places.every((size) => size === 5)) resolve();
    });
  });
  for (let n = 0; n < 18; n += 1) {
    jobIds.push(await submit("parked", { n }, { lockKeys: [KEYS[n % 3] ?? ""] }));
  }
  await allParked;
  const running = jobIds.filter((id) => pipeline.job(id).state === "running");
  const waiting = jobIds.filter((id) => pipeline.job(id).parkedFor !== "");
  const placeOf = (id: string) => quorum.ledger.jobs.get(id)?.place ?? 0;
  const line = waiting.toSorted((one, other) => placeOf(one) - placeOf(other));
  expect([running.length, line.length]).toEqual([3, 15]);
  await raw.flushall();
  gate.resolve();
  await Promise.all(jobIds.map(result));
  for (const key of KEYS) {
    const isOfKey = (id: string) => pipeline.job(id).lockKeys.includes(key);
    const ran = diary.begun.filter(isOfKey);
    expect(ran).toEqual([...running, ...line].filter(isOfKey));
  }
  for (const id of jobIds) expect(pipeline.job(id).attempts).toHaveLength(1);
}, 30_000);

describe.each([
  ["with its locks in Redis", true],
  ["with no lock in Redis at all", false],
])("%s", (what, redisLocks) => {
  test("no two holders meet, jobs or not, and tokens rise, while Redis is emptied", async () => {
    const diary = new Diary();
    const queue = redisLocks ? "meeting" : "alone";
    const locked = defineJob({
      kind: queue,
      queue,
      input,
      async handler({ n }, { jobId, fencingToken }) {
        const keys = keysOf(n);
        diary.begin(jobId, keys, fencingToken);
        await moment();
        diary.end(keys);
        if (diary.count % 20 === 0) await raw.flushall();
      },
    });
    for (const id of ["w-1", "w-2", "w-3"]) {
      await pipeline.startWorker([locked], { id: `${id}-${queue}`, concurrency: 6, redisLocks });
    }
    const numbers = Array.from({ length: 90 }, (_, n) => n);
    const jobs = numbers.map(async (n) => {
      await result(await submit(queue, { n }, { lockKeys: keysOf(n) }));
    });
    const locks = numbers.slice(0, 30).map((n) =>
      client.locks.run(keysOf(n + 1), { waitMs: 25_000, owner: what }, async (lock) => {
        diary.begin(lock.id, keysOf(n + 1), lock.fencingToken);
        await moment();
        diary.end(keysOf(n + 1));
        expect(lock.signal.aborted).toBe(false);
      }),
    );
    await Promise.all([...jobs, ...locks]);
    expect(diary.count).toBe(120);
    expect(quorum.ledger.holders.size).toBe(0);
    if (!redisLocks) expect(await raw.keys("*lock*")).toEqual([]);
  }, 40_000);
});

/** One of the keys, two or all. */
function keysOf(n: number): string[] {
  const count = [1, 1, 2, 3][n % 4] ?? 1;
  return Array.from({ length: count }, (_, at) => KEYS[(n + at) % 3] ?? "");
}
