// Rules of ledger/admission.ts and wake.ts: pauses, limits of queues and of keys, lines, rates.

import { describe, expect, test } from "@jest/globals";
import { nextDueMs } from "../../../ledger/ledger.ts";
import { CLAIM_MS } from "../../../ledger/park.ts";
import { WAKES_MAX } from "../../../ledger/wake.ts";
import { QueueWorld } from "./queue-world.ts";
import { LEASE_MS, START_MS } from "./world.ts";

const LIMITED = { kind: "start-refused", reason: "limited" };

describe("a paused queue", () => {
  test("starts nothing that is in BullMQ already; on resuming all is dispatched anew", () => {
    const world = new QueueWorld();
    const [one = "", other = ""] = world.addMany(2);
    world.set({ isPaused: true });
    expect(world.start(one)).toMatchObject(LIMITED);
    expect(world.changes).toEqual([`${one} parked`]);
    const late = world.add();
    expect(world.job(late)).toMatchObject({ state: "queued", waitsAt: "queue", dispatch: 1 });
    expect(world.before).toEqual([other]);
    world.set({ isPaused: false });
    expect(world.changes).toEqual([`${one} unparked`, `${late} unparked`]);
    expect(world.job(one)).toMatchObject({ waitsAt: "", dispatch: 2 });
    expect(world.start(one)).toMatchObject({ kind: "started" });
  });

  test("lets what runs go on to its end", () => {
    const world = new QueueWorld();
    const id = world.add();
    const token = world.begin(id);
    world.set({ isPaused: true });
    expect(world.renew({ jobId: id, token })).toEqual({ kind: "renewed", stale: [] });
    expect(world.succeed(id, token)).toMatchObject({ kind: "finished", state: "succeeded" });
  });

  test("is paused once, however often it is said, and says so", () => {
    const world = new QueueWorld();
    expect(world.set({ isPaused: true })).toMatchObject({
      kind: "queue-set",
      queue: { name: "default", isPaused: true },
    });
    expect(world.set({ isPaused: true })).toMatchObject({ queue: { isPaused: true } });
    expect(world.set({ isPaused: false })).toMatchObject({ queue: { isPaused: false } });
  });

  test("has to be one that is known; a limit makes it known", () => {
    const world = new QueueWorld();
    const unknown = { kind: "queue-not-found", queue: "new" };
    expect(world.set({ isPaused: true }, "new")).toEqual(unknown);
    expect(world.set({ runningMax: 3 }, "new")).toMatchObject({ queue: { name: "new" } });
    expect(world.set({ isPaused: true }, "new")).toMatchObject({ queue: { isPaused: true } });
  });

  test("of all queues holds every queue back", () => {
    const world = new QueueWorld(["default", "other"]);
    world.set({ isPaused: true }, "*");
    const ids = [world.add(), world.add({ kind: "in-other" })];
    expect(world.before).toEqual([]);
    world.set({ isPaused: false }, "*");
    expect(world.before).toEqual(ids);
  });

  test("is resumed in pieces, the rest of which is due at once", () => {
    const world = new QueueWorld();
    world.set({ isPaused: true });
    const count = WAKES_MAX + 5;
    world.submit(...Array.from({ length: count }, () => ({})));
    world.set({ isPaused: false });
    expect(world.before).toHaveLength(WAKES_MAX);
    expect(nextDueMs(world.ledger)).toBe(START_MS);
    // Nobody overtakes those that are still held back.
    const late = world.add();
    expect(world.before).not.toContain(late);
    world.tick();
    expect(world.before).toHaveLength(count + 1);
    expect(world.before.at(-1)).toBe(late);
  });
});

describe("who waits for a paused queue", () => {
  /** Jobs of a queue that is paused while they wait for what `spec` names, and one of another. */
  function paused(spec: object, count = 3) {
    const world = new QueueWorld(["default", "other"]);
    const holder = world.add(spec);
    const token = world.begin(holder);
    const early = Array.from({ length: count }, () => world.add(spec));
    for (const id of early) world.start(id);
    const late = world.add({ kind: "in-other", ...spec });
    world.start(late);
    world.set({ isPaused: true });
    return { world, holder, token, early, late };
  }

  test.each([
    ["a lock key", { lockKeys: ["a"] }],
    ["a concurrency key", { concurrencyKeys: [{ key: "c", limit: 1 }] }],
    ["both", { lockKeys: ["a"], concurrencyKeys: [{ key: "c", limit: 1 }] }],
  ])("keeps %s from nobody, and goes before them on resuming", (_, spec) => {
    const { world, holder, token, early, late } = paused(spec);
    world.succeed(holder, token);
    expect(world.before).toEqual([late]);
    const held = world.begin(late);
    world.set({ isPaused: false });
    const later = world.add({ kind: "in-other", ...spec });
    world.start(later);
    world.succeed(late, held);
    expect(world.before).toEqual(early.slice(0, 1));
  });

  test("keeps a key from no lock outside jobs while all queues are paused", () => {
    const { world, holder, token } = paused({ lockKeys: ["a"] });
    world.set({ isPaused: true }, "*");
    const asked = world.acquire(["a"], { waitMs: 60_000 });
    world.succeed(holder, token);
    expect(world.lockChanges).toEqual([`${asked.lockId} granted`]);
  });

  test("lets the others by piece by piece, however many they are", () => {
    const { world, holder, token, late } = paused({ lockKeys: ["a"] }, WAKES_MAX + 1);
    world.succeed(holder, token);
    // One more than a command moves is woken as any other, and its claim ends.
    expect(world.changes).toHaveLength(1 + WAKES_MAX + 1);
    expect(world.before).toEqual([]);
    world.at(CLAIM_MS).tick();
    expect(world.before).toEqual([late]);
  });
});

describe("a limit of running jobs", () => {
  test("keeps the rest out of BullMQ, and lets one in for each that ends, in order", () => {
    const world = new QueueWorld();
    world.set({ runningMax: 2 });
    const ids = world.addMany(4);
    expect(world.before).toEqual(ids.slice(0, 2));
    const tokens = ids.slice(0, 2).map((id) => world.begin(id));
    expect(world.before).toEqual([]);
    world.succeed(ids[0] ?? "", tokens[0] ?? 0);
    expect(world.changes).toEqual([`${ids[0]} succeeded`, `${ids[2]} unparked`]);
    expect(world.view()).toMatchObject({ heldBack: 1, byState: { running: 1, queued: 2 } });
  });

  test("refuses what BullMQ has from before it was set", () => {
    const world = new QueueWorld();
    const [first = "", second = ""] = world.addMany(2);
    world.set({ runningMax: 1 });
    const token = world.begin(first);
    expect(world.start(second)).toMatchObject(LIMITED);
    world.succeed(first, token);
    expect(world.before).toEqual([second]);
  });

  test.each([
    ["fails", (w: QueueWorld, id: string, token: number) => w.fail(id, token, "failed", false)],
    [
      "is handed back",
      (w: QueueWorld, id: string, token: number) => w.fail(id, token, "handed-back"),
    ],
    ["is lost", (w: QueueWorld) => w.at(LEASE_MS).tick()],
    ["is cancelled", (w: QueueWorld, id: string) => w.cancel(id)],
  ])("has room again when a job %s", (_, end) => {
    const world = new QueueWorld();
    world.set({ runningMax: 1 });
    const [first = "", second = ""] = world.addMany(2);
    const token = world.begin(first);
    end(world, first, token);
    expect(world.before).toEqual([second]);
  });

  test("goes by priority, then by arrival, also past those that came earlier", () => {
    const world = new QueueWorld();
    world.set({ runningMax: 1 });
    let running = world.add();
    let token = world.begin(running);
    const priorities = [0, 5, 0, 1_000, 5];
    const ids = priorities.map((priority) => world.add({ priority }));
    const order: number[] = [];
    for (const _ of ids) {
      world.succeed(running, token);
      running = world.before[0] ?? "";
      order.push(ids.indexOf(running));
      token = world.begin(running);
    }
    expect(order).toEqual([3, 1, 4, 0, 2]);
  });

  test("that is raised lets more in, that is taken away all", () => {
    const world = new QueueWorld();
    world.set({ runningMax: 1 });
    const ids = world.addMany(5);
    world.set({ runningMax: 3 });
    expect(world.before).toEqual(ids.slice(0, 3));
    world.set({ runningMax: 0 });
    expect(world.before).toEqual(ids);
  });

  test("that comes down lets what runs go on", () => {
    const world = new QueueWorld();
    const ids = world.addMany(3);
    const tokens = ids.map((id) => world.begin(id));
    world.set({ runningMax: 1 });
    const late = world.add();
    world.succeed(ids[0] ?? "", tokens[0] ?? 0);
    world.succeed(ids[1] ?? "", tokens[1] ?? 0);
    expect(world.before).toEqual([]);
    world.succeed(ids[2] ?? "", tokens[2] ?? 0);
    expect(world.before).toEqual([late]);
  });

  test("over all queues gives room to the first of all lines", () => {
    const world = new QueueWorld(["default", "other"]);
    world.set({ runningMax: 1 }, "*");
    const running = world.add();
    const token = world.begin(running);
    const [low, high] = [world.add(), world.add({ kind: "in-other", priority: 9 })];
    expect(world.before).toEqual([]);
    world.succeed(running, token);
    expect(world.before).toEqual([high]);
    world.cancel(high ?? "");
    expect(world.before).toEqual([low]);
  });

  test("puts a place by for a while only: who does not start lets the next one try", () => {
    const world = new QueueWorld();
    world.set({ runningMax: 1 });
    const [first = "", second = "", third = ""] = world.addMany(3);
    expect(nextDueMs(world.ledger)).toBe(START_MS + CLAIM_MS);
    world.at(CLAIM_MS).tick();
    expect(world.before).toEqual([first, second]);
    const token = world.begin(second);
    // It may come late all the same, and then has its old place before the third.
    expect(world.start(first)).toMatchObject(LIMITED);
    world.succeed(second, token);
    expect(world.changes.slice(1)).toEqual([`${first} unparked`]);
    expect(world.job(third).waitsAt).toBe("queue");
  });
});

describe("a concurrency key", () => {
  const key = (limit: number, name = "c") => ({ concurrencyKeys: [{ key: name, limit }] });

  test("runs as many as it says, first come first served, in whatever queues", () => {
    const world = new QueueWorld(["default", "other"]);
    const ids = [key(2), key(2), { ...key(2), kind: "in-other" }, key(2)].map((spec) =>
      world.add(spec),
    );
    expect(world.before).toEqual(ids.slice(0, 2));
    const token = world.begin(ids[0] ?? "");
    world.begin(ids[1] ?? "");
    world.succeed(ids[0] ?? "", token);
    expect(world.changes).toEqual([`${ids[0]} succeeded`, `${ids[2]} unparked`]);
    expect(world.job(ids[3] ?? "")).toMatchObject({ waitsAt: "key:c", parkedFor: "" });
  });

  test("holds back only those that have it", () => {
    const world = new QueueWorld();
    world.begin(world.add(key(1)));
    const [held, free, other] = [world.add(key(1)), world.add(), world.add(key(1, "d"))];
    expect(world.before).toEqual([free, other]);
    expect(world.job(held ?? "").waitsAt).toBe("key:c");
  });

  test("with a smaller limit keeps those behind it waiting, too", () => {
    const world = new QueueWorld();
    const running = world.add(key(3));
    const token = world.begin(running);
    const [strict = "", loose = ""] = [world.add(key(1)), world.add(key(3))];
    expect(world.before).toEqual([]);
    world.succeed(running, token);
    expect(world.before).toEqual([strict]);
    expect(world.job(loose).waitsAt).toBe("key:c");
    world.cancel(strict);
    expect(world.before).toEqual([loose]);
  });

  test("is filled from the payload by the kind's templates", () => {
    const world = new QueueWorld();
    const kinds = world.log[1]?.command.body;
    if (kinds?.kind !== "register-kinds" || kinds.kinds[0] === undefined) throw new Error("kinds");
    const concurrencyTemplates = [{ key: "to:{to}", limit: 4 }];
    world.commit({ kind: "register-kinds", kinds: [{ ...kinds.kinds[0], concurrencyTemplates }] });
    expect(world.job(world.add()).concurrencyKeys).toEqual([{ key: "to:ada", limit: 4 }]);
    const payload = Buffer.from("{}");
    expect(world.submit({ payload })).toMatchObject({
      reason: "lock-template-unfilled",
      value: "to:{to}",
    });
  });

  test("with a lock key and a limit of the queue: all or nothing, and no deadlock", () => {
    const world = new QueueWorld();
    world.set({ runningMax: 2 });
    const all = { ...key(1), lockKeys: ["a"] };
    const ids = [all, all, { lockKeys: ["a"] }, key(1)].map((spec) => world.add(spec));
    const ran: string[] = [];
    while (world.before.length > 0) {
      const id = world.before[0] ?? "";
      ran.push(id);
      world.succeed(id, world.begin(id));
    }
    expect(ran.toSorted()).toEqual(ids.toSorted());
  });

  test("of one in a queue that is full keeps its place there, not the key, for long", () => {
    const world = new QueueWorld(["default", "other"]);
    world.set({ runningMax: 1 });
    const running = world.add({ ...key(1), kind: "in-other" });
    const token = world.begin(running);
    const filler = world.add();
    const fillerToken = world.begin(filler);
    const [blocked = "", elsewhere = ""] = [
      world.add(key(1)),
      world.add({ ...key(1), kind: "in-other" }),
    ];
    world.succeed(running, token);
    // Woken for the key, held back by its queue: the key is put by for it, for a while.
    expect(world.job(blocked).waitsAt).toBe("queue");
    expect(world.job(elsewhere).waitsAt).toBe("key:c");
    world.at(CLAIM_MS - 1).renew({ jobId: filler, token: fillerToken });
    world.at(CLAIM_MS).tick();
    expect(world.before).toEqual([elsewhere]);
    world.succeed(elsewhere, world.begin(elsewhere));
    world.succeed(filler, fillerToken);
    expect(world.before).toEqual([blocked]);
  });
});

describe("a rate", () => {
  const rate = (count: number, periodMs: number) => ({ rate: { count, periodMs } });

  test("lets so many start in any period, and the next when the oldest leaves it", () => {
    const world = new QueueWorld();
    world.set(rate(2, 1_000));
    const ids = world.addMany(4);
    world.begin(ids[0] ?? "");
    world.at(400).begin(ids[1] ?? "");
    expect(world.before).toEqual([]);
    expect(nextDueMs(world.ledger)).toBe(START_MS + 1_000);
    world.at(999).tick();
    expect(world.before).toEqual([]);
    world.at(1_000).tick();
    expect(world.before).toEqual([ids[2]]);
    world.begin(ids[2] ?? "");
    expect(nextDueMs(world.ledger)).toBe(START_MS + 1_400);
  });

  test("refuses a start that BullMQ brings too early", () => {
    const world = new QueueWorld();
    const [first = "", second = ""] = world.addMany(2);
    world.set(rate(1, 60_000));
    world.begin(first);
    expect(world.start(second)).toMatchObject(LIMITED);
    expect(nextDueMs(world.ledger)).toBe(START_MS + LEASE_MS);
  });

  test("of nothing, or within no time, is none", () => {
    const world = new QueueWorld();
    for (const none of [rate(0, 1_000), rate(5, 0)]) {
      world.set(rate(1, 1_000));
      expect(world.set(none)).toMatchObject({
        queue: { limits: { rateCount: 0, ratePeriodMs: 0 } },
      });
    }
    world.addMany(3);
    expect(world.before).toHaveLength(3);
  });
});
