// Rules of ledger/retry.ts: a new run of what has failed or was cancelled.

import { describe, expect, test } from "@jest/globals";
import type { RetryFilter } from "../../../ledger/command.ts";
import { RUNS_MAX } from "../../../ledger/history-limit.ts";
import { counts } from "../../../ledger/ledger.ts";
import { LOOKS_MAX } from "../../../ledger/retry.ts";
import { restored } from "./restored.ts";
import { kindOf, LEASE_MS, START_MS, World } from "./world.ts";

/** A job that has failed for good. */
function failed(world: World, spec = {}): string {
  const id = world.add(spec);
  world.fail(id, world.begin(id), "failed", false);
  return id;
}

const all: RetryFilter = {
  ...{ state: "failed", kind: "", queue: "", errorCode: "" },
  ...{ createdFromMs: 0, createdBeforeMs: 0 },
};

describe("a retry", () => {
  test("is a new run: attempts are counted anew, and the old ones stay on record", () => {
    const world = new World([kindOf({ maxAttempts: 1 })]);
    const id = world.add({ totalTimeoutMs: 1_000 });
    world.fail(id, world.begin(id));
    expect(world.at(500).retry(id)).toMatchObject({ kind: "retried", job: { id, run: 2 } });
    expect(world.changes).toEqual([`${id} queued`]);
    expect(world.job(id)).toMatchObject({
      ...{ state: "queued", error: null, endMs: 0, attemptsUsed: 0 },
      ...{ dispatch: 2, deadlineMs: START_MS + 1_500 },
      earlierRuns: [{ state: "failed", error: { code: "Boom" }, endMs: START_MS }],
    });
    world.succeed(id, world.begin(id));
    expect(world.job(id)).toMatchObject({ state: "succeeded", run: 2 });
    expect(world.job(id).attempts).toMatchObject([
      { number: 1, run: 1, outcome: "failed" },
      { number: 2, run: 2, outcome: "succeeded" },
    ]);
    expect(counts(world.ledger)).toMatchObject({ retried: 1, recorded: 2, succeeded: 1 });
  });

  test("fails again when its own attempts are used up, not before", () => {
    const world = new World([kindOf({ maxAttempts: 2 })]);
    const id = failed(world);
    world.retry(id);
    world.fail(id, world.begin(id));
    expect(world.job(id).state).toBe("scheduled");
    world.at(60_000).tick();
    world.fail(id, world.begin(id));
    expect(world.job(id)).toMatchObject({ state: "failed", attemptsUsed: 2, run: 2 });
  });

  test("is refused for what has a result, or has not ended", () => {
    const world = new World();
    const [done, waiting] = [world.add(), world.add()];
    world.succeed(done, world.begin(done));
    expect(world.retry(done)).toEqual({ kind: "retry-refused", state: "succeeded" });
    expect(world.retry(waiting)).toEqual({ kind: "retry-refused", state: "queued" });
    expect(world.retry("j-900")).toEqual({ kind: "job-not-found", jobId: "j-900" });
  });

  test("is refused when the job's history is full, alone and in bulk", () => {
    const world = new World();
    const [id, other] = [failed(world), failed(world)];
    for (let run = 2; run <= RUNS_MAX; run += 1) {
      expect(world.retry(id)).toMatchObject({ kind: "retried", job: { run } });
      world.fail(id, world.begin(id), "failed", false);
    }
    expect(world.retry(id)).toEqual({ kind: "retry-refused", state: "failed" });
    expect(world.job(id)).toMatchObject({ run: RUNS_MAX, state: "failed" });
    const bulk = { filter: all, requestId: "b", fromNumber: 0, retriesMax: 10 };
    expect(world.commit({ kind: "retry-jobs", ...bulk })).toMatchObject({ retriedCount: 1 });
    expect([world.job(id).state, world.job(other).state]).toEqual(["failed", "queued"]);
    const later = world.withLedger(restored(world.ledger));
    expect(later.retry(id)).toEqual({ kind: "retry-refused", state: "failed" });
  });

  test("asked again under its name is done once, also after the run has ended", () => {
    const world = new World();
    const id = failed(world);
    world.retry(id, "once");
    expect(world.retry(id, "once")).toMatchObject({ kind: "retried", job: { run: 2 } });
    world.fail(id, world.begin(id), "failed", false);
    expect(world.retry(id, "once")).toMatchObject({ kind: "retried", job: { state: "failed" } });
    world.retry(id, "twice");
    world.fail(id, world.begin(id), "failed", false);
    const later = world.withLedger(restored(world.ledger));
    for (const name of ["once", "twice"]) {
      expect(later.retry(id, name)).toMatchObject({ job: { state: "failed", run: 3 } });
    }
    expect(later.retry(id, "thrice")).toMatchObject({ job: { state: "queued", run: 4 } });
  });

  test("does not let a report of an earlier run in", () => {
    const world = new World();
    const id = world.add();
    const old = world.begin(id);
    world.cancel(id);
    world.retry(id);
    expect(world.succeed(id, old)).toMatchObject({ kind: "fenced", state: "queued" });
    const token = world.begin(id);
    expect(world.succeed(id, old)).toMatchObject({ kind: "fenced", currentToken: token });
    expect(world.job(id)).toMatchObject({ state: "running", refusedCount: 2 });
  });

  test("of a cancelled job waits for the keys that its old handler still holds", () => {
    const world = new World();
    const id = world.add({ lockKeys: ["a"] });
    const old = world.begin(id);
    world.cancel(id);
    world.retry(id);
    expect(world.start(id)).toMatchObject({ kind: "start-refused", reason: "locked" });
    const copy = world.withLedger(restored(world.ledger));
    for (const one of [world, copy]) {
      one.fail(id, old, "handed-back");
      expect(one.changes).toEqual([`${id} unparked`]);
      expect(one.start(id)).toMatchObject({ kind: "started", number: 2 });
    }
  });

  test("gets those keys when the old handler's lease is over", () => {
    const world = new World();
    const id = world.add({ lockKeys: ["a"] });
    world.begin(id);
    world.cancel(id);
    world.retry(id);
    world.start(id);
    world.at(LEASE_MS).tick();
    expect(world.changes).toEqual([`${id} unparked`]);
  });

  test("keeps the keys of the attempt that was cut short last from a report of one before", () => {
    const world = new World();
    const id = world.add({ lockKeys: ["a"] });
    const first = world.begin(id);
    world.cancel(id);
    world.fail(id, first, "handed-back");
    world.retry(id);
    world.begin(id);
    world.cancel(id);
    world.fail(id, first, "handed-back");
    expect(world.ledger.holders.get("a")?.id).toBe(id);
  });

  test("keeps the idempotency key with the job", () => {
    const world = new World();
    const id = failed(world, { idempotencyKey: "k" });
    world.retry(id);
    expect(world.submit({ idempotencyKey: "k" })).toMatchObject({
      jobs: [{ jobId: id, deduplicated: true }],
    });
  });
});

/** A parent of two children: one has succeeded, the other has failed. */
function brokenFamily(onChildFailure: "fail-parent" | "run-parent") {
  const world = new World();
  const result = world.submit({ onChildFailure }, { parent: 1 }, { parent: 1 });
  if (result.kind !== "submitted") throw new Error(`refused: ${JSON.stringify(result)}`);
  const [parent = "", good = "", bad = ""] = result.jobs.map(({ jobId }) => jobId);
  world.succeed(good, world.begin(good));
  world.fail(bad, world.begin(bad), "failed", false);
  return { world, parent, good, bad };
}

describe("in a family", () => {
  test("a parent takes along the child that failed it, waits for it, and runs", () => {
    const { world, parent, good, bad } = brokenFamily("fail-parent");
    expect(world.job(parent)).toMatchObject({ state: "failed", error: { code: "CHILD_FAILED" } });
    world.retry(parent, "r");
    expect(world.changes).toEqual([`${bad} queued`, `${parent} scheduled`]);
    expect(world.job(parent)).toMatchObject({ run: 2, pendingChildCount: 1 });
    expect(world.job(good).run).toBe(1);
    const copy = world.withLedger(restored(world.ledger));
    for (const one of [world, copy]) {
      one.succeed(bad, one.begin(bad));
      expect(one.changes).toEqual([`${bad} succeeded`, `${parent} queued`]);
      expect(one.start(parent)).toMatchObject({ kind: "started", children: [{}, {}] });
    }
  });

  test("a parent that has seen its children fail runs again at once", () => {
    const { world, parent, bad } = brokenFamily("run-parent");
    world.fail(parent, world.begin(parent), "failed", false);
    world.retry(parent);
    expect(world.changes).toEqual([`${parent} queued`]);
    expect(world.job(bad)).toMatchObject({ state: "failed", run: 1 });
  });

  test("a child that is retried alone changes nothing for a parent that has ended", () => {
    const { world, parent, bad } = brokenFamily("fail-parent");
    world.retry(bad);
    expect(world.job(parent)).toMatchObject({ state: "failed", pendingChildCount: 1 });
    world.succeed(bad, world.begin(bad));
    expect(world.changes).toEqual([`${bad} succeeded`]);
    world.retry(parent);
    expect(world.changes).toEqual([`${parent} queued`]);
  });

  test("a family that was cancelled comes back whole", () => {
    const world = new World();
    const result = world.submit({}, { parent: 1 }, { parent: 2 });
    if (result.kind !== "submitted") throw new Error("refused");
    const ids = result.jobs.map(({ jobId }) => jobId);
    world.cancel(ids[0] ?? "");
    expect(ids.map((id) => world.job(id).state)).toEqual(Array(3).fill("cancelled"));
    world.retry(ids[0] ?? "");
    expect(ids.map((id) => world.job(id).state)).toEqual(["scheduled", "scheduled", "queued"]);
    for (const id of ids.toReversed()) world.succeed(id, world.begin(id));
    expect(ids.map((id) => world.job(id).state)).toEqual(Array(3).fill("succeeded"));
  });
});

describe("a bulk retry", () => {
  function bulk(world: World, change: Partial<RetryFilter>, fromNumber = 0, retriesMax = 100) {
    const filter = { ...all, ...change };
    return world.commit({ kind: "retry-jobs", filter, requestId: "b", fromNumber, retriesMax });
  }

  function mixed(): { world: World; ids: Record<"one" | "two" | "late" | "cancelled", string> } {
    const world = new World([kindOf(), kindOf({ kind: "print", queue: "paper" })]);
    const one = failed(world);
    const two = failed(world, { kind: "print" });
    const cancelled = world.add();
    world.cancel(cancelled);
    const late = failed(world.at(1_000));
    world.succeed(world.add(), 1);
    return { world, ids: { one, two, late, cancelled } };
  }

  test("retries what matches, oldest first, and nothing else", () => {
    const { world, ids } = mixed();
    expect(bulk(world, {})).toEqual({ kind: "retried-jobs", retriedCount: 3, nextNumber: 0 });
    expect(world.changes).toEqual([ids.one, ids.two, ids.late].map((id) => `${id} queued`));
  });

  test.each<[Partial<RetryFilter>, readonly ("one" | "two" | "late" | "cancelled")[]]>([
    [{ kind: "print" }, ["two"]],
    [{ queue: "default" }, ["one", "late"]],
    [{ state: "cancelled" }, ["cancelled"]],
    [{ errorCode: "Boom" }, ["one", "two", "late"]],
    [{ errorCode: "Other" }, []],
    [{ createdFromMs: START_MS + 1_000 }, ["late"]],
    [{ createdBeforeMs: START_MS + 1_000 }, ["one", "two"]],
  ])("with %j", (filter, names) => {
    const { world, ids } = mixed();
    bulk(world, filter);
    expect(world.changes).toEqual(names.map((name) => `${ids[name]} queued`));
  });

  test("goes on where a piece ended, and a copy of a piece is told the same", () => {
    const { world, ids } = mixed();
    const first = bulk(world, {}, 0, 2);
    expect(first).toEqual({ kind: "retried-jobs", retriedCount: 2, nextNumber: 2 });
    expect(bulk(world, {}, 0, 2)).toEqual(first);
    expect(world.changes).toEqual([]);
    expect(bulk(world, {}, 2, 2)).toMatchObject({ retriedCount: 1, nextNumber: 0 });
    expect(world.changes).toEqual([`${ids.late} queued`]);
  });

  test("counts whoever a parent takes along once, also for a copy of the piece", () => {
    const { world } = brokenFamily("fail-parent");
    const first = bulk(world, {});
    expect(first).toEqual({ kind: "retried-jobs", retriedCount: 2, nextNumber: 0 });
    expect(world.changes).toHaveLength(2);
    expect(bulk(world, {})).toEqual(first);
  });

  test("counts them in the piece in which they come", () => {
    const { world } = brokenFamily("fail-parent");
    expect(bulk(world, {}, 0, 1)).toEqual({ kind: "retried-jobs", retriedCount: 1, nextNumber: 1 });
    expect(bulk(world, {}, 1)).toEqual({ kind: "retried-jobs", retriedCount: 1, nextNumber: 0 });
    expect(counts(world.ledger).retried).toBe(2);
  });

  test("without a name counts them where they are begun", () => {
    const { world } = brokenFamily("fail-parent");
    const asked = { filter: all, requestId: "", fromNumber: 0, retriesMax: 100 };
    expect(world.commit({ kind: "retry-jobs", ...asked })).toMatchObject({ retriedCount: 2 });
  });

  test("of a flow lets no parent run before the children that are retried with it", () => {
    const world = new World();
    const result = world.submit({ onChildFailure: "run-parent" }, { parent: 1 }, { parent: 1 });
    if (result.kind !== "submitted") throw new Error("refused");
    const ids = result.jobs.map(({ jobId }) => jobId);
    world.cancel(ids[0] ?? "");
    expect(bulk(world, { state: "cancelled" })).toMatchObject({ retriedCount: 3, nextNumber: 0 });
    expect(ids.map((id) => world.job(id).state)).toEqual(["scheduled", "queued", "queued"]);
    for (const id of ids.slice(1)) world.succeed(id, world.begin(id));
    expect(world.job(ids[0] ?? "").state).toBe("queued");
  });

  test("gets on, however few are asked for", () => {
    const { world } = mixed();
    expect(bulk(world, {}, 0, 0)).toMatchObject({ retriedCount: 1, nextNumber: 1 });
  });

  test("looks at a bounded number of jobs a command", () => {
    const world = new World();
    const specs = Array.from({ length: LOOKS_MAX }, () => ({}));
    world.submit(...specs);
    const last = failed(world);
    expect(bulk(world, {})).toMatchObject({ retriedCount: 0, nextNumber: LOOKS_MAX });
    expect(bulk(world, {}, LOOKS_MAX)).toMatchObject({ retriedCount: 1, nextNumber: 0 });
    expect(world.job(last).run).toBe(2);
  });
});
