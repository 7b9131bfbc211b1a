// Rules of ledger/cancel.ts.

import { describe, expect, test } from "@jest/globals";
import { counts } from "../../../ledger/ledger.ts";
import { START_MS, World } from "./world.ts";

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
