// Rules of ledger/cancel.ts.

import { describe, expect, test } from "@jest/globals";
import { counts, nextDueMs } from "../../../ledger/ledger.ts";
import { LEASE_MS, START_MS, World } from "./world.ts";

describe("cancelling", () => {
  test.each([
    ["scheduled", { runAtMs: START_MS + 9 }],
    ["queued", {}],
  ])("a %s job is cancelled, with the reason kept", (state, spec) => {
    const world = new World();
    const id = world.add(spec);
    expect(world.job(id).state).toBe(state);
    expect(world.at(3).cancel(id, "not needed")).toMatchObject({ kind: "cancelled", job: { id } });
    expect(world.changes).toEqual([`${id} cancelled`]);
    expect(world.job(id)).toMatchObject({
      state: "cancelled",
      endMs: START_MS + 3,
      error: { code: "CANCELLED", message: "not needed", retryable: false },
      result: null,
    });
  });

  test("a running job is cancelled at once; its late report leaves a receipt", () => {
    const world = new World();
    const id = world.add();
    const token = world.begin(id);
    expect(world.cancel(id)).toMatchObject({ kind: "cancelled" });
    expect(world.job(id).attempts).toMatchObject([{ outcome: "cancelled", endMs: START_MS }]);
    expect(world.succeed(id, token)).toEqual({
      kind: "fenced",
      jobId: id,
      token,
      currentToken: 0,
      state: "cancelled",
    });
    expect(world.job(id)).toMatchObject({ state: "cancelled", result: null, refusedCount: 1 });
    expect(counts(world.ledger)).toMatchObject({ cancelled: 1, recorded: 0, attemptsLost: 0 });
  });

  test("a running job keeps its keys until its worker says that the handler has stopped", () => {
    const world = new World();
    const [id, next] = [world.add({ lockKeys: ["a"] }), world.add({ lockKeys: ["a"] })];
    const token = world.begin(id);
    world.cancel(id);
    expect(world.start(next)).toMatchObject({ reason: "locked", lockKey: "a" });
    const stopped = { kind: "fenced", token, currentToken: 0, state: "cancelled" };
    expect(world.fail(id, token, "handed-back")).toMatchObject(stopped);
    expect(world.changes).toEqual([`${next} unparked`]);
    // It recorded nothing, so nothing was refused; nor when it is told again.
    expect(world.fail(id, token, "handed-back")).toMatchObject(stopped);
    expect(world.changes).toEqual([]);
    expect(world.job(id)).toMatchObject({ state: "cancelled", refusedCount: 0 });
    world.begin(next);
  });

  test("a running job keeps its keys no longer than its lease", () => {
    const world = new World();
    const [id, next] = [world.add({ lockKeys: ["a"] }), world.add({ lockKeys: ["a"] })];
    const token = world.begin(id);
    world.at(5_000).cancel(id);
    world.start(next);
    expect(world.renew({ jobId: id, token })).toMatchObject({ stale: [{ state: "cancelled" }] });
    expect(nextDueMs(world.ledger)).toBe(START_MS + LEASE_MS);
    world.at(LEASE_MS).tick();
    expect(world.changes).toEqual([`${next} unparked`]);
    // Late, and without keys by now: a receipt, as ever.
    world.begin(next);
    expect(world.succeed(id, token)).toMatchObject({ kind: "fenced", state: "cancelled" });
    expect(world.changes).toEqual([]);
    expect(world.job(id).refusedCount).toBe(1);
  });

  test("twice is once", () => {
    const world = new World();
    const id = world.add();
    world.cancel(id, "first");
    expect(world.at(9).cancel(id, "second")).toMatchObject({ kind: "cancelled" });
    expect(world.changes).toEqual([]);
    expect(world.job(id)).toMatchObject({ error: { message: "first" }, endMs: START_MS });
  });

  test("what has finished stays as it is", () => {
    const world = new World();
    const [done, failed] = [world.add(), world.add()];
    world.succeed(done, world.begin(done));
    world.fail(failed, world.begin(failed), "failed", false);
    expect(world.cancel(done)).toEqual({ kind: "cancel-refused", state: "succeeded" });
    expect(world.cancel(failed)).toEqual({ kind: "cancel-refused", state: "failed" });
    expect(world.cancel("j-99")).toEqual({ kind: "job-not-found", jobId: "j-99" });
  });
});
