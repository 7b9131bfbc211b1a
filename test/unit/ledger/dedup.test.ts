// Rules of ledger/dedup.ts: one submission per idempotency key.

import { describe, expect, test } from "@jest/globals";
import type { JobSpec } from "../../../ledger/command.ts";
import { counts } from "../../../ledger/ledger.ts";
import { bytes, kindOf, START_MS, World } from "./world.ts";

const first: Partial<JobSpec> = { idempotencyKey: "k1", traceparent: "00-first" };

describe("idempotency keys", () => {
  test("the same job again gets the first one's id, index and trace, and changes nothing", () => {
    const world = new World();
    world.submit(first);
    expect(world.submit({ ...first, traceparent: "00-second" })).toEqual({
      kind: "submitted",
      jobs: [{ jobId: "j-2", logIndex: 2, deduplicated: true, traceparent: "00-first" }],
    });
    expect(world.changes).toEqual([]);
    expect(counts(world.ledger)).toMatchObject({ accepted: 1, deduplicated: 1 });
  });

  test("the key is known after the job has finished", () => {
    const world = new World();
    const id = world.add(first);
    world.succeed(id, world.begin(id));
    expect(world.submit(first)).toMatchObject({ jobs: [{ jobId: id, deduplicated: true }] });
  });

  const others: [string, Partial<JobSpec>][] = [
    ["kind", { kind: "print" }],
    ["queue", { queue: "slow" }],
    ["payload", { payload: bytes({ to: "bob" }) }],
    ["length of the payload", { payload: new Uint8Array() }],
    ["priority", { priority: 1 }],
    ["run time", { runAtMs: START_MS }],
    ["number of attempts", { maxAttempts: 3 }],
    ["backoff", { backoff: { initialMs: 1_000, multiplier: 2, maxMs: 60_000, jitter: 0.5 } }],
    ["timeout", { attemptTimeoutMs: 1 }],
    ["lock keys", { lockKeys: ["a"] }],
  ];
  test.each(others)("another %s under the same key is refused with the owner's id", (_, other) => {
    const kinds = [kindOf({ queue: "slow" }), kindOf(), kindOf({ kind: "print" })];
    const world = new World(kinds);
    world.submit(first);
    expect(world.submit({ ...first, ...other })).toEqual({
      kind: "submit-refused",
      reason: "idempotency-key-reused",
      position: 0,
      value: "k1",
      jobId: "j-2",
    });
    // And the other way round: the comparison does not lean to one side.
    const mirrored = new World(kinds);
    mirrored.submit({ ...first, ...other });
    expect(mirrored.submit(first)).toMatchObject({ reason: "idempotency-key-reused" });
  });

  test("an empty queue and the queue that it stands for are the same", () => {
    const world = new World();
    world.submit(first);
    expect(world.submit({ ...first, queue: "default" })).toMatchObject({
      jobs: [{ jobId: "j-2", deduplicated: true }],
    });
  });

  test("a repeat is recognised after its kind was registered anew", () => {
    const world = new World();
    world.submit(first);
    const lockTemplates = ["account:{id}"];
    world.commit({ kind: "register-kinds", kinds: [kindOf({ queue: "new", lockTemplates })] });
    expect(world.submit(first)).toMatchObject({ jobs: [{ jobId: "j-2", deduplicated: true }] });
  });

  test("a key repeated within one batch names one job", () => {
    const world = new World();
    expect(world.submit(first, {}, first)).toMatchObject({
      jobs: [
        { jobId: "j-2-1", deduplicated: false },
        { jobId: "j-2-2", deduplicated: false },
        { jobId: "j-2-1", deduplicated: true },
      ],
    });
    expect(world.changes).toEqual(["j-2-1 queued", "j-2-2 queued"]);
  });

  test("a key given to two different jobs of one batch refuses the batch; it has no owner", () => {
    const world = new World();
    expect(world.submit(first, { ...first, priority: 5 })).toMatchObject({
      reason: "idempotency-key-reused",
      position: 1,
      jobId: "",
    });
    expect(counts(world.ledger)).toMatchObject({ accepted: 0, deduplicated: 0 });
  });

  test("jobs without a key are never the same", () => {
    const world = new World();
    expect([world.add(), world.add()]).toEqual(["j-2", "j-3"]);
  });
});
