// ledger/retention.ts: which finished jobs are forgotten, and what stays of them.

import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { JobSpec } from "../../../ledger/command.ts";
import { isTerminal } from "../../../ledger/job.ts";
import {
  apply,
  counts,
  createLedger,
  getJob,
  hash,
  hasToForget,
  type Ledger,
  listJobs,
} from "../../../ledger/ledger.ts";
import type { JobRecord } from "../../../ledger/record.ts";
import type { ForgetJobs } from "../../../ledger/retention.ts";
import { assertRuns } from "../../support/bounded-shrink.ts";
import { imageOf } from "./image.ts";
import { restored } from "./restored.ts";
import { Run } from "./run.ts";
import { intent } from "./workload.ts";
import { bytes, kindOf, LEASE_MS, START_MS, World } from "./world.ts";

const FOREVER_MS = 10 ** 12;
const ALL: ForgetJobs = {
  kind: "forget-jobs",
  endedBeforeMs: START_MS + FOREVER_MS,
  keptMax: 0,
  spareBeforeMs: START_MS + FOREVER_MS,
  keyMs: 0,
  limit: 1_000,
};
/** None for its age. */
const BEYOND: ForgetJobs = { ...ALL, endedBeforeMs: 0 };

function done(world: World, spec: Partial<JobSpec> = {}): string {
  const id = world.add(spec);
  world.succeed(id, world.begin(id));
  return id;
}

function left(world: World): string[] {
  return [...world.ledger.jobs].map(({ id }) => id);
}

describe("a job is forgotten", () => {
  test("when it ended before a time, and no earlier", () => {
    const world = new World();
    const [first, second] = [done(world.at(1_000)), done(world.at(2_000))];
    world.commit({ ...BEYOND, keptMax: 9, endedBeforeMs: START_MS + 1_000 });
    expect(left(world)).toEqual([first, second]);
    world.commit({ ...BEYOND, keptMax: 9, endedBeforeMs: START_MS + 1_001 });
    expect(left(world)).toEqual([second]);
    expect(getJob(world.ledger, first)).toBeUndefined();
    expect(counts(world.ledger)).toMatchObject({ accepted: 2, succeeded: 1, forgotten: 1 });
  });

  test("beyond so many those that ended first, whatever order they came in", () => {
    const world = new World();
    const ids = [1, 2, 3, 4].map(() => world.add());
    for (const [at, id] of ids.toReversed().entries()) {
      world.at(1_000 * at).succeed(id, world.begin(id));
    }
    world.commit({ ...BEYOND, keptMax: 2 });
    expect(left(world)).toEqual(ids.slice(0, 2));
  });

  test("but not for their number those that have just ended", () => {
    const world = new World();
    const [, young] = [done(world.at(0)), done(world.at(5_000))];
    world.commit({ ...BEYOND, spareBeforeMs: START_MS + 5_000 });
    expect(left(world)).toEqual([young]);
  });

  test("so many in a command, and the rest in the next", () => {
    const world = new World();
    const ids = [1, 2, 3].map(() => done(world));
    world.commit({ ...ALL, limit: 2 });
    expect(left(world)).toEqual(ids.slice(2));
    expect(hasToForget(world.ledger, ALL)).toBe(true);
    world.commit({ ...ALL, limit: 2 });
    expect(left(world)).toEqual([]);
    expect(hasToForget(world.ledger, ALL)).toBe(false);
  });

  test("never while it waits, runs or may still run", () => {
    const world = new World();
    const [waiting, running, scheduled] = [world.add(), world.add(), world.add({ runAtMs: 9e15 })];
    world.begin(running);
    const stopping = world.add({ lockKeys: ["a"] });
    const token = world.begin(stopping);
    world.cancel(stopping);
    world.commit(ALL);
    expect(left(world)).toEqual([waiting, running, scheduled, stopping]);
    world.at(LEASE_MS - 1).fail(stopping, token, "handed-back");
    world.commit(ALL);
    expect(left(world)).toEqual([waiting, running, scheduled]);
  });

  test("and is not found by anything that names it", () => {
    const world = new World();
    const id = world.add();
    const token = world.begin(id);
    world.succeed(id, token);
    world.commit(ALL);
    const missing = { kind: "job-not-found", jobId: id };
    expect(world.start(id)).toEqual(missing);
    expect(world.succeed(id, token)).toEqual(missing);
    expect(world.cancel(id)).toEqual(missing);
    expect(world.renew({ jobId: id, token })).toMatchObject({ stale: [{ jobId: id }] });
  });

  test("without a gap in what is listed", () => {
    const world = new World();
    const ids = [1, 2, 3, 4, 5].map(() => world.add());
    for (const id of [ids[1], ids[3]]) world.succeed(id ?? "", world.begin(id ?? ""));
    world.commit(ALL);
    const page = (beforeJobId = "") => {
      const { jobs, hasMore } = listJobs(world.ledger, { limit: 2, beforeJobId });
      return { at: jobs.map(({ id }) => ids.indexOf(id)), hasMore };
    };
    expect(page()).toEqual({ at: [4, 2], hasMore: true });
    // The page before ended with a job that is not there any more.
    expect(page(ids[3])).toEqual({ at: [2, 0], hasMore: false });
    expect(page(ids[1])).toEqual({ at: [0], hasMore: false });
  });
});

describe("an idempotency key", () => {
  const spec: Partial<JobSpec> = {
    idempotencyKey: "k",
    payload: bytes({ amount: 7 }),
    lockKeys: ["b", "a"],
    backoff: { initialMs: 5, multiplier: 2, maxMs: 50, jitter: 0.5 },
    traceparent: "00-first",
  };

  function forgotten(keyMs = 5_000): { world: World; id: string } {
    const world = new World([kindOf(), kindOf({ queue: "other" }), kindOf()]);
    const id = done(world.at(1_000), spec);
    world.commit({ ...ALL, keyMs });
    expect(left(world)).toEqual([]);
    return { world, id };
  }

  test("outlives its job: the same submission gets the first job's id", () => {
    const { world, id } = forgotten();
    for (const one of [world, world.withLedger(restored(world.ledger))]) {
      const again = one.submit({ ...spec, traceparent: "00-second" });
      expect(again).toEqual({
        kind: "submitted",
        jobs: [{ jobId: id, logIndex: 2 + 1, deduplicated: true, traceparent: "00-first" }].map(
          (job) => ({ ...job, logIndex: Number(id.slice(2)) }),
        ),
      });
      // The queue that an empty one stands for.
      expect(one.submit({ ...spec, queue: "default" })).toMatchObject({ jobs: [{ jobId: id }] });
    }
  });

  test.each<[string, Partial<JobSpec>]>([
    ["payload", { payload: bytes({ amount: 8 }) }],
    ["queue", { queue: "other" }],
    ["run time", { runAtMs: 5 }],
    ["priority", { priority: 1 }],
    ["lock keys", { lockKeys: ["a", "b"] }],
    ["backoff", { backoff: null }],
    ["attempts", { maxAttempts: 3 }],
  ])("outlives its job: another %s is refused", (_what, other) => {
    const { world, id } = forgotten();
    expect(world.submit({ ...spec, ...other })).toMatchObject({
      reason: "idempotency-key-reused",
      jobId: id,
    });
  });

  test("is free when its time is over, counted from the job's end", () => {
    const { world, id } = forgotten();
    world.at(5_999).commit(ALL);
    expect(world.submit(spec)).toMatchObject({ jobs: [{ jobId: id }] });
    expect(hasToForget(world.ledger, ALL)).toBe(false);
    world.at(6_000).tick();
    expect(hasToForget(world.ledger, ALL)).toBe(true);
    world.commit(ALL);
    expect(world.submit(spec)).toMatchObject({ jobs: [{ deduplicated: false }] });
  });

  test("that is kept for long holds up no other, also after a restore", () => {
    const world = new World();
    done(world, { idempotencyKey: "long" });
    world.commit({ ...ALL, keyMs: FOREVER_MS });
    for (const key of ["c", "a", "b"]) {
      done(world, { idempotencyKey: key });
      world.commit({ ...ALL, keyMs: 1_000 });
    }
    world.at(1_000);
    for (const one of [world, world.withLedger(restored(world.ledger))]) {
      one.commit({ ...ALL, keyMs: 1_000, limit: 2 });
      // Of those whose time is over at once, the first job's goes first.
      expect([...one.ledger.keys.forgotten()].map(({ key }) => key)).toEqual(["long", "b"]);
      one.commit({ ...ALL, keyMs: 1_000, limit: 2 });
      expect([...one.ledger.keys.forgotten()].map(({ key }) => key)).toEqual(["long"]);
      expect(hasToForget(one.ledger, ALL)).toBe(false);
    }
  });

  test("goes with its job when its time is over by then", () => {
    const { world } = forgotten(0);
    expect(world.submit(spec)).toMatchObject({ jobs: [{ deduplicated: false }] });
  });
});

describe("a family", () => {
  const family: Partial<JobSpec>[] = [
    { idempotencyKey: "k" },
    { parent: 1, payload: bytes(1) },
    { parent: 1, onChildFailure: "run-parent" },
    { parent: 3, queue: "other" },
  ];

  function forgotten(): { world: World; ids: string[] } {
    const world = new World([kindOf(), kindOf({ queue: "other" }), kindOf()]);
    const result = world.submit(...family);
    const ids = result.kind === "submitted" ? result.jobs.map(({ jobId }) => jobId) : [];
    for (const id of ids.toReversed()) world.succeed(id, world.begin(id));
    return { world, ids };
  }

  test("goes from the top: children stay as long as their parent", () => {
    const { world, ids } = forgotten();
    for (let left = ids.length - 1; left >= 0; left--) {
      world.commit({ ...ALL, limit: 1 });
      expect(world.ledger.jobs.length).toBe(left);
      expect(world.ledger.jobs.has(ids[0] ?? "")).toBe(false);
    }
  });

  test("is work as large as it is, so that a command costs the same", () => {
    const { world } = forgotten();
    const alone = done(world);
    // The top is looked at with the three below it.
    world.commit({ ...ALL, keyMs: FOREVER_MS, limit: 4 });
    expect(world.ledger.jobs.length).toBe(4);
    world.commit({ ...ALL, keyMs: FOREVER_MS, limit: 4 });
    // One of them has a child of its own.
    expect(left(world)).toEqual([alone]);
  });

  test("that is submitted again gets the ids of all, also when they are forgotten", () => {
    const { world, ids } = forgotten();
    for (let left = ids.length; left >= 0; left--) {
      for (const one of [world, world.withLedger(restored(world.ledger))]) {
        const again = one.submit(...family);
        expect(again).toMatchObject({ jobs: ids.map((jobId) => ({ jobId, deduplicated: true })) });
      }
      world.commit({ ...ALL, keyMs: FOREVER_MS, limit: 1 });
    }
    expect(left(world)).toEqual([]);
  });

  test("is another one with another member, below a forgotten job, too", () => {
    const { world, ids } = forgotten();
    world.commit({ ...ALL, keyMs: FOREVER_MS });
    const others: Partial<JobSpec>[][] = [
      family.slice(0, 3),
      [...family, { parent: 1 }],
      family.map((one, at) => (at === 1 ? { ...one, payload: bytes(2) } : one)),
      family.map((one, at) => (at === 3 ? { ...one, parent: 2 } : one)),
      family.map((one, at) => (at === 3 ? { ...one, queue: "default" } : one)),
    ];
    for (const other of others) {
      const refused = { reason: "idempotency-key-reused", jobId: ids[0] };
      expect(world.submit(...other)).toMatchObject(refused);
    }
  });
});

test("what is forgotten is what a look at every job would find", () => {
  const intents = fc.array(intent, { minLength: 40, maxLength: 120, size: "max" });
  const reached = { forgotten: 0, spared: 0, keys: 0 };
  assertRuns(
    fc.property(intents, (work) => {
      const { log } = new Run(work);
      const ledger = createLedger({ receiptsMax: 3 });
      log.forEach((command, position) => {
        const isForget = command.body.kind === "forget-jobs";
        const before = isForget ? idsOf(ledger) : [];
        const nowMs = Math.max(ledger.clockMs, command.timeMs);
        const wanted = isForget ? slowly(ledger, command.body as ForgetJobs, nowMs) : [];
        apply(ledger, position + 1, command);
        if (!isForget) return;
        const gone = new Set(before).difference(new Set(idsOf(ledger)));
        expect([...gone].sort()).toEqual(wanted.toSorted());
        reached.forgotten += gone.size;
        reached.spared += ledger.jobs.length;
        reached.keys += ledger.keys.forgottenCount;
      });
      const copy = restored(ledger);
      expect(imageOf(copy)).toEqual(imageOf(ledger));
      expect(hash(copy)).toBe(hash(ledger));
    }),
    { numRuns: 100 },
  );
  expect(Object.entries(reached).filter(([, count]) => count < 5)).toEqual([]);
});

function idsOf(ledger: Ledger): string[] {
  return [...ledger.jobs].map(({ id }) => id);
}

/** The rule once more, by looking at every job for each that goes. A family goes from the top. */
function slowly(ledger: Ledger, rule: ForgetJobs, nowMs: number): string[] {
  const { endedBeforeMs, keptMax, spareBeforeMs, limit, keyMs } = rule;
  let jobs = [...ledger.jobs];
  const gone: string[] = [];
  for (let work = 0; work < limit; ) {
    const ids = jobs.map(({ id }) => id);
    const mayGo = jobs
      .filter((job) => isTerminal(job.state) && job.keysUntilMs === 0)
      .filter((job) => !ids.includes(job.parentJobId))
      .sort((one, other) => one.endMs - other.endMs || one.number - other.number);
    const [first] = mayGo;
    if (first === undefined) break;
    const isTooMany = mayGo.length > keptMax && first.endMs < spareBeforeMs;
    if (!(first.endMs < endedBeforeMs || isTooMany)) break;
    gone.push(first.id);
    // Its children are looked at, and all below it if its key stays for them.
    const hasKey = first.idempotencyKey !== "" && first.endMs + keyMs > nowMs;
    work += hasKey ? sizeOf(first, jobs) : 1 + first.childJobIds.length;
    jobs = jobs.filter((job) => job !== first);
  }
  return gone;
}

/** Of the family from this job down. */
function sizeOf({ id }: JobRecord, jobs: readonly JobRecord[]): number {
  const children = jobs.filter(({ parentJobId }) => parentJobId === id);
  return children.reduce((sum, child) => sum + sizeOf(child, jobs), 1);
}
