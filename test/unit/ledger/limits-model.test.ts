// Limits against a dumb second implementation: no line, no claim, no index; it only knows who may
// run, and looks at everything each time. Workers start what BullMQ has, in any order, and more.

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { nextDueMs, queuedJobs } from "../../../ledger/ledger.ts";
import { assertRuns } from "../../support/bounded-shrink.ts";
import { kindOf, START_MS, World } from "./world.ts";

const QUEUES = ["one", "two"] as const;
const KEYS = ["a", "b"] as const;

interface Limits {
  isPaused: boolean;
  runningMax: number;
  rate: { count: number; periodMs: number } | null;
  /** Since its rate was set. */
  starts: number[];
}

interface Known {
  readonly id: string;
  readonly queue: string;
  readonly keys: readonly { key: string; limit: number }[];
  readonly lockKeys: readonly string[];
  token: number;
  isOver: boolean;
}

/** Who runs, and what may: as the proto's sentences say it. */
class Model {
  readonly jobs: Known[] = [];
  readonly queues = new Map<string, Limits>();
  allMax = 0;

  limits(queue: string): Limits {
    const known = this.queues.get(queue) ?? {
      isPaused: false,
      runningMax: 0,
      rate: null,
      starts: [],
    };
    this.queues.set(queue, known);
    return known;
  }

  /** null: it may start now. */
  obstacle(job: Known, nowMs: number): string | null {
    const running = this.jobs.filter(({ token, isOver }) => token > 0 && !isOver);
    const { isPaused, runningMax, rate, starts } = this.limits(job.queue);
    if (isPaused) return "paused";
    const here = running.filter(({ queue }) => queue === job.queue).length;
    if (runningMax > 0 && here >= runningMax) return "queue";
    if (this.allMax > 0 && running.length >= this.allMax) return "all";
    const recent = starts.filter((at) => at > nowMs - (rate?.periodMs ?? 0)).length;
    if (rate !== null && recent >= rate.count) return "rate";
    for (const { key, limit } of job.keys) {
      const under = running.flatMap((one) => one.keys.filter((other) => other.key === key));
      if (under.length >= Math.min(limit, ...under.map((one) => one.limit))) return key;
    }
    const isHeld = (key: string): boolean => running.some((one) => one.lockKeys.includes(key));
    return job.lockKeys.find(isHeld) ?? null;
  }
}

const step = fc.record({
  what: fc.constantFrom(
    ...["add", "add", "add", "start", "start", "start", "start", "finish", "finish", "finish"],
    ...["wait", "wait", "set", "cancel"],
  ),
  pick: fc.nat(10_000),
});

/** Both worlds, moved together. */
class Pair {
  readonly world = new World(
    QUEUES.map((queue) => kindOf({ kind: queue, queue, maxAttempts: 99 })),
  );
  readonly model = new Model();
  refused = 0;
  #starts = 0;

  do({ what, pick }: { what: string; pick: number }): void {
    if (what === "add") this.#add(pick);
    else if (what === "set") this.#set(pick);
    else if (what === "wait") this.#wait(700);
    else this.#steer(what, pick);
  }

  /** Workers start whatever is there, everything ends, and time passes as long as it is due. */
  finishAll(): void {
    for (const queue of QUEUES) {
      this.#apply(queue, { isPaused: false });
      this.model.limits(queue).isPaused = false;
    }
    for (let round = 0; round < 2_000; round += 1) {
      const [next] = queuedJobs(this.world.ledger);
      const running = this.model.jobs.find(({ token, isOver }) => token > 0 && !isOver);
      if (running !== undefined && round % 2 === 0) this.#finish(running);
      else if (next !== undefined) this.#start(next.id);
      else if (running !== undefined) this.#finish(running);
      else {
        const dueMs = nextDueMs(this.world.ledger);
        if (dueMs === null) return;
        this.#wait(Math.max(0, dueMs - this.world.nowMs));
      }
    }
  }

  #add(pick: number): void {
    const queue = QUEUES[pick % 2] ?? "one";
    const keys = KEYS.filter((_, at) => (pick >> (at + 1)) % 3 === 0).map((key) => {
      return { key, limit: 1 + (pick % 3) };
    });
    const lockKeys = pick % 5 === 0 ? ["lock"] : [];
    const priority = pick % 4 === 0 ? 1 + (pick % 3) : 0;
    const id = this.world.add({ kind: queue, concurrencyKeys: keys, lockKeys, priority });
    this.model.jobs.push({ id, queue, keys, lockKeys, token: 0, isOver: false });
  }

  #set(pick: number): void {
    if (pick % 4 === 0) {
      this.model.allMax = pick % 5;
      this.#apply("*", { runningMax: this.model.allMax });
      return;
    }
    const queue = QUEUES[pick % 2] ?? "one";
    const limits = this.model.limits(queue);
    if (pick % 3 === 0) limits.isPaused = pick % 2 === 0;
    else if (pick % 3 === 1) limits.runningMax = pick % 4;
    else {
      const count = pick % 3;
      // A count that comes down keeps the last starts, one that was none knows of none.
      if (limits.rate === null || count === 0) limits.starts = [];
      limits.rate = count === 0 ? null : { count, periodMs: 2_000 };
    }
    const { isPaused, runningMax, rate } = limits;
    this.#apply(queue, { isPaused, runningMax, rate: rate ?? { count: 0, periodMs: 0 } });
  }

  #apply(queue: string, change: object): void {
    const nothing = { isPaused: null, runningMax: null, rate: null, waitingMax: null };
    this.world.commit({ kind: "set-queue", queue, ...nothing, ...change });
  }

  #wait(ms: number): void {
    this.world.at(this.world.nowMs + ms - START_MS);
    const live = this.model.jobs.filter(({ token, isOver }) => token > 0 && !isOver);
    this.world.renew(...live.map(({ id, token }) => ({ jobId: id, token })));
    this.world.tick();
  }

  #steer(what: string, pick: number): void {
    const open = this.model.jobs.filter(
      (job) => !job.isOver && (what !== "finish" || job.token > 0),
    );
    const job = open[pick % Math.max(1, open.length)];
    if (job === undefined) return;
    if (what === "start" && job.token === 0) this.#start(job.id);
    if (what === "finish") this.#finish(job);
    if (what === "cancel" && job.token === 0) {
      this.world.cancel(job.id);
      job.isOver = true;
    }
  }

  #start(id: string): void {
    const job = this.model.jobs.find((one) => one.id === id);
    if (job === undefined) throw new Error(`${id} is known`);
    const isBefore = [...queuedJobs(this.world.ledger)].some((one) => one.id === id);
    const obstacle = this.model.obstacle(job, this.world.nowMs);
    this.#starts += 1;
    const result = this.world.start(id, `s${this.#starts}`);
    if (result.kind === "started") {
      expect([id, obstacle]).toEqual([id, null]);
      job.token = result.token;
      const limits = this.model.limits(job.queue);
      if (limits.rate !== null) limits.starts.push(this.world.nowMs);
    } else {
      this.refused += 1;
      // What is before workers and may run is not sent away, but for those who wait for its lock.
      if (isBefore && job.lockKeys.length === 0) expect(obstacle).not.toBeNull();
    }
  }

  #finish(job: Known): void {
    expect(this.world.succeed(job.id, job.token)).toMatchObject({ kind: "finished" });
    job.isOver = true;
  }
}

test("no start breaks a limit, none that may start is refused, and all jobs end", () => {
  let [refused, ended] = [0, 0];
  assertRuns(
    fc.property(fc.array(step, { minLength: 30, maxLength: 150, size: "max" }), (steps) => {
      const pair = new Pair();
      for (const one of steps) pair.do(one);
      pair.finishAll();
      expect(pair.model.jobs.filter(({ isOver }) => !isOver).map(({ id }) => id)).toEqual([]);
      refused += pair.refused;
      ended += pair.model.jobs.length;
    }),
    { numRuns: 100 },
  );
  expect(refused).toBeGreaterThan(50);
  expect(ended).toBeGreaterThan(200);
});

test("the line is let in by priority, then in the order in which jobs came", () => {
  const job = fc.record({ priority: fc.constantFrom(0, 0, 3, 1_000), isBehindKey: fc.boolean() });
  assertRuns(
    fc.property(fc.array(job, { minLength: 2, maxLength: 30 }), (jobs) => {
      const world = new World();
      const nothing = { isPaused: null, rate: null, waitingMax: null };
      world.commit({ kind: "set-queue", queue: "default", ...nothing, runningMax: 1 });
      let running = world.add();
      let token = world.begin(running);
      const all = jobs.map(({ priority, isBehindKey }, arrival) => {
        const concurrencyKeys = isBehindKey ? [{ key: "k", limit: 1 }] : [];
        return { id: world.add({ priority, concurrencyKeys }), priority, arrival };
      });
      const order: string[] = [];
      for (const _ of all) {
        world.succeed(running, token);
        running = [...queuedJobs(world.ledger)][0]?.id ?? "";
        order.push(running);
        token = world.begin(running);
      }
      all.sort((one, other) => other.priority - one.priority || one.arrival - other.arrival);
      expect(order).toEqual(all.map(({ id }) => id));
    }),
    { numRuns: 100 },
  );
});
