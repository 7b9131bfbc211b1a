// ledger/query.ts and hash.ts: what can be asked.

import { describe, expect, test } from "@jest/globals";
import type { JobSpec } from "../../../ledger/command.ts";
import {
  counts,
  getJob,
  hash,
  isDispatchOver,
  listJobs,
  queuedJobs,
} from "../../../ledger/ledger.ts";
import { bytes, kindOf, START_MS, World } from "./world.ts";

const kinds = [kindOf(), kindOf({ queue: "slow" }), kindOf({ kind: "print" })];

describe("lists", () => {
  function filled() {
    const world = new World(kinds);
    const ids = [
      world.add({ queue: "default" }),
      world.add({ kind: "print" }),
      world.add({ queue: "slow" }),
      world.add({ kind: "print" }),
      world.add({ runAtMs: START_MS + 1 }),
    ];
    const list = (filter: Partial<Parameters<typeof listJobs>[1]>) => {
      const { jobs, hasMore } = listJobs(world.ledger, { limit: 10, ...filter });
      return { at: jobs.map((job) => ids.indexOf(job.id)), hasMore };
    };
    return { world, ids, list };
  }

  test("are newest first", () => {
    expect(filled().list({})).toEqual({ at: [4, 3, 2, 1, 0], hasMore: false });
  });

  test("match state, kind and queue; empty matches all", () => {
    const { list } = filled();
    expect(list({ state: "scheduled" }).at).toEqual([4]);
    expect(list({ kind: "print" }).at).toEqual([3, 1]);
    expect(list({ queue: "slow", state: "queued" }).at).toEqual([2]);
    expect(list({ state: null, kind: "", queue: "", beforeJobId: "" }).at).toHaveLength(5);
  });

  test("go on below a job, and say whether more would match", () => {
    const { ids, list } = filled();
    expect(list({ limit: 2 })).toEqual({ at: [4, 3], hasMore: true });
    expect(list({ limit: 2, beforeJobId: ids[3] })).toEqual({ at: [2, 1], hasMore: true });
    expect(list({ limit: 2, beforeJobId: ids[1] })).toEqual({ at: [0], hasMore: false });
    expect(list({ limit: 1, kind: "print", beforeJobId: ids[3] })).toEqual({
      at: [1],
      hasMore: false,
    });
    expect(list({ limit: 0 })).toEqual({ at: [], hasMore: true });
  });

  test("match the parent, which may be of any entry, and gone; and all else that is given", () => {
    const { world, list } = filled();
    const members = [{}, { parent: 1, kind: "print" }, { parent: 2 }, { parent: 1 }, { parent: 1 }];
    const result = world.submit(...members);
    if (result.kind !== "submitted") throw new Error(result.kind);
    const [top = "", first = "", grandchild, second, third] = result.jobs.map((job) => job.jobId);
    world.submit({}, { parent: 1 });
    const children = (filter: Partial<Parameters<typeof listJobs>[1]>) =>
      listJobs(world.ledger, { limit: 10, ...filter }).jobs.map(({ id }) => id);
    expect(children({ parentJobId: top })).toEqual([third, second, first]);
    expect(children({ parentJobId: first })).toEqual([grandchild]);
    expect(children({ parentJobId: top, kind: "print" })).toEqual([first]);
    expect(children({ parentJobId: top, state: "cancelled" })).toEqual([]);
    const page = listJobs(world.ledger, { parentJobId: top, limit: 2 });
    expect(page.hasMore).toBe(true);
    const beforeJobId = page.jobs.at(-1)?.id;
    expect(children({ parentJobId: top, beforeJobId })).toEqual([first]);
    expect(children({ parentJobId: top, beforeJobId: "j-2" })).toEqual([]);
    for (const parentJobId of ["mine", "j-2", "j-99-1", String(third)]) {
      expect(list({ parentJobId }).at).toEqual([]);
    }
  });

  test("go on below a place where no job is any more, and not below what is no place", () => {
    const { ids, list } = filled();
    expect(list({ beforeJobId: `${ids[2]}-7` }).at).toEqual([2, 1, 0]);
    expect(list({ beforeJobId: "j-99" }).at).toHaveLength(ids.length);
    expect(list({ beforeJobId: "j-1" })).toEqual({ at: [], hasMore: false });
    expect(list({ beforeJobId: "mine" })).toEqual({ at: [], hasMore: false });
  });
});

test("the queued jobs are those for BullMQ, in the order they became so", () => {
  const world = new World();
  const later = world.add({ runAtMs: START_MS + 5 });
  const [first, second] = [world.add(), world.add()];
  world.begin(first);
  world.at(5).tick();
  expect([...queuedJobs(world.ledger)].map((job) => job.id)).toEqual([second, later]);
});

test("of what is later than this ledger, or no job's, it is not said that it is over", () => {
  const { ledger } = new World();
  expect(isDispatchOver(ledger, `j-${ledger.appliedIndex + 1}`, 1)).toBe(false);
  expect(isDispatchOver(ledger, `j-${ledger.appliedIndex}`, 1)).toBe(true);
  expect(isDispatchOver(ledger, "07", 1)).toBe(false);
});

test("counts name every state", () => {
  expect(counts(new World().ledger)).toEqual({
    accepted: 0,
    deduplicated: 0,
    scheduled: 0,
    queued: 0,
    running: 0,
    succeeded: 0,
    failed: 0,
    cancelled: 0,
    recorded: 0,
    refusedLate: 0,
    retried: 0,
    attemptsStarted: 0,
    attemptsLost: 0,
    locksGranted: 0,
    locksExpired: 0,
    forgotten: 0,
    schedules: 0,
    schedulesPaused: 0,
    slotsFired: 0,
    slotsSkipped: 0,
    slotsMissed: 0,
    slotsRefused: 0,
    slotsPending: 0,
    schedulesTriggered: 0,
  });
});

test("a job that is not there is undefined", () => {
  expect(getJob(new World().ledger, "constructor")).toBeUndefined();
});

describe("the hash", () => {
  test("is that of the state, not of the order in which maps were filled", () => {
    const [one, other] = [new World(kinds), new World(kinds.toReversed())];
    const rename = (world: World) => world.commit({ kind: "register-kinds", kinds });
    rename(one);
    rename(other);
    expect(hash(one.ledger)).toBe(hash(other.ledger));
  });

  test("reading changes nothing", () => {
    const world = new World();
    world.add();
    const before = hash(world.ledger);
    listJobs(world.ledger, { limit: 1 });
    [...queuedJobs(world.ledger)].pop();
    expect(hash(world.ledger)).toBe(before);
  });

  const base: Partial<JobSpec> = { idempotencyKey: "k" };
  test.each([
    ["payload", { payload: bytes({ to: "bob" }) }],
    ["length of the payload", { payload: new Uint8Array(17) }],
    ["priority", { priority: 1 }],
    ["key", { idempotencyKey: "l" }],
    ["trace", { traceparent: "x" }],
    ["lock keys", { lockKeys: ["ab"] }],
    ["concurrency keys", { concurrencyKeys: [{ key: "ab", limit: 1 }] }],
    ["what was asked for, though it comes to the same", { maxAttempts: 3 }],
  ])("tells another %s", (_, other) => {
    const hashes = [base, { ...base, ...other }].map((spec) => {
      const world = new World();
      world.submit(spec);
      return hash(world.ledger);
    });
    expect(hashes[0]).not.toBe(hashes[1]);
  });

  test("tells every field of a job, its attempts, receipts and what was asked for", () => {
    const world = new World();
    const concurrencyKeys = [{ key: "c", limit: 2 }];
    const backoff = { initialMs: 1, multiplier: 1, maxMs: 1, jitter: 0.5 };
    const id = world.add({ lockKeys: ["a"], concurrencyKeys, backoff });
    const token = world.begin(id);
    world.fail(id, token, "failed", false);
    world.succeed(id, token);
    world.retry(id);
    const next = world.begin(id);
    world.report(id, next, { progress: bytes(1), lines: ["a"] });
    world.fail(id, next);
    const [job] = world.ledger.jobs;
    if (job === undefined) throw new Error(`${id} was added`);
    const { terms, past, attempts, receipts, concurrency } = job;
    const parts: object[] = [job, terms, terms.asked, past, ...attempts, ...receipts, job.backoff];
    parts.push(concurrency);
    parts.push(...job.earlierRuns, ...job.logLines);
    const untold: string[] = [];
    for (const part of parts) {
      for (const [name, value] of Object.entries(part)) {
        if (parts.includes(value)) continue;
        const before = hash(world.ledger);
        Object.assign(part, { [name]: another(value) });
        if (hash(world.ledger) === before) untold.push(`${name} of part ${parts.indexOf(part)}`);
        Object.assign(part, { [name]: value });
        expect(hash(world.ledger)).toBe(before);
      }
    }
    expect(parts).toHaveLength(11);
    expect(untold).toEqual([]);
  });

  test("tells where one text ends and the next begins", () => {
    const hashes = [["ab", "c"], ["a", "bc"], ["abc"]].map((lockKeys) => {
      const world = new World();
      world.add({ lockKeys });
      return hash(world.ledger);
    });
    expect(new Set(hashes).size).toBe(3);
  });

  test("tells the clock, a lease and the index", () => {
    const steps: ((world: World) => void)[] = [
      (world) => world.tick(),
      (world) => world.at(1).tick(),
      (world) => world.at(1).openTerm(),
      (world) => {
        world.tick();
        world.tick();
      },
    ];
    const hashes = steps.map((step) => {
      const world = new World();
      world.begin(world.add());
      step(world);
      return hash(world.ledger);
    });
    expect(new Set(hashes).size).toBe(steps.length);
  });
});

/** A value of the same type that is not the same. */
function another(value: unknown): unknown {
  if (typeof value === "number") return value + 1;
  if (typeof value === "string") return `${value}x`;
  if (Array.isArray(value)) return value.length === 0 ? [1] : value.slice(1);
  if (value instanceof Uint8Array) return value.map((byte) => byte + 1);
  // Errors, backoffs and answers may be absent; what is null here is a result or an error.
  return value === null ? { code: "c", message: "m", retryable: true, length: 0 } : null;
}
