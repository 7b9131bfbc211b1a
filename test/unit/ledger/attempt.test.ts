// Rules of ledger/attempt.ts, attempt-end.ts and fencing.ts.

import { describe, expect, test } from "@jest/globals";
import { ATTEMPTS_MAX } from "../../../ledger/history-limit.ts";
import { counts, hash } from "../../../ledger/ledger.ts";
import { restored } from "./restored.ts";
import { bytes, kindOf, LEASE_MS, START_MS, World } from "./world.ts";

function refused(reason: string, lockKey = "") {
  return { kind: "start-refused", reason, lockKey };
}

describe("starting an attempt", () => {
  test("the index of the entry is the token", () => {
    const world = new World();
    const id = world.add();
    world.add();
    const result = world.start(id, "s1");
    expect(result).toMatchObject({ kind: "started", token: 4, number: 1, job: { id } });
    expect(world.changes).toEqual([`${id} running`]);
    expect(world.job(id)).toMatchObject({ state: "running", attemptsUsed: 0, dispatch: 1 });
    expect(world.job(id).attempts).toMatchObject([
      { number: 1, worker: "w1", token: 4, startId: "s1", outcome: "started", startMs: START_MS },
    ]);
  });

  test("the same start asked again gets the same token, and no longer lease", () => {
    const world = new World();
    const id = world.add();
    const token = world.begin(id, "s1");
    world.at(500);
    expect(world.start(id, "s1")).toMatchObject({ kind: "started", token, number: 1 });
    expect(world.changes).toEqual([]);
    expect(world.job(id).attempts[0]?.leaseExpiryMs).toBe(START_MS + LEASE_MS);
  });

  test("another start while the attempt lives is refused as held", () => {
    const world = new World();
    const id = world.add();
    world.begin(id, "s1");
    expect(world.start(id, "s2")).toEqual(refused("held"));
  });

  test("two workers that send no start id do not share a token", () => {
    const world = new World();
    const id = world.add();
    world.begin(id, "");
    expect(world.start(id, "")).toEqual(refused("held"));
  });

  test("is refused by what the job's state says", () => {
    const world = new World();
    const [scheduled, done, failed, cancelled] = [
      world.add({ runAtMs: START_MS + 1 }),
      world.add(),
      world.add(),
      world.add(),
    ];
    world.succeed(done, world.begin(done));
    world.fail(failed, world.begin(failed), "failed", false);
    world.cancel(cancelled);
    expect(world.start(scheduled)).toEqual(refused("not-due"));
    expect(world.start(done)).toEqual(refused("finished"));
    expect(world.start(failed)).toEqual(refused("finished"));
    expect(world.start(cancelled)).toEqual(refused("cancelled"));
    expect(world.start("j-99")).toEqual({ kind: "job-not-found", jobId: "j-99" });
    expect(counts(world.ledger).attemptsStarted).toBe(2);
  });

  test("a late copy of a start whose attempt is over starts nothing", () => {
    const world = new World();
    const id = world.add();
    world.fail(id, world.begin(id, "s1"), "handed-back");
    expect(world.job(id).state).toBe("queued");
    expect(world.start(id, "s1")).toEqual(refused("held"));
    expect(world.start(id, "s2")).toMatchObject({ kind: "started", number: 2 });
  });

  test("a late copy of a start that was refused starts nothing", () => {
    const world = new World();
    const id = world.add({ runAtMs: START_MS + 5 });
    expect(world.start(id, "s1")).toEqual(refused("not-due"));
    world.at(5).tick();
    expect(world.start(id, "s1")).toEqual(refused("held"));
    expect(world.start(id, "s2")).toMatchObject({ kind: "started" });
  });
});

describe("renewing leases", () => {
  test("gives a whole lease from the ledger's clock", () => {
    const world = new World();
    const id = world.add();
    const token = world.begin(id);
    expect(world.at(4_000).renew({ jobId: id, token })).toEqual({ kind: "renewed", stale: [] });
    expect(world.job(id).attempts[0]?.leaseExpiryMs).toBe(START_MS + 4_000 + LEASE_MS);
    expect(world.changes).toEqual([]);
  });

  test("what is not current is told, without a receipt, and does not hinder the others", () => {
    const world = new World();
    const [over, live] = [world.add(), world.add()];
    const old = world.begin(over);
    world.fail(over, old, "handed-back");
    const current = world.begin(over);
    const token = world.begin(live);
    const renewals = [
      { jobId: over, token: old },
      { jobId: "j-99", token: 1 },
      { jobId: live, token },
    ];
    expect(world.at(1_000).renew(...renewals)).toEqual({
      kind: "renewed",
      stale: [
        { kind: "fenced", jobId: over, token: old, currentToken: current, state: "running" },
        { kind: "fenced", jobId: "j-99", token: 1, currentToken: 0, state: "cancelled" },
      ],
    });
    expect(world.job(live).attempts[0]?.leaseExpiryMs).toBe(START_MS + 1_000 + LEASE_MS);
    expect(world.job(over)).toMatchObject({ refusedCount: 0, receipts: [] });
  });

  test("a clock that went back shortens nothing", () => {
    const world = new World();
    const id = world.add();
    const token = world.at(5_000).begin(id);
    world.at(-60_000).renew({ jobId: id, token });
    expect(world.job(id).attempts[0]?.leaseExpiryMs).toBe(START_MS + 5_000 + LEASE_MS);
  });
});

describe("finishing an attempt", () => {
  test("success records the result once and ends the job", () => {
    const world = new World();
    const id = world.add();
    const token = world.begin(id);
    expect(world.at(50).succeed(id, token, { sent: true })).toEqual({
      kind: "finished",
      state: "succeeded",
      nextAttemptMs: 0,
    });
    expect(world.changes).toEqual([`${id} succeeded`]);
    expect(world.job(id)).toMatchObject({
      state: "succeeded",
      result: bytes({ sent: true }),
      error: null,
      endMs: START_MS + 50,
      attemptsUsed: 1,
      attempts: [{ outcome: "succeeded", endMs: START_MS + 50, error: null }],
    });
    expect(counts(world.ledger)).toMatchObject({ succeeded: 1, running: 0, recorded: 1 });
  });

  test("success without a result records an empty one", () => {
    const world = new World();
    const jobId = world.add();
    const finish = { jobId, token: world.begin(jobId), worker: "w1", result: null, error: null };
    world.commit({ kind: "finish-attempt", outcome: "succeeded", ...finish });
    expect(world.job(jobId).result).toEqual(new Uint8Array());
  });

  test.each(["failed", "timed-out", "fenced"] as const)(
    "%s with attempts left schedules the next one after the backoff",
    (outcome) => {
      const world = new World();
      const id = world.add();
      const result = world.at(100).fail(id, world.begin(id), outcome);
      const { runAtMs } = world.job(id);
      expect(result).toEqual({ kind: "finished", state: "scheduled", nextAttemptMs: runAtMs });
      expect(runAtMs).toBeGreaterThanOrEqual(START_MS + 100 + 500);
      expect(runAtMs).toBeLessThanOrEqual(START_MS + 100 + 1_000);
      expect(world.job(id)).toMatchObject({ attemptsUsed: 1, error: null, dispatch: 1 });
      expect(world.job(id).attempts).toMatchObject([{ outcome, error: { code: "Boom" } }]);
    },
  );

  test("the last attempt's failure is the job's", () => {
    const world = new World([kindOf({ maxAttempts: 2 })]);
    const id = world.add();
    world.fail(id, world.begin(id));
    world.at(60_000).tick();
    expect(world.fail(id, world.begin(id))).toMatchObject({ state: "failed", nextAttemptMs: 0 });
    expect(world.job(id)).toMatchObject({
      state: "failed",
      attemptsUsed: 2,
      error: { code: "Boom" },
      result: null,
      endMs: START_MS + 60_000,
    });
    expect(counts(world.ledger)).toMatchObject({ failed: 1, recorded: 1 });
  });

  test("what is not retryable fails at once, with attempts left", () => {
    const world = new World();
    const id = world.add();
    expect(world.fail(id, world.begin(id), "failed", false)).toMatchObject({ state: "failed" });
  });

  test("without a delay the job is queued at once and dispatched anew", () => {
    const world = new World([
      kindOf({ backoff: { initialMs: 0, multiplier: 2, maxMs: 9, jitter: 0.5 } }),
    ]);
    const id = world.add();
    const result = world.at(10).fail(id, world.begin(id));
    expect(result).toEqual({ kind: "finished", state: "queued", nextAttemptMs: START_MS + 10 });
    expect(world.job(id)).toMatchObject({ dispatch: 2, attemptsUsed: 1 });
  });

  test("handing back is not counted, and queues the job at once", () => {
    const world = new World([kindOf({ maxAttempts: 1 })]);
    const id = world.add();
    expect(world.fail(id, world.begin(id), "handed-back", false)).toMatchObject({
      state: "queued",
      nextAttemptMs: START_MS,
    });
    expect(world.job(id)).toMatchObject({ dispatch: 2, attemptsUsed: 0, error: null });
    expect(world.start(id)).toMatchObject({ kind: "started", number: 2 });
  });

  test("handing back again and again is a failure in the end", () => {
    const world = new World([kindOf({ maxAttempts: 1 })]);
    const id = world.add();
    for (let number = 1; number < ATTEMPTS_MAX; number += 1) {
      world.fail(id, world.begin(id), "handed-back");
    }
    expect(world.job(id)).toMatchObject({ state: "queued", attemptsUsed: 0 });
    expect(world.fail(id, world.begin(id), "handed-back")).toMatchObject({ state: "failed" });
    const error = { code: "HANDED_BACK_TOO_OFTEN" };
    expect(world.job(id)).toMatchObject({ state: "failed", attemptsUsed: 1, error });
    expect(world.job(id).attempts.at(-1)).toMatchObject({ outcome: "failed", error });
    expect(hash(restored(world.ledger))).toBe(hash(world.ledger));
    expect(world.retry(id)).toEqual({ kind: "retry-refused", state: "failed" });
  });

  test("an outcome without an error gets one that can be retried", () => {
    const world = new World();
    const jobId = world.add();
    const finish = { jobId, token: world.begin(jobId), worker: "w1", result: null, error: null };
    world.commit({ kind: "finish-attempt", outcome: "fenced", ...finish });
    expect(world.job(jobId)).toMatchObject({
      state: "scheduled",
      attempts: [{ error: { code: "LOCK_LOST", retryable: true } }],
    });
  });

  test("the same report again gets the same answer, however far the job has gone", () => {
    const world = new World();
    const id = world.add();
    const token = world.begin(id);
    const answer = world.fail(id, token);
    world.at(60_000).tick();
    const next = world.begin(id);
    expect(world.fail(id, token)).toEqual(answer);
    world.succeed(id, next);
    expect(world.fail(id, token)).toEqual(answer);
    expect(world.succeed(id, next)).toMatchObject({ kind: "finished", state: "succeeded" });
    expect(world.changes).toEqual([]);
    expect(world.job(id)).toMatchObject({ refusedCount: 0, receipts: [] });
  });

  test("a report for an unknown job says so", () => {
    expect(new World().succeed("j-9", 1)).toEqual({ kind: "job-not-found", jobId: "j-9" });
  });
});

describe("fencing", () => {
  test("a late result is refused with a receipt and changes nothing else", () => {
    const world = new World();
    const id = world.add();
    const old = world.begin(id);
    world.at(LEASE_MS).tick();
    world.at(LEASE_MS + 60_000).tick();
    const current = world.begin(id);
    expect(world.succeed(id, old, "late")).toEqual({
      kind: "fenced",
      jobId: id,
      token: old,
      currentToken: current,
      state: "running",
    });
    expect(world.changes).toEqual([]);
    expect(world.job(id)).toMatchObject({ state: "running", result: null, refusedCount: 1 });
    expect(world.job(id).receipts).toEqual([
      {
        token: old,
        currentToken: current,
        worker: "w1",
        tried: "succeeded",
        refusedMs: START_MS + LEASE_MS + 60_000,
      },
    ]);
    world.succeed(id, current, "right");
    expect(world.succeed(id, old, "late")).toMatchObject({ currentToken: 0, state: "succeeded" });
    expect(world.job(id).result).toEqual(bytes("right"));
    expect(counts(world.ledger)).toMatchObject({ refusedLate: 2, recorded: 1, attemptsLost: 1 });
  });

  test("another outcome under a token that has reported is refused", () => {
    const world = new World();
    const id = world.add();
    const token = world.begin(id);
    world.succeed(id, token);
    expect(world.fail(id, token)).toMatchObject({ kind: "fenced", state: "succeeded" });
    expect(world.job(id)).toMatchObject({ state: "succeeded", refusedCount: 1 });
  });

  test("a report equal to what the ledger found by itself is refused: it was not the report", () => {
    const world = new World([kindOf({ attemptTimeoutMs: 1_000, maxAttempts: 1 })]);
    const id = world.add();
    const token = world.begin(id);
    world.at(5_000).renew({ jobId: id, token });
    world.at(1_000 + LEASE_MS).tick();
    expect(world.job(id).attempts).toMatchObject([{ outcome: "timed-out" }]);
    expect(world.fail(id, token, "timed-out")).toMatchObject({ kind: "fenced", state: "failed" });
  });

  test("tokens that never were, 0 among them, are refused", () => {
    const world = new World();
    const id = world.add();
    expect(world.succeed(id, 0)).toMatchObject({ kind: "fenced", currentToken: 0 });
    expect(world.succeed(id, 999)).toMatchObject({ kind: "fenced", state: "queued" });
  });

  test("the last few receipts are kept, all are counted", () => {
    const world = new World([kindOf()], 2);
    const id = world.add();
    const token = world.begin(id);
    world.succeed(id, token);
    for (let n = 1; n <= 5; n++) world.at(n).fail(id, token);
    expect(world.job(id).refusedCount).toBe(5);
    expect(world.job(id).receipts.map((one) => one.refusedMs)).toEqual([
      START_MS + 4,
      START_MS + 5,
    ]);
  });

  test("a receipt is part of the state", () => {
    const [one, other] = [new World(), new World()];
    for (const world of [one, other]) {
      const id = world.add();
      const token = world.begin(id);
      world.succeed(id, token);
      world.fail(id, world === one ? token : token + 1);
    }
    expect(hash(one.ledger)).not.toBe(hash(other.ledger));
  });
});
