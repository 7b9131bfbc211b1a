// A ledger restored from its snapshot cannot be told from the original: by its hash, by its fields,
// by anything it answers later (I18, I19).

import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { apply, createLedger, hash, queuedJobs, snapshotRecords } from "../../../ledger/ledger.ts";
import type { Applied } from "../../../ledger/result.ts";
import { assertRuns } from "../../support/bounded-shrink.ts";
import { imageOf } from "./image.ts";
import { Invariants } from "./invariants.ts";
import { restore, restored } from "./restored.ts";
import { Run } from "./run.ts";
import { aim, KNOWN, wildCommand } from "./wild-command.ts";
import { intent } from "./workload.ts";
import { kindOf, LEASE_MS, World } from "./world.ts";

const intents = fc.array(intent, { minLength: 30, maxLength: 120, size: "max" });

/** An answer without what it shares with a ledger. */
function plain({ result, changes }: Applied): unknown {
  return structuredClone({ result, changes });
}

/** The same world, going on with a restored ledger. */
function again(world: World): World {
  return world.withLedger(restored(world.ledger));
}

describe("a restored ledger", () => {
  test("is the original, after every command, and goes on like it", () => {
    assertRuns(
      fc.property(intents, (work) => {
        const { log } = new Run(work);
        const original = createLedger({ receiptsMax: 3 });
        const invariants = new Invariants();
        // Restored before each command: whatever is lost once is missing from then on.
        let copy = createLedger({ receiptsMax: 3 });
        log.forEach((command, position) => {
          copy = restored(copy);
          const applied = apply(copy, position + 1, command);
          expect(plain(applied)).toEqual(plain(apply(original, position + 1, command)));
          invariants.check(copy, position + 1, command, applied);
          expect(hash(copy)).toBe(hash(original));
        });
        expect(imageOf(copy)).toEqual(imageOf(original));
      }),
      { numRuns: 15 },
    );
  });

  test("goes to the same end from any moment", () => {
    assertRuns(
      fc.property(intents, fc.nat(), (work, at) => {
        const run = new Run(work);
        run.drain();
        const { log } = run;
        const original = createLedger({ receiptsMax: 3 });
        const split = at % log.length;
        log.slice(0, split).forEach((command, position) => {
          apply(original, position + 1, command);
        });
        const before = imageOf(original);
        const copy = restored(original);
        expect(imageOf(copy)).toEqual(before);
        // One after the other, not in step: what they shared would show.
        const answers = log.slice(split).map((command, position) => {
          return plain(apply(copy, split + position + 1, command));
        });
        expect(imageOf(original)).toEqual(before);
        const others = log.slice(split).map((command, position) => {
          return plain(apply(original, split + position + 1, command));
        });
        expect(answers).toEqual(others);
        expect(imageOf(copy)).toEqual(imageOf(original));
        expect([...snapshotRecords(copy)]).toEqual([...snapshotRecords(original)]);
        expect(hash(copy)).toBe(hash(run.ledger));
      }),
      { numRuns: 60 },
    );
  });

  test("is the original whatever the commands' fields held", () => {
    assertRuns(
      fc.property(fc.array(wildCommand, { minLength: 20, maxLength: 60, size: "max" }), (drawn) => {
        const original = createLedger();
        let copy = createLedger();
        [KNOWN, ...drawn].forEach((one, position) => {
          const command = aim(original, one);
          copy = restored(copy);
          const applied = plain(apply(copy, position + 1, command));
          expect(applied).toEqual(plain(apply(original, position + 1, command)));
        });
        expect(imageOf(copy)).toEqual(imageOf(original));
        expect(hash(copy)).toBe(hash(original));
      }),
      { numRuns: 60 },
    );
  });

  test("has the same records, whatever order its maps were filled in", () => {
    const [one, other] = [
      ["a", "b"],
      ["b", "a"],
    ].map((names) => {
      const kinds = names.map((name) => kindOf({ kind: name, queue: name }));
      return new World([
        ...kinds,
        ...kinds.map((kind) => ({ ...kind, kind: "z" })),
        kindOf({ kind: "z" }),
      ]);
    });
    if (one === undefined || other === undefined) throw new Error("there are two");
    expect([...snapshotRecords(one.ledger)]).toEqual([...snapshotRecords(other.ledger)]);
    expect(hash(one.ledger)).toBe(hash(other.ledger));
  });

  test("of nothing is a new ledger", () => {
    expect(imageOf(restored(createLedger({ receiptsMax: 5 })))).toEqual(
      imageOf(createLedger({ receiptsMax: 5 })),
    );
  });

  test("made twice of the same records shares nothing that changes", () => {
    const world = new World();
    const id = world.add({ lockKeys: ["a"] });
    const token = world.begin(id);
    const records = [...snapshotRecords(world.ledger)];
    const before = structuredClone(records);
    const [one, other] = [restore(records), restore(records)];
    if (!("ok" in one && "ok" in other)) throw new Error("both are restored");
    const [changed, kept] = [world.withLedger(one.ok), world.withLedger(other.ok)];
    const image = imageOf(kept.ledger);
    changed.succeed(id, token);
    changed.succeed(id, token + 1);
    changed.commit({ kind: "register-kinds", kinds: [kindOf({ queue: "other" })] });
    expect(imageOf(kept.ledger)).toEqual(image);
    expect(records).toEqual(before);
  });
});

describe("what a snapshot must not lose (L41)", () => {
  test("an idempotency key: the same submission is one job, another is refused", () => {
    const world = new World();
    const id = world.add({ idempotencyKey: "k", runAtMs: 5, lockKeys: ["a"] });
    world.succeed(id, world.begin(id));
    const later = again(world);
    expect(later.submit({ idempotencyKey: "k", runAtMs: 5, lockKeys: ["a"] })).toMatchObject({
      jobs: [{ jobId: id, deduplicated: true }],
    });
    for (const other of [{ runAtMs: 6 }, { lockKeys: ["b"] }, { maxAttempts: 3 }]) {
      const spec = { idempotencyKey: "k", runAtMs: 5, lockKeys: ["a"], ...other };
      expect(later.submit(spec)).toMatchObject({ reason: "idempotency-key-reused", jobId: id });
    }
  });

  test("a fencing token: the live attempt may speak, an earlier one may not", () => {
    const world = new World();
    const id = world.add();
    const old = world.begin(id, "one");
    world.fail(id, old, "handed-back");
    const token = world.begin(id, "two");
    const later = again(world);
    expect(later.succeed(id, old)).toMatchObject({ kind: "fenced", currentToken: token });
    expect(later.start(id, "two")).toMatchObject({ kind: "started", token });
    expect(later.succeed(id, token)).toMatchObject({ kind: "finished", state: "succeeded" });
  });

  test("a token given after it is greater than any given before", () => {
    const world = new World();
    const id = world.add({ lockKeys: ["a"] });
    const token = world.begin(id);
    world.fail(id, token, "handed-back");
    expect(again(world).begin(id)).toBeGreaterThan(token);
  });

  test("an answer: a report asked again gets the first one's", () => {
    const world = new World();
    const id = world.add();
    const token = world.begin(id);
    const first = world.fail(id, token);
    expect(again(world).fail(id, token)).toEqual(first);
  });

  test("a refused start: its late copy starts nothing", () => {
    const world = new World();
    const [holder, id] = [world.add({ lockKeys: ["a"] }), world.add({ lockKeys: ["a"] })];
    const token = world.begin(holder);
    world.start(id, "late");
    world.succeed(holder, token);
    expect(again(world).start(id, "late")).toMatchObject({ kind: "start-refused", reason: "held" });
  });

  test("receipts: the last few, and how many there were", () => {
    const world = new World([kindOf()], 2);
    const id = world.add();
    world.succeed(id, world.begin(id));
    for (const token of [90, 91, 92]) world.succeed(id, token);
    const later = again(world);
    later.succeed(id, 93);
    const job = later.job(id);
    expect(job.receipts.map(({ token }) => token)).toEqual([92, 93]);
    expect(job.refusedCount).toBe(4);
  });

  test("that no receipts are kept", () => {
    const world = new World([kindOf()], 0);
    const id = world.add();
    world.succeed(id, world.begin(id));
    world.succeed(id, 90);
    expect(again(world).job(id)).toMatchObject({ receipts: [], refusedCount: 1 });
  });

  test("a line: parked jobs wake one at a time, in the order they came", () => {
    const world = new World();
    const ids = Array.from({ length: 4 }, () => world.add({ lockKeys: ["a"] }));
    const [holder = "", first = "", second = "", third = ""] = ids;
    const token = world.begin(holder);
    for (const id of [third, first, second]) world.start(id);
    const later = again(world);
    later.succeed(holder, token);
    expect(later.changes).toEqual([`${holder} succeeded`, `${third} unparked`]);
    const woken = again(later);
    woken.succeed(third, woken.begin(third));
    expect(woken.changes).toContain(`${first} unparked`);
    expect(woken.changes).not.toContain(`${second} unparked`);
  });

  test("a place in line: who was woken and finds the key taken parks where it stood", () => {
    const world = new World();
    const [holder = "", first = "", second = ""] = [1, 2, 3].map(() =>
      world.add({ lockKeys: ["a"] }),
    );
    const token = world.begin(holder);
    for (const id of [first, second]) world.start(id);
    world.succeed(holder, token);
    const taken = world.begin(second);
    const later = again(world);
    later.start(first);
    expect(later.changes).toEqual([`${first} parked`]);
    later.succeed(second, taken);
    expect(later.changes).toEqual([`${second} succeeded`, `${first} unparked`]);
  });

  test("a claim: a woken job's keys are put by for it, until the claim is over", () => {
    const world = new World();
    const [holder = "", first = "", second = ""] = [1, 2, 3].map(() =>
      world.add({ lockKeys: ["a"] }),
    );
    const token = world.begin(holder);
    for (const id of [first, second]) world.start(id);
    world.at(1_000).succeed(holder, token);
    const later = again(world);
    later.at(10_999).tick();
    expect(later.changes).toEqual([]);
    later.at(11_000).tick();
    expect(later.changes).toEqual([`${second} unparked`]);
  });

  test("keys of a cancelled job whose handler may still run", () => {
    const world = new World();
    const [id, next] = [world.add({ lockKeys: ["a"] }), world.add({ lockKeys: ["a"] })];
    const token = world.begin(id);
    world.cancel(id);
    const later = again(world);
    expect(later.start(next)).toMatchObject({ kind: "start-refused", reason: "locked" });
    const told = again(later);
    told.fail(id, token, "handed-back");
    expect(told.changes).toEqual([`${next} unparked`]);
    const silent = again(later);
    silent.at(LEASE_MS).tick();
    expect(silent.changes).toEqual([`${next} unparked`]);
  });

  test("leases, run times and the opening of the term: what is due falls due", () => {
    const world = new World([kindOf({ attemptTimeoutMs: 4_000 })]);
    const [running, scheduled] = [world.add(), world.add({ runAtMs: world.nowMs + 16_000 })];
    world.begin(running);
    world.at(2_000).openTerm();
    const later = again(world);
    later.at(11_999).tick();
    expect(later.changes).toEqual([]);
    later.at(12_000).tick();
    expect(later.changes).toEqual([`${running} scheduled`]);
    expect(again(later).at(16_000).tick()).toEqual({ kind: "done" });
    later.at(16_000).tick();
    expect(later.changes).toContain(`${scheduled} queued`);
  });

  test("a kind's registrations: every queue that it ever had, and its latest defaults", () => {
    const world = new World([kindOf({ queue: "old", maxAttempts: 2 })]);
    world.commit({ kind: "register-kinds", kinds: [kindOf({ queue: "new", maxAttempts: 7 })] });
    const later = again(world);
    expect(later.job(later.add({ queue: "old" })).maxAttempts).toBe(7);
    expect(later.job(later.add()).queue).toBe("new");
    expect(later.submit({ queue: "never" })).toMatchObject({ reason: "unknown-queue" });
  });

  test("the order of the queue, which is not that of the jobs", () => {
    const world = new World();
    const runAtMs = world.nowMs + 1_000;
    // One tick brings both at once, the later one first.
    const [late, soon, now] = [
      world.add({ runAtMs: runAtMs + 1 }),
      world.add({ runAtMs }),
      world.add(),
    ];
    world.at(5_000).tick();
    const queue = [...queuedJobs(again(world).ledger)].map(({ id }) => id);
    expect(queue).toEqual([now, soon, late]);
    const backwards = restored(world.ledger);
    for (const job of [...backwards.queued].slice(0, 1)) {
      backwards.queued.delete(job);
      backwards.queued.add(job);
    }
    // The hash tells another order.
    expect(hash(backwards)).not.toBe(hash(world.ledger));
  });

  test("a queue longer than one record", () => {
    const world = new World();
    for (let i = 0; i < 1_100; i++) world.add();
    const records = [...snapshotRecords(world.ledger)];
    expect(records.filter(({ kind }) => kind === "queue")).toHaveLength(2);
    expect(imageOf(restored(world.ledger))).toEqual(imageOf(world.ledger));
  });
});
