// Pauses, limits and priorities with real workers, BullMQ and Redis.

import { describe, expect, test } from "@jest/globals";
import { z } from "zod";
import type { CommandBody } from "../../../ledger/command.ts";
import { defineJob } from "../../../workers/define-job.ts";
import { startPipeline } from "../../support/pipeline.ts";

const pipeline = await startPipeline({ reconcileMs: 500 });
const { quorum, submit, until, result, job, raw } = pipeline;
const numbered = z.object({ n: z.number() });
const CALL = { timeoutMs: 5_000, traceparent: "" };

type SetQueue = Extract<CommandBody, { kind: "set-queue" }>;

async function set(queue: string, change: Partial<SetQueue>): Promise<void> {
  const nothing = { isPaused: null, runningMax: null, rate: null, waitingMax: null };
  const outcome = await quorum.propose({ kind: "set-queue", queue, ...nothing, ...change }, CALL);
  if (outcome.kind !== "applied") throw new Error(outcome.kind);
}

/** Handlers that count how many of them run at the same time. */
function crowd() {
  let [running, most] = [0, 0];
  return {
    most: () => most,
    async enter(): Promise<void> {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setTimeout(resolve, 5));
      running -= 1;
    },
  };
}

describe("priority", () => {
  test("a higher number runs earlier, among all that BullMQ has", async () => {
    const order: number[] = [];
    const ranked = defineJob({
      kind: "ranked",
      queue: "ranked",
      input: numbered,
      handler({ n }) {
        order.push(n);
        return n;
      },
    });
    await set("ranked", { runningMax: 0 });
    const register = { ...ranked.retry, attemptTimeoutMs: 0, totalTimeoutMs: 0 };
    const templates = { lockTemplates: [], concurrencyTemplates: [] };
    const backoff = { ...ranked.retry.backoff, jitter: 0.5 };
    const kind = { ...register, ...templates, backoff, kind: "ranked", queue: "ranked" };
    await quorum.propose({ kind: "register-kinds", kinds: [kind] }, CALL);
    const priorities = [0, 10, 0, 1_000, 10];
    const ids: string[] = [];
    for (const [n, priority] of priorities.entries()) {
      ids.push(await submit("ranked", { n }, { priority }));
    }
    await pipeline.startWorker([ranked], { concurrency: 1 });
    await Promise.all(ids.map(result));
    expect(order).toEqual([3, 1, 4, 0, 2]);
  }, 30_000);
});

describe("a pause", () => {
  test("stops the next start at once, lets what runs go on, and loses nothing", async () => {
    const begun = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    const held = defineJob({
      kind: "held",
      queue: "held",
      input: numbered,
      async handler({ n }) {
        if (n === 0) {
          begun.resolve();
          await gate.promise;
        }
        return n;
      },
    });
    await pipeline.startWorker([held], { concurrency: 1 });
    const ids = [await submit("held", { n: 0 }), await submit("held", { n: 1 })];
    await begun.promise;
    await set("held", { isPaused: true });
    gate.resolve();
    expect(await result(ids[0] ?? "")).toBe(0);
    // The worker takes it from BullMQ, and is told that it may not start it.
    await new Promise<void>((resolve) => {
      const look = (): boolean => job(ids[1] ?? "").waitsAt === "queue";
      const forget = quorum.onChanges(() => {
        if (!look()) return;
        forget();
        resolve();
      });
      if (look()) resolve();
    });
    expect(job(ids[1] ?? "")).toMatchObject({ state: "queued", attempts: [] });
    await set("held", { isPaused: false });
    expect(await result(ids[1] ?? "")).toBe(1);
  }, 30_000);
});

describe("limits", () => {
  test("hold when Redis is wiped under load and brings jobs twice", async () => {
    const count = 120;
    const all = crowd();
    const limited = defineJob({
      kind: "limited",
      queue: "limited",
      input: numbered,
      async handler({ n }) {
        await all.enter();
        return n;
      },
    });
    await set("limited", { runningMax: 3 });
    await pipeline.startWorker([limited], { concurrency: 20 });
    const ids: string[] = [];
    for (let n = 0; n < count; n += 1) ids.push(await submit("limited", { n }));
    await until(ids[count / 4] ?? "", "succeeded");
    await raw.flushall();
    await until(ids[count / 2] ?? "", "succeeded");
    await raw.flushall();
    expect(await Promise.all(ids.map(result))).toEqual(ids.map((_id, n) => n));
    expect(all.most()).toBe(3);
  }, 30_000);

  test("by key: as many at a time as it says, each customer by itself", async () => {
    const crowds = [crowd(), crowd()];
    const perCustomer = defineJob({
      kind: "per-customer",
      queue: "per-customer",
      input: z.object({ customer: z.number(), n: z.number() }),
      concurrency: { key: "customer:{customer}", limit: 2 },
      async handler({ customer, n }) {
        await crowds[customer]?.enter();
        return n;
      },
    });
    await pipeline.startWorker([perCustomer], { concurrency: 20 });
    const ids: string[] = [];
    for (let n = 0; n < 60; n += 1) ids.push(await submit("per-customer", { customer: n % 2, n }));
    await Promise.all(ids.map(result));
    expect(crowds.map((one) => one.most())).toEqual([2, 2]);
  }, 30_000);
});
