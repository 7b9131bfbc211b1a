// Rules of ledger/queue.ts, submit.ts and drain-queue.ts: backlogs, drains, and what is shown.

import { describe, expect, test } from "@jest/globals";
import { QueueWorld } from "./queue-world.ts";
import { START_MS } from "./world.ts";

describe("a backlog limit", () => {
  test("refuses what comes beyond it, and loses nothing: a repeat still has its answer", () => {
    const world = new QueueWorld();
    world.set({ waitingMax: 2 });
    const first = world.add({ idempotencyKey: "k" });
    world.add({ runAtMs: START_MS + 60_000 });
    const refused = { kind: "submit-refused", reason: "backlog-full", value: "default" };
    expect(world.submit({ idempotencyKey: "l" })).toMatchObject(refused);
    expect(world.submit({ idempotencyKey: "k" })).toMatchObject({
      jobs: [{ jobId: first, deduplicated: true }],
    });
    world.begin(first);
    expect(world.submit({ idempotencyKey: "l" })).toMatchObject({ kind: "submitted" });
  });

  test("takes all jobs of a batch or none", () => {
    const world = new QueueWorld();
    world.set({ waitingMax: 2 });
    expect(world.submit({}, {}, {})).toMatchObject({ reason: "backlog-full", position: 2 });
    expect(world.view().byState.queued).toBe(0);
    expect(world.submit({}, {})).toMatchObject({ kind: "submitted" });
  });
});

describe("a drain", () => {
  test("cancels who waits, oldest first, in pieces, and nobody who came later", () => {
    const world = new QueueWorld();
    const running = world.add();
    world.begin(running);
    const ids = world.addMany(3);
    const piece = world.drain({ jobsMax: 2 });
    expect(piece).toMatchObject({ kind: "queue-drained", cancelled: 2, hasMore: true });
    expect(world.changes).toEqual(ids.slice(0, 2).map((id) => `${id} cancelled`));
    const late = world.add();
    const untilArrival = piece.kind === "queue-drained" ? piece.untilArrival : 0;
    expect(world.drain({ untilArrival })).toMatchObject({ cancelled: 1, hasMore: false });
    expect(world.job(late).state).toBe("queued");
    expect(world.job(running).state).toBe("running");
  });

  test("takes scheduled jobs only when it is told to", () => {
    const world = new QueueWorld();
    const later = world.add({ runAtMs: START_MS + 60_000 });
    expect(world.drain()).toMatchObject({ cancelled: 0 });
    expect(world.drain({ withScheduled: true })).toMatchObject({ cancelled: 1 });
    expect(world.job(later).state).toBe("cancelled");
  });

  test("lets nobody in who is about to go, and leaves no place behind", () => {
    const world = new QueueWorld();
    world.set({ runningMax: 1 });
    const ids = world.addMany(4);
    world.drain({ jobsMax: 3 });
    expect(world.changes).toEqual([
      ...ids.slice(0, 3).map((id) => `${id} cancelled`),
      `${ids[3]} unparked`,
    ]);
    world.drain();
    expect(world.view()).toMatchObject({ heldBack: 0, byState: { queued: 0, cancelled: 4 } });
  });

  test("counts who goes with a parent as its work, so that many families go in pieces", () => {
    const world = new QueueWorld(["default", "other"]);
    const child = { parent: 1, kind: "in-other" };
    const tops = Array.from({ length: 3 }, () => {
      const result = world.submit({}, child, child);
      return result.kind === "submitted" ? (result.jobs[0]?.jobId ?? "") : "";
    });
    const piece = world.drain({ withScheduled: true, jobsMax: 4 });
    expect(piece).toMatchObject({ cancelled: 2, hasMore: true });
    expect(world.changes).toHaveLength(6);
    const untilArrival = piece.kind === "queue-drained" ? piece.untilArrival : 0;
    const rest = world.drain({ withScheduled: true, jobsMax: 4, untilArrival });
    expect(rest).toMatchObject({ cancelled: 1, hasMore: false });
    expect(tops.map((id) => world.job(id).state)).toEqual(Array(3).fill("cancelled"));
  });

  test("gets on, however few are asked for", () => {
    const world = new QueueWorld();
    world.addMany(2);
    expect(world.drain({ jobsMax: 0 })).toMatchObject({ cancelled: 1, hasMore: true });
  });

  test("of a queue that is not known is told", () => {
    const world = new QueueWorld();
    const drain = { withScheduled: false, jobsMax: 1, untilArrival: 0, reason: "" };
    expect(world.commit({ kind: "drain-queue", queue: "no", ...drain })).toEqual({
      kind: "queue-not-found",
      queue: "no",
    });
  });
});

test("what is shown of a queue counts all states, and since when the oldest waits", () => {
  const world = new QueueWorld();
  const done = world.add();
  world.succeed(done, world.begin(done));
  const [first = ""] = world.addMany(2);
  world.at(500).fail(first, world.begin(first), "handed-back");
  world.add({ runAtMs: START_MS + 60_000 });
  expect(world.view()).toMatchObject({
    byState: { scheduled: 1, queued: 2, running: 0, succeeded: 1, failed: 0, cancelled: 0 },
    oldestSinceMs: START_MS,
    heldBack: 0,
  });
});
