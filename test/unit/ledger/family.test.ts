// Parents and children: who waits for whom, and what one's end means for the others.

import { describe, expect, test } from "@jest/globals";
import type { JobSpec } from "../../../ledger/command.ts";
import { nextDueMs } from "../../../ledger/ledger.ts";
import { restored } from "./restored.ts";
import { kindOf, START_MS, World } from "./world.ts";

/** One parent and its children, as a command; the ids follow. */
function family(
  world: World,
  parent: Partial<JobSpec> = {},
  children: readonly Partial<JobSpec>[] = [{}, {}],
): { readonly id: string; readonly childIds: readonly string[] } {
  const result = world.submit(parent, ...children.map((child) => ({ parent: 1, ...child })));
  if (result.kind !== "submitted") throw new Error(`refused: ${JSON.stringify(result)}`);
  const [id = "", ...childIds] = result.jobs.map(({ jobId }) => jobId);
  return { id, childIds };
}

function succeed(world: World, id: string): void {
  world.succeed(id, world.begin(id), id);
}

function fail(world: World, id: string): void {
  world.fail(id, world.begin(id), "failed", false);
}

describe("a parent", () => {
  test("is SCHEDULED without a run time until all its children have succeeded", () => {
    const world = new World();
    const { id, childIds } = family(world);
    expect(world.job(id)).toMatchObject({ state: "scheduled", runAtMs: 0, pendingChildCount: 2 });
    expect(world.job(id).childJobIds).toEqual(childIds);
    expect(nextDueMs(world.ledger)).toBeNull();
    expect(world.start(id)).toMatchObject({ kind: "start-refused", reason: "not-due" });
    const [first = "", second = ""] = childIds;
    succeed(world, first);
    expect(world.job(id)).toMatchObject({ state: "scheduled", pendingChildCount: 1 });
    world.at(700);
    succeed(world, second);
    expect(world.changes).toEqual([`${second} succeeded`, `${id} queued`]);
    expect(world.job(id)).toMatchObject({ state: "queued", runAtMs: START_MS + 700 });
  });

  test("gets its children with its start, in the order they were given", () => {
    const world = new World();
    const { id, childIds } = family(world);
    for (const childId of childIds.toReversed()) succeed(world, childId);
    const started = world.start(id);
    if (started.kind !== "started") throw new Error(started.kind);
    const ends = started.children.map((child) => [child.id, child.state]);
    expect(ends).toEqual(childIds.map((childId) => [childId, "succeeded"]));
  });

  test("waits for its own run time, too, whichever comes later", () => {
    const world = new World();
    const { id, childIds } = family(world, { runAtMs: START_MS + 5_000 }, [{}]);
    world.at(6_000).tick();
    expect(world.job(id).state).toBe("scheduled");
    succeed(world, childIds[0] ?? "");
    expect(world.job(id).state).toBe("queued");
    const early = family(world, { runAtMs: START_MS + 9_000 }, [{}]);
    succeed(world, early.childIds[0] ?? "");
    expect([world.job(early.id).state, nextDueMs(world.ledger)]).toEqual([
      "scheduled",
      START_MS + 9_000,
    ]);
    world.at(9_000).tick();
    expect(world.job(early.id).state).toBe("queued");
  });

  test("fails at once when a child fails, and its other children go on", () => {
    const world = new World();
    const { id, childIds } = family(world);
    const [first = "", second = ""] = childIds;
    fail(world, first);
    expect(world.changes).toEqual([`${first} failed`, `${id} failed`]);
    expect(world.job(id)).toMatchObject({
      state: "failed",
      attempts: [],
      error: {
        code: "CHILD_FAILED",
        message: `its child ${first} (mail) failed with Boom`,
        retryable: false,
      },
    });
    succeed(world, second);
    expect(world.changes).toEqual([`${second} succeeded`]);
    expect(world.job(id)).toMatchObject({ state: "failed", pendingChildCount: 0 });
  });

  test("fails when a child is cancelled", () => {
    const world = new World();
    const { id, childIds } = family(world);
    world.cancel(childIds[1] ?? "", "not wanted");
    expect(world.job(id).error?.message).toBe(
      `its child ${childIds[1]} (mail) was cancelled with CANCELLED`,
    );
  });

  test("that says so runs when all have ended, however they did, and sees it", () => {
    const world = new World();
    const { id, childIds } = family(world, { onChildFailure: "run-parent" }, [{}, {}, {}]);
    const [first = "", second = "", third = ""] = childIds;
    fail(world, second);
    world.cancel(third);
    expect(world.job(id).state).toBe("scheduled");
    succeed(world, first);
    const started = world.start(id);
    if (started.kind !== "started") throw new Error(started.kind);
    expect(started.children.map(({ state }) => state)).toEqual([
      "succeeded",
      "failed",
      "cancelled",
    ]);
  });

  test("that is cancelled takes with it all below that has not ended, running or not", () => {
    const world = new World();
    const result = world.submit({}, { parent: 1 }, { parent: 2 }, { parent: 2 }, { parent: 1 });
    if (result.kind !== "submitted") throw new Error(result.kind);
    const [top = "", middle = "", running = "", done = "", other = ""] = result.jobs.map(
      ({ jobId }) => jobId,
    );
    succeed(world, done);
    const token = world.begin(running);
    world.cancel(top, "enough");
    expect(world.changes).toEqual(
      [top, middle, other, running].map((jobId) => `${jobId} cancelled`),
    );
    expect(world.job(done).state).toBe("succeeded");
    expect(world.job(running).error).toEqual({
      code: "CANCELLED",
      message: `its parent ${middle} was cancelled`,
      retryable: false,
    });
    expect(world.succeed(running, token)).toMatchObject({ kind: "fenced", state: "cancelled" });
  });

  test("that is cancelled reaches those whose own parent has failed and left them at work", () => {
    const world = new World();
    const policy = { onChildFailure: "run-parent" as const };
    const result = world.submit(policy, { parent: 1 }, { parent: 2 }, { parent: 2 });
    if (result.kind !== "submitted") throw new Error(result.kind);
    const [top = "", middle = "", broken = "", other = ""] = result.jobs.map(({ jobId }) => jobId);
    world.add();
    fail(world, broken);
    expect([world.job(middle).state, world.job(top).state]).toEqual(["failed", "queued"]);
    world.cancel(top);
    expect(world.changes).toEqual([`${top} cancelled`, `${other} cancelled`]);
    expect(world.job(other).error?.message).toBe(`its ancestor ${top} was cancelled`);
  });

  test("is told of a grandchild by its child: each level follows its own rule", () => {
    const world = new World();
    const specs = [{ onChildFailure: "run-parent" as const }, { parent: 1 }, { parent: 2 }];
    const result = world.submit(...specs);
    if (result.kind !== "submitted") throw new Error(result.kind);
    const [top = "", middle = "", bottom = ""] = result.jobs.map(({ jobId }) => jobId);
    fail(world, bottom);
    expect(world.changes).toEqual([`${bottom} failed`, `${middle} failed`, `${top} queued`]);
  });

  test("of a child that is tried again waits until its last attempt", () => {
    const world = new World([kindOf({ maxAttempts: 2 })]);
    const { id, childIds } = family(world, {}, [{}]);
    const child = childIds[0] ?? "";
    world.fail(child, world.begin(child));
    expect(world.job(id).state).toBe("scheduled");
    world.at(60_000).tick();
    world.fail(child, world.begin(child));
    expect([world.job(child).state, world.job(id).state]).toEqual(["failed", "failed"]);
  });

  test("whose children end in one tick runs once", () => {
    const world = new World([kindOf({ maxAttempts: 1 })]);
    const { id, childIds } = family(world, { onChildFailure: "run-parent" });
    for (const childId of childIds) world.begin(childId);
    world.at(20_000).tick();
    expect(world.changes).toEqual([...childIds.map((one) => `${one} failed`), `${id} queued`]);
  });

  test("is restored as it waits", () => {
    const world = new World();
    const { id, childIds } = family(world, { onChildFailure: "run-parent" });
    fail(world, childIds[0] ?? "");
    const later = world.withLedger(restored(world.ledger));
    succeed(later, childIds[1] ?? "");
    expect(later.changes).toEqual([`${childIds[1]} succeeded`, `${id} queued`]);
    expect(later.job(id).childJobIds).toEqual(childIds);
  });
});

describe("a retry", () => {
  const retry = (world: World, jobId: string) =>
    world.commit({ kind: "retry-job", jobId, requestId: "" });

  test("of a child leaves the parent that has failed as it is", () => {
    const world = new World();
    const { id, childIds } = family(world, {}, [{}]);
    const [child = ""] = childIds;
    fail(world, child);
    expect(retry(world, child)).toMatchObject({ kind: "retried" });
    succeed(world, child);
    expect(world.changes).toEqual([`${child} succeeded`]);
    expect(world.job(id)).toMatchObject({ state: "failed", error: { code: "CHILD_FAILED" } });
    // The parent's own retry finds the result.
    retry(world, id);
    expect(world.job(id)).toMatchObject({ state: "queued", pendingChildCount: 0 });
  });

  test("of a parent that needs its children retries those without a result, and waits for them", () => {
    const world = new World();
    const { id, childIds } = family(world, {}, [{}, {}, {}]);
    const [done = "", broken = "", stopped = ""] = childIds;
    succeed(world, done);
    fail(world, broken);
    world.cancel(stopped);
    retry(world, id);
    expect(world.changes).toEqual([`${broken} queued`, `${stopped} queued`, `${id} scheduled`]);
    succeed(world, broken);
    succeed(world, stopped);
    const started = world.start(id);
    if (started.kind !== "started") throw new Error(started.kind);
    expect(started.children.map(({ state }) => state)).toEqual(childIds.map(() => "succeeded"));
  });

  test("of a parent that runs with failed children runs it alone", () => {
    const world = new World([kindOf({ maxAttempts: 1 })]);
    const { id, childIds } = family(world, { onChildFailure: "run-parent" }, [{}]);
    fail(world, childIds[0] ?? "");
    fail(world, id);
    retry(world, id);
    expect(world.changes).toEqual([`${id} queued`]);
  });

  test("of a child makes a parent that still waits wait for it again", () => {
    const world = new World();
    const { id, childIds } = family(world, { onChildFailure: "run-parent" });
    const [first = "", second = ""] = childIds;
    fail(world, first);
    retry(world, first);
    succeed(world, second);
    expect(world.job(id)).toMatchObject({ state: "scheduled", pendingChildCount: 1 });
    succeed(world, first);
    expect(world.job(id).state).toBe("queued");
  });
});

test("a parent whose deadline passes while it waits has failed; its children go on", () => {
  const world = new World();
  const { id, childIds } = family(world, { totalTimeoutMs: 5_000 }, [{}]);
  world.at(5_000).tick();
  expect(world.job(id)).toMatchObject({ state: "failed", error: { code: "DEADLINE_PASSED" } });
  succeed(world, childIds[0] ?? "");
  expect(world.changes).toEqual([`${childIds[0]} succeeded`]);
});

describe("a family", () => {
  test("is accepted as a whole or not at all", () => {
    const world = new World();
    expect(world.submit({}, { parent: 1, kind: "nobody" })).toMatchObject({
      kind: "submit-refused",
      position: 1,
    });
    expect(world.ledger.jobs.length).toBe(0);
  });

  test("has one key, the topmost job's: the same family again is the first one", () => {
    const world = new World();
    const specs = [{ idempotencyKey: "k" }, { parent: 1, priority: 3 }, { parent: 2 }] as const;
    const first = world.submit(...specs);
    const again = world.submit(...specs);
    if (first.kind !== "submitted" || again.kind !== "submitted") throw new Error("refused");
    expect(again.jobs).toEqual(first.jobs.map((job) => ({ ...job, deduplicated: true })));
    expect(world.ledger.counters).toMatchObject({ accepted: 3, deduplicated: 1 });
    // It need not come first in its command.
    const behind = world.submit({}, specs[0], { ...specs[1], parent: 2 }, { parent: 3 });
    expect(behind).toMatchObject({ jobs: [{}, ...first.jobs.map(({ jobId }) => ({ jobId }))] });
  });

  test.each<[string, Partial<JobSpec>[]]>([
    ["without its children", [{ idempotencyKey: "k" }]],
    ["with a child more", [{ idempotencyKey: "k" }, { parent: 1 }, { parent: 1 }]],
    ["with another child", [{ idempotencyKey: "k" }, { parent: 1, priority: 9 }]],
    ["with a grandchild", [{ idempotencyKey: "k" }, { parent: 1 }, { parent: 2 }]],
    ["with another policy", [{ idempotencyKey: "k", onChildFailure: "run-parent" }, { parent: 1 }]],
  ])("submitted again %s is another one under the same key", (_, specs) => {
    const world = new World();
    const { id } = family(world, { idempotencyKey: "k" }, [{}]);
    expect(world.submit(...specs)).toEqual({
      kind: "submit-refused",
      reason: "idempotency-key-reused",
      position: 0,
      value: "k",
      jobId: id,
    });
  });

  test("does not fit in the place of a job without children under the same key", () => {
    const world = new World();
    world.add({ idempotencyKey: "k" });
    expect(world.submit({ idempotencyKey: "k" }, { parent: 1 })).toMatchObject({
      reason: "idempotency-key-reused",
    });
  });

  test("of a thousand costs each end the same", () => {
    const world = new World();
    const children = Array.from({ length: 999 }, () => ({}));
    const { id, childIds } = family(world, {}, children);
    // Looked up once by the child's end; walking the family would ask for each of its members.
    let lookups = 0;
    const { jobs } = world.ledger;
    const get = jobs.get.bind(jobs);
    jobs.get = (key) => {
      lookups += 1;
      return get(key);
    };
    for (const childId of childIds) succeed(world, childId);
    // Start, finish, the parent's look-up, and whether the child may be forgotten.
    expect(lookups).toBe(4 * childIds.length);
    expect(world.job(id).state).toBe("queued");
  });
});
