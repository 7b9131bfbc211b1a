// Rules of ledger/park.ts: lock keys, the line for each, and claims.

import { describe, expect, test } from "@jest/globals";
import { nextDueMs, queuedJobs } from "../../../ledger/ledger.ts";
import { CLAIM_MS } from "../../../ledger/park.ts";
import { kindOf, LEASE_MS, START_MS, World } from "./world.ts";

const unlimited = () => new World([kindOf({ maxAttempts: 9 })]);

function queuedIds(world: World): string[] {
  return [...queuedJobs(world.ledger)].map((job) => job.id);
}

/** Adds jobs with these keys; each must find a key held when it tries to start. */
function parkAll(world: World, ...keys: string[][]): string[] {
  return keys.map((lockKeys) => {
    const id = world.add({ lockKeys });
    expect(world.start(id)).toMatchObject({ reason: "locked" });
    return id;
  });
}

describe("lock keys", () => {
  test("a start that names a held key is refused, and the job is parked out of BullMQ", () => {
    const world = unlimited();
    const holder = world.add({ lockKeys: ["a"] });
    const waiter = world.add({ lockKeys: ["x", "a"] });
    world.begin(holder);
    expect(world.start(waiter)).toEqual({
      kind: "start-refused",
      reason: "locked",
      lockKey: "a",
    });
    expect(world.changes).toEqual([`${waiter} parked`]);
    expect(world.job(waiter)).toMatchObject({ state: "queued", parkedFor: "a", dispatch: 1 });
    expect(world.job(waiter).changeIndex).toBe(world.index);
    expect(queuedIds(world)).toEqual([]);
  });

  test("a parked job that is started again stays as it is", () => {
    const world = unlimited();
    world.begin(world.add({ lockKeys: ["a"] }));
    const [waiter = ""] = parkAll(world, ["a"]);
    const { changeIndex } = world.job(waiter);
    expect(world.start(waiter)).toMatchObject({ reason: "locked", lockKey: "a" });
    expect(world.changes).toEqual([]);
    expect(world.job(waiter).changeIndex).toBe(changeIndex);
  });

  test.each([
    ["succeeded", (world: World, id: string, token: number) => world.succeed(id, token)],
    ["failed", (world: World, id: string, token: number) => world.fail(id, token)],
    [
      "handed-back",
      (world: World, id: string, token: number) => world.fail(id, token, "handed-back"),
    ],
    ["lost", (world: World) => world.at(LEASE_MS).tick()],
  ])("an attempt that ends %s frees its keys for the first in line", (_, end) => {
    const world = unlimited();
    const holder = world.add({ lockKeys: ["a", "b"] });
    const token = world.begin(holder);
    const [first = "", second = ""] = parkAll(world, ["a"], ["a"]);
    end(world, holder, token);
    expect(world.changes.slice(1)).toEqual([`${first} unparked`]);
    expect(world.job(first)).toMatchObject({ state: "queued", parkedFor: "", dispatch: 2 });
    expect(world.job(second)).toMatchObject({ parkedFor: "a", dispatch: 1 });
    expect(queuedIds(world)).toContain(first);
  });

  test("one release wakes all whose keys do not overlap, in the order they came", () => {
    const world = unlimited();
    const holder = world.add({ lockKeys: ["a", "b", "c"] });
    const token = world.begin(holder);
    const [a1, bc, c1, a2] = parkAll(world, ["a"], ["b", "c"], ["c"], ["a"]);
    world.succeed(holder, token);
    expect(world.changes.slice(1)).toEqual([`${a1} unparked`, `${bc} unparked`]);
    expect([c1, a2].map((id) => world.job(id ?? "").parkedFor)).toEqual(["c", "a"]);
  });

  test("who needs another held key, too, waits for that; those behind it wait for it", () => {
    const world = unlimited();
    const [onA, onB] = [world.add({ lockKeys: ["a"] }), world.add({ lockKeys: ["b"] })];
    const [tokenA, tokenB] = [world.begin(onA), world.begin(onB)];
    const [both = "", onlyB = "", onlyA = ""] = parkAll(world, ["a", "b"], ["b"], ["a"]);
    world.succeed(onA, tokenA);
    expect(world.changes.slice(1)).toEqual([`${both} parked`]);
    expect([both, onlyB, onlyA].map((id) => world.job(id).parkedFor)).toEqual(["b", "b", "a"]);
    world.succeed(onB, tokenB);
    expect(world.changes.slice(1)).toEqual([`${both} unparked`]);
    world.succeed(both, world.begin(both));
    expect(world.changes.slice(1)).toEqual([`${onlyB} unparked`, `${onlyA} unparked`]);
  });

  test("the whole line runs one after the other, each woken by the one before", () => {
    const world = unlimited();
    const head = world.add({ lockKeys: ["a"] });
    let token = world.begin(head);
    const line = parkAll(world, ["a"], ["a"], ["a"], ["a"]);
    let running = head;
    const woken: string[] = [];
    for (const next of line) {
      world.succeed(running, token);
      woken.push(...queuedIds(world));
      token = world.begin(next);
      running = next;
    }
    expect(woken).toEqual(line);
  });

  test("a newcomer may take a key that is put by; who was woken comes before later ones", () => {
    const world = unlimited();
    const head = world.add({ lockKeys: ["a"] });
    const token = world.begin(head);
    const [first = ""] = parkAll(world, ["a"]);
    world.succeed(head, token);
    const newcomer = world.add({ lockKeys: ["a"] });
    const newToken = world.begin(newcomer);
    const [second = ""] = parkAll(world, ["a"]);
    expect(world.start(first)).toMatchObject({ reason: "locked" });
    expect(world.changes).toEqual([`${first} parked`]);
    world.succeed(newcomer, newToken);
    expect(world.changes.slice(1)).toEqual([`${first} unparked`]);
    expect(world.job(second).parkedFor).toBe("a");
  });

  test("a newcomer waits behind whoever is in line, also for a key that nobody holds", () => {
    const world = unlimited();
    const onA = world.add({ lockKeys: ["a"] });
    const tokenA = world.begin(onA);
    const [both = "", late = ""] = parkAll(world, ["a", "b"], ["b"]);
    expect(world.job(late).parkedFor).toBe("b");
    world.cancel(both);
    expect(world.changes).toEqual([`${both} cancelled`, `${late} unparked`]);
    world.succeed(onA, tokenA);
    expect(world.changes).toEqual([`${onA} succeeded`]);
  });

  test("a stale delivery of a parked job may start it once the key is free", () => {
    const world = unlimited();
    const head = world.add({ lockKeys: ["a"] });
    const token = world.begin(head);
    const [, second = ""] = parkAll(world, ["a"], ["a"]);
    world.succeed(head, token);
    expect(world.start(second)).toMatchObject({ kind: "started" });
    expect(world.job(second)).toMatchObject({ state: "running", parkedFor: "" });
  });

  test("a late copy of the start that parked the job does not start it once it is unparked", () => {
    const world = unlimited();
    const head = world.add({ lockKeys: ["a"] });
    const token = world.begin(head);
    const waiter = world.add({ lockKeys: ["a"] });
    world.start(waiter, "s1");
    expect(world.start(waiter, "s1")).toMatchObject({ reason: "locked", lockKey: "a" });
    world.succeed(head, token);
    expect(world.start(waiter, "s1")).toMatchObject({ reason: "held" });
    expect(world.start(waiter, "s2")).toMatchObject({ kind: "started" });
  });
});

describe("claims", () => {
  function woken() {
    const world = unlimited();
    const head = world.add({ lockKeys: ["a"] });
    const token = world.begin(head);
    const [first = "", second = "", third = ""] = parkAll(world, ["a"], ["a"], ["a"]);
    world.succeed(head, token);
    return { world, first, second, third };
  }

  test("who was woken and is cancelled wakes the next", () => {
    const { world, first, second } = woken();
    world.cancel(first);
    expect(world.changes).toEqual([`${first} cancelled`, `${second} unparked`]);
  });

  test("a parked job that is cancelled leaves the line", () => {
    const { world, first, second, third } = woken();
    world.cancel(second);
    expect(world.changes).toEqual([`${second} cancelled`]);
    world.succeed(first, world.begin(first));
    expect(world.changes).toEqual([`${first} succeeded`, `${third} unparked`]);
  });

  test("who was woken and has to park for another key stays before those behind it", () => {
    const world = unlimited();
    const [onA, onB] = [world.add({ lockKeys: ["a"] }), world.add({ lockKeys: ["b"] })];
    const tokenA = world.begin(onA);
    const [both = "", onlyA = ""] = parkAll(world, ["a", "b"], ["a"]);
    world.succeed(onA, tokenA);
    const tokenB = world.begin(onB);
    world.start(both);
    expect(world.changes).toEqual([`${both} parked`]);
    expect([both, onlyA].map((id) => world.job(id).parkedFor)).toEqual(["b", "a"]);
    world.succeed(onB, tokenB);
    expect(world.changes.slice(1)).toEqual([`${both} unparked`]);
  });

  test("who was woken and does not start in time lets the next try, and stays queued", () => {
    const { world, first, second, third } = woken();
    expect(nextDueMs(world.ledger)).toBe(START_MS + CLAIM_MS);
    world.at(CLAIM_MS - 1).tick();
    expect(world.changes).toEqual([]);
    world.at(CLAIM_MS).tick();
    expect(world.changes).toEqual([`${second} unparked`]);
    expect(queuedIds(world)).toEqual([first, second]);
    expect(world.job(third).parkedFor).toBe("a");
    // Both may try; the one that comes late stands in front of the third again.
    const token = world.begin(second);
    world.start(first);
    world.succeed(second, token);
    expect(world.changes.slice(1)).toEqual([`${first} unparked`]);
  });
});
