// ledger/park.ts against a dumb second implementation: one list, looked through from the start.

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { CLAIM_MS } from "../../../ledger/park.ts";
import { kindOf, START_MS, World } from "./world.ts";

interface Waiting {
  readonly id: string;
  readonly keys: readonly string[];
  state: "queued" | "parked" | "running" | "over";
  parkedFor: string;
  place: number;
  claimedAtMs: number | null;
}

/** Jobs and keys, without any index. Each call tells what changed, as the ledger does. */
class Model {
  readonly jobs: Waiting[] = [];
  #lastPlace = 0;
  #told: string[] = [];

  start(job: Waiting): string[] {
    const held = job.keys.find((key) => this.#isHeld(key));
    return this.#telling(() => {
      if (held === undefined) {
        Object.assign(job, { state: "running", parkedFor: "", place: 0, claimedAtMs: null });
        this.#told.push(`${job.id} running`);
      } else if (job.parkedFor !== held) {
        this.#lastPlace += job.place === 0 ? 1 : 0;
        const place = job.place || this.#lastPlace;
        Object.assign(job, { state: "parked", parkedFor: held, place, claimedAtMs: null });
        this.#told.push(`${job.id} parked`);
      }
    });
  }

  end(job: Waiting, event: string): string[] {
    return this.#telling(() => {
      Object.assign(job, { state: "over", parkedFor: "", place: 0, claimedAtMs: null });
      this.#told.push(`${job.id} ${event}`);
    });
  }

  expire(nowMs: number): string[] {
    const isOver = (job: Waiting) =>
      job.claimedAtMs !== null && job.claimedAtMs + CLAIM_MS <= nowMs;
    const over = this.jobs
      .filter(isOver)
      .sort((a, b) => (a.claimedAtMs ?? 0) - (b.claimedAtMs ?? 0));
    return over.flatMap((job) =>
      this.#telling(() => {
        job.claimedAtMs = null;
      }, nowMs),
    );
  }

  nowMs = START_MS;

  #telling(change: () => void, nowMs = this.nowMs): string[] {
    this.#told = [];
    change();
    for (;;) {
      const next = this.jobs
        .filter((job) => job.state === "parked" && this.#isFree(job.parkedFor))
        .sort((one, other) => one.place - other.place)[0];
      if (next === undefined) return this.#told;
      const blocked = next.keys.find((key) => !this.#isFree(key));
      if (blocked === undefined) {
        Object.assign(next, { state: "queued", parkedFor: "", claimedAtMs: nowMs });
        this.#told.push(`${next.id} unparked`);
      } else {
        next.parkedFor = blocked;
        this.#told.push(`${next.id} parked`);
      }
    }
  }

  #isHeld(key: string): boolean {
    return this.jobs.some((job) => job.state === "running" && job.keys.includes(key));
  }

  #isFree(key: string): boolean {
    const isClaimed = this.jobs.some((job) => job.claimedAtMs !== null && job.keys.includes(key));
    return !isClaimed && !this.#isHeld(key);
  }
}

const step = fc.record({
  what: fc.constantFrom(
    "add",
    "add",
    "start",
    "start",
    "start",
    "finish",
    "finish",
    "cancel",
    "wait",
  ),
  pick: fc.nat(1_000),
  keys: fc.uniqueArray(fc.constantFrom("a", "b", "c", "d"), { maxLength: 3 }),
});

test("parks, moves and wakes the same jobs in the same order as the model", () => {
  let parked = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 20, maxLength: 100, size: "max" }), (steps) => {
      const world = new World([kindOf({ attemptTimeoutMs: 0 })]);
      const model = new Model();
      const tokens = new Map<string, number>();
      for (const [position, { what, pick, keys }] of steps.entries()) {
        const open = model.jobs.filter((job) =>
          what === "finish" ? job.state === "running" : !["over", "running"].includes(job.state),
        );
        const job = open[pick % Math.max(1, open.length)];
        let told: string[] = [];
        if (what === "add") {
          const fresh = {
            keys,
            state: "queued",
            parkedFor: "",
            place: 0,
            claimedAtMs: null,
          } as const;
          model.jobs.push({ ...fresh, id: world.add({ lockKeys: keys }) });
          continue;
        }
        if (what === "wait") {
          // Live attempts are renewed: this is about claims.
          model.nowMs += 4_000;
          world.at(model.nowMs - START_MS);
          world.renew(...[...tokens].map(([jobId, token]) => ({ jobId, token })));
          world.tick();
          told = model.expire(model.nowMs);
        } else if (job === undefined) {
          continue;
        } else if (what === "start") {
          told = model.start(job);
          const result = world.start(job.id, `s${position}`);
          if (result.kind === "started") tokens.set(job.id, result.token);
        } else if (what === "finish") {
          told = model.end(job, "succeeded");
          world.succeed(job.id, tokens.get(job.id) ?? 0);
          tokens.delete(job.id);
        } else {
          told = model.end(job, "cancelled");
          world.cancel(job.id);
        }
        expect(world.changes).toEqual(told);
        for (const { id, parkedFor } of model.jobs) expect(world.job(id).parkedFor).toBe(parkedFor);
      }
      parked += world.ledger.lastPlace;
    }),
    { numRuns: 150, interruptAfterTimeLimit: 20_000 },
  );
  expect(parked).toBeGreaterThan(150);
});
