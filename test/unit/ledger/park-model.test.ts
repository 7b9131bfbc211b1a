// The lines for lock keys against a dumb second implementation: one list of jobs and locks, looked
// through from the start.

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { CLAIM_MS } from "../../../ledger/park.ts";
import { assertRuns } from "../../support/bounded-shrink.ts";
import { kindOf, START_MS, World } from "./world.ts";

interface Actor {
  readonly id: string;
  readonly isLock: boolean;
  readonly keys: readonly string[];
  state: "queued" | "parked" | "running" | "over";
  parkedFor: string;
  place: number;
  claimedAtMs: number | null;
}

/** Without any index. Each call tells what changed, as the ledger does: jobs, then locks. */
class Model {
  readonly actors: Actor[] = [];
  nowMs = START_MS;
  #lastPlace = 0;
  #told: string[] = [];

  start(job: Actor): string[] {
    const held = job.keys.find((key) => this.#isHeld(job, key));
    return this.#telling(() => {
      if (held === undefined) this.#go(job, "running");
      else if (job.parkedFor !== held) this.#park(job, held);
    });
  }

  acquire(lock: Actor, waits: boolean): string[] {
    this.actors.push(lock);
    const taken = lock.keys.find((key) => this.#isTaken(lock, key));
    return this.#telling(() => {
      if (taken === undefined) this.#go(lock, "granted");
      else if (waits) this.#park(lock, taken);
      else this.#leave(lock, "not-granted");
    });
  }

  end(one: Actor, event: string): string[] {
    return this.#telling(() => this.#leave(one, event));
  }

  expireClaims(): string[] {
    const isOver = ({ claimedAtMs }: Actor) =>
      claimedAtMs !== null && claimedAtMs + CLAIM_MS <= this.nowMs;
    const over = this.actors.filter(isOver);
    const inOrder = over.toSorted((a, b) => (a.claimedAtMs ?? 0) - (b.claimedAtMs ?? 0));
    return inOrder.flatMap((job) =>
      this.#telling(() => {
        job.claimedAtMs = null;
      }),
    );
  }

  #go(one: Actor, event: string): void {
    Object.assign(one, { state: "running", parkedFor: "", place: 0, claimedAtMs: null });
    this.#told.push(`${one.id} ${event}`);
  }

  #park(one: Actor, key: string): void {
    this.#lastPlace += one.place === 0 ? 1 : 0;
    const place = one.place || this.#lastPlace;
    Object.assign(one, { state: "parked", parkedFor: key, place, claimedAtMs: null });
    if (!one.isLock) this.#told.push(`${one.id} parked`);
  }

  #leave(one: Actor, event: string): void {
    Object.assign(one, { state: "over", parkedFor: "", place: 0, claimedAtMs: null });
    this.#told.push(`${one.id} ${event}`);
  }

  #telling(change: () => void): string[] {
    this.#told = [];
    change();
    const parked = this.actors.filter(({ state }) => state === "parked");
    for (const one of parked.toSorted((a, b) => a.place - b.place)) {
      if (this.#isTaken(one, one.parkedFor)) continue;
      const taken = one.keys.find((key) => this.#isTaken(one, key));
      if (taken !== undefined) {
        this.#park(one, taken);
      } else if (one.isLock) {
        this.#go(one, "granted");
      } else {
        Object.assign(one, { state: "queued", parkedFor: "", claimedAtMs: this.nowMs });
        this.#told.push(`${one.id} unparked`);
      }
    }
    return this.#told;
  }

  #isHeld(one: Actor, key: string): boolean {
    return this.actors.some(({ id, keys, state, place }) => {
      if (id === one.id || !keys.includes(key)) return false;
      return state === "running" || (state === "parked" && (one.place === 0 || place < one.place));
    });
  }

  #isTaken(one: Actor, key: string): boolean {
    const isClaimed = this.actors.some(
      ({ id, keys, claimedAtMs }) => id !== one.id && claimedAtMs !== null && keys.includes(key),
    );
    return isClaimed || this.#isHeld(one, key);
  }
}

const WHATS = ["add", "add", "start", "start", "start", "finish", "finish", "cancel", "wait"];
const step = fc.record({
  what: fc.constantFrom(...WHATS, "acquire", "acquire", "let-go", "let-go", "give-up"),
  pick: fc.nat(1_000),
  keys: fc.uniqueArray(fc.constantFrom("a", "b", "c", "d"), { maxLength: 3 }),
});

function fresh(id: string, keys: readonly string[], isLock: boolean): Actor {
  return { id, isLock, keys, state: "queued", parkedFor: "", place: 0, claimedAtMs: null };
}

/** Which of the actors a step of this sort can be about. */
function canBe(what: string, { isLock, state }: Actor): boolean {
  if (what === "let-go") return isLock && state === "running";
  if (what === "give-up") return isLock && state === "parked";
  if (what === "finish") return !isLock && state === "running";
  return !isLock && (state === "queued" || state === "parked");
}

test("parks, moves, wakes and grants the same in the same order as the model", () => {
  const reached = { parked: 0, granted: 0 };
  assertRuns(
    fc.property(fc.array(step, { minLength: 20, maxLength: 100, size: "max" }), (steps) => {
      const world = new World([kindOf({ attemptTimeoutMs: 0 })]);
      const model = new Model();
      const tokens = new Map<string, number>();
      const locks = () => [...world.ledger.locks.values()];
      for (const [position, { what, pick, keys }] of steps.entries()) {
        const able = model.actors.filter((one) => canBe(what, one));
        const one = able[pick % Math.max(1, able.length)];
        const { id = "" } = one ?? {};
        let told: string[] = [];
        if (what === "add") {
          model.actors.push(fresh(world.add({ lockKeys: keys }), keys, false));
          continue;
        }
        if (what === "acquire") {
          const lockKeys = keys.length === 0 ? ["a"] : keys;
          const waits = pick % 3 > 0;
          const { lockId } = world.acquire(lockKeys, { waitMs: waits ? 3_600_000 : 0 });
          told = model.acquire(fresh(lockId, lockKeys, true), waits);
        } else if (what === "wait") {
          // Who lives is renewed: this is about claims.
          model.nowMs += 4_000;
          world.at(model.nowMs - START_MS);
          world.renew(...[...tokens].map(([jobId, token]) => ({ jobId, token })));
          const refs = locks().map(({ id: lockId, token }) => ({ lockId, token }));
          world.commit({ kind: "renew-locks", locks: refs });
          world.tick();
          told = model.expireClaims();
        } else if (one === undefined) {
          continue;
        } else if (what === "start") {
          told = model.start(one);
          const result = world.start(id, `s${position}`);
          if (result.kind === "started") tokens.set(id, result.token);
        } else if (what === "finish") {
          told = model.end(one, "succeeded");
          world.succeed(id, tokens.get(id) ?? 0);
          tokens.delete(id);
        } else if (what === "cancel") {
          told = model.end(one, "cancelled");
          world.cancel(id);
        } else {
          told = model.end(one, "released");
          world.letGo(id, world.ledger.locks.get(id)?.token ?? 0);
        }
        const isOfLock = (line: string) => line.startsWith("l-");
        expect(world.changes).toEqual(told.filter((line) => !isOfLock(line)));
        expect(world.lockChanges).toEqual(told.filter(isOfLock));
        for (const { id: each, isLock, parkedFor } of model.actors) {
          const known = isLock ? world.ledger.locks.get(each) : world.job(each);
          // A lock that is over is forgotten one day.
          expect(known?.parkedFor ?? "").toBe(parkedFor);
        }
      }
      reached.parked += world.ledger.lastPlace;
      reached.granted += world.ledger.counters.locksGranted;
    }),
    { numRuns: 150 },
  );
  for (const count of Object.values(reached)) expect(count).toBeGreaterThan(150);
});
