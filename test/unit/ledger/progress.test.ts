// Rules of ledger/progress.ts and fencing.ts: what attempts tell while they run, and who is heard.

import { describe, expect, test } from "@jest/globals";
import { counts } from "../../../ledger/ledger.ts";
import { LOG_LINES_MAX } from "../../../ledger/progress.ts";
import { restored } from "./restored.ts";
import { bytes, kindOf, LEASE_MS, START_MS, World } from "./world.ts";

describe("a report of the current attempt", () => {
  test("is on the job's record, and is a change to publish", () => {
    const world = new World();
    const id = world.add();
    const token = world.begin(id);
    const change = { progress: bytes(40), lines: ["fetched", "parsed"], lineCount: 3 };
    expect(world.at(5).report(id, token, change)).toEqual({ kind: "reported", stale: [] });
    expect(world.changes).toEqual([`${id} progress`]);
    expect(world.job(id)).toMatchObject({
      ...{ state: "running", progress: bytes(40), progressMs: START_MS + 5, logLineCount: 3 },
      logLines: [
        { attempt: 1, timeMs: START_MS + 5, text: "fetched" },
        { attempt: 1, timeMs: START_MS + 5, text: "parsed" },
      ],
    });
    expect(world.job(id).changeIndex).toBe(world.index);
  });

  test("that arrives twice, or after a later one, is heard once", () => {
    const world = new World();
    const id = world.add();
    const token = world.begin(id);
    const second = { sequence: 2, progress: bytes(2), lines: ["b"] };
    world.report(id, token, second);
    const copy = world.withLedger(restored(world.ledger));
    for (const one of [world, copy]) {
      one.report(id, token, second);
      one.report(id, token, { sequence: 1, progress: bytes(1), lines: ["a"] });
      expect(one.changes).toEqual([]);
      expect(one.job(id)).toMatchObject({ progress: bytes(2), logLineCount: 1, refusedCount: 0 });
    }
  });

  test("of lines alone leaves the progress as it was", () => {
    const world = new World();
    const id = world.add();
    const token = world.begin(id);
    world.report(id, token, { progress: bytes("half") });
    world.report(id, token, { sequence: 2, lines: ["on"] });
    expect(world.job(id)).toMatchObject({ progress: bytes("half"), logLineCount: 1 });
  });

  test("keeps the last lines of all attempts, and counts all", () => {
    const world = new World();
    const id = world.add();
    const first = world.begin(id);
    const lines = Array.from({ length: LOG_LINES_MAX }, (_, at) => `a${at}`);
    world.report(id, first, { progress: bytes(1), lines });
    world.fail(id, first);
    world.at(60_000).tick();
    world.report(id, world.begin(id), { lines: ["b0", "b1"] });
    const { logLines, logLineCount, progress } = world.job(id);
    expect(logLineCount).toBe(LOG_LINES_MAX + 2);
    expect(logLines).toHaveLength(LOG_LINES_MAX);
    expect(logLines[0]).toMatchObject({ attempt: 1, text: "a2" });
    expect(logLines.at(-1)).toMatchObject({ attempt: 2, text: "b1" });
    // Progress is the last attempt's own.
    expect(progress).toBeNull();
  });

  test("with a count that is nonsense leaves a job that a snapshot brings back", () => {
    const world = new World();
    const id = world.add();
    const token = world.begin(id);
    for (const sequence of [1, 2]) {
      const change = { sequence, lines: ["a"], lineCount: Number.MAX_SAFE_INTEGER };
      world.report(id, token, change);
    }
    const copy = world.withLedger(restored(world.ledger));
    expect(copy.job(id).logLineCount).toBe(Number.MAX_SAFE_INTEGER);
  });
});

describe("a worker that was frozen past its lease", () => {
  /** A job that another attempt has taken over. */
  function takenOver(): { world: World; id: string; old: number; token: number } {
    const world = new World([kindOf({ backoff: { ...kindOf().backoff, initialMs: 0 } })]);
    const id = world.add();
    const old = world.begin(id);
    world.at(LEASE_MS).tick();
    return { world, id, old, token: world.begin(id) };
  }

  test("records nothing: result, error, progress, lines and heartbeat leave receipts", () => {
    const { world, id, old, token } = takenOver();
    expect(world.report(id, old, { progress: bytes(99), lines: ["late"] })).toMatchObject({
      stale: [{ jobId: id, token: old, currentToken: token }],
    });
    world.renew({ jobId: id, token: old });
    world.succeed(id, old);
    world.fail(id, old);
    const { receipts, refusedCount, progress, logLines, state } = world.job(id);
    expect(receipts.map(({ tried }) => tried)).toEqual([
      ...["log", "progress", "heartbeat", "succeeded", "failed"],
    ]);
    for (const receipt of receipts) expect(receipt).toMatchObject({ token: old, worker: "w1" });
    expect({ refusedCount, progress, logLines, state }).toEqual({
      ...{ refusedCount: 5, progress: null, logLines: [], state: "running" },
    });
    expect(counts(world.ledger).refusedLate).toBe(5);
  });

  test("leaves one receipt for each sort of what it says again and again", () => {
    const { world, id, old } = takenOver();
    for (let at = 1; at <= 5; at += 1) {
      world.renew({ jobId: id, token: old });
      world.report(id, old, { sequence: at, progress: bytes(at) });
    }
    expect(world.job(id).receipts.map(({ tried }) => tried)).toEqual(["heartbeat", "progress"]);
    expect(world.job(id).refusedCount).toBe(2);
  });
});

describe("a renewal that is only late", () => {
  test("leaves no receipt when it crossed its own report, or a cancellation", () => {
    const world = new World();
    const [done, cancelled] = [world.add(), world.add()];
    const tokens = [world.begin(done), world.begin(cancelled)] as const;
    world.succeed(done, tokens[0]);
    world.cancel(cancelled);
    const result = world.renew(
      { jobId: done, token: tokens[0] },
      { jobId: cancelled, token: tokens[1] },
    );
    expect(result).toMatchObject({ stale: [{ state: "succeeded" }, { state: "cancelled" }] });
    expect(counts(world.ledger).refusedLate).toBe(0);
  });

  test("of a job that is not there is told to stop", () => {
    const world = new World();
    expect(world.report("j-900", 5)).toMatchObject({ stale: [{ state: "cancelled" }] });
  });
});
