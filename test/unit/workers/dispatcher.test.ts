// The dispatcher over a queue that can be switched off: what is batched, kept, and brought back.

import { afterEach, describe, expect, test } from "@jest/globals";
import type { Job } from "../../../ledger/job.ts";
import type { DeliveryRef } from "../../../transport/redis/delivery.ts";
import type {
  AddOutcome,
  ClearOutcome,
  DueJob,
  JobQueue,
  LookOutcome,
  RemoveOutcome,
} from "../../../transport/redis/job-queue.ts";
import { silentLogger } from "../../../transport/telemetry/logger.ts";
import { createDispatcher, type Dispatcher } from "../../../workers/dispatcher.ts";
import type { QueuedJob } from "../../../workers/due-job.ts";

/** A Redis in memory: what it holds is lost with `wipe`. */
class SwitchableQueue implements JobQueue {
  readonly held = new Set<string>();
  readonly batches: string[][] = [];
  /** What was asked of it while it was there. */
  readonly order: string[] = [];
  /** What a walk finds. */
  strangers: readonly string[] = [];
  /** What a walk has found and left alone, if it can be reached. */
  readonly looked: string[] = [];
  /** Resolves before anything is added. */
  adding: Promise<void> = Promise.resolve();
  #isReady = true;
  #isWiped = false;
  readonly #readyListeners = new Set<() => void>();
  readonly #addListeners = new Set<() => void>();

  addMissing(jobs: readonly DueJob[]): Promise<AddOutcome> {
    return this.addMany(jobs);
  }

  async addMany(jobs: readonly DueJob[]): Promise<AddOutcome> {
    if (!this.#isReady) return { kind: "unreachable", cause: "off" };
    this.order.push("add");
    await this.adding;
    this.batches.push(jobs.map(({ jobId }) => jobId));
    for (const { jobId, dispatch } of jobs) this.held.add(`${jobId}.${dispatch}`);
    for (const listener of this.#addListeners) listener();
    return { kind: "added" };
  }

  async remove(
    over: readonly DeliveryRef[],
    others: readonly DeliveryRef[] = [],
  ): Promise<RemoveOutcome> {
    if (!this.#isReady) return { kind: "unreachable", cause: "off" };
    const gone = over.filter(({ jobId, dispatch }) => this.held.delete(`${jobId}.${dispatch}`));
    this.looked.push(...others.map(({ jobId }) => jobId));
    for (const listener of this.#addListeners) listener();
    return { kind: "removed", over: gone.length, stranded: 0 };
  }

  clearAway(): Promise<ClearOutcome> {
    return Promise.resolve({ kind: "cleared" });
  }

  /** Two at a time. */
  async lookThrough(cursor: string): Promise<LookOutcome> {
    if (!this.#isReady) return { kind: "unreachable", cause: "off" };
    const at = Number(cursor);
    const all = this.strangers.toSorted();
    const deliveries = all.slice(at, at + 2).map((name) => {
      const [jobId = "", dispatch] = name.split(".");
      return { queue: "q", jobId, dispatch: Number(dispatch) };
    });
    const queues = new Set(["q"]);
    return {
      kind: "found",
      deliveries,
      queues,
      cursor: at + 2 < all.length ? String(at + 2) : "0",
    };
  }

  checkEpoch(): Promise<"same" | "lost" | "unreachable"> {
    if (this.#isReady) this.order.push("epoch");
    if (!this.#isReady) return Promise.resolve("unreachable");
    const epoch = this.#isWiped ? "lost" : "same";
    this.#isWiped = false;
    return Promise.resolve(epoch);
  }

  isReady(): boolean {
    return this.#isReady;
  }

  onReady(listener: () => void): () => void {
    this.#readyListeners.add(listener);
    return () => this.#readyListeners.delete(listener);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  off(): void {
    this.#isReady = false;
  }

  on(): void {
    this.#isReady = true;
    for (const listener of this.#readyListeners) listener();
  }

  wipe(): void {
    this.held.clear();
    this.#isWiped = true;
  }

  /** Resolves when it holds as many as this. */
  holds(count: number): Promise<void> {
    return this.until(() => this.held.size >= count);
  }

  /** Resolves when this is so after something was added or taken out. */
  until(isSo: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (isSo()) resolve();
      };
      this.#addListeners.add(look);
      look();
    });
  }
}

const EVERY_MS = 60_000;
let dispatcher: Dispatcher | null = null;
afterEach(() => dispatcher?.stop());

function isOverIn(ledger: ReadonlyMap<string, QueuedJob>, jobId: string, dispatch: number) {
  const job = ledger.get(jobId);
  if (job === undefined || dispatch < job.dispatch) return true;
  return dispatch === job.dispatch && (job.state !== "queued" || job.parkedFor !== "");
}

function setUp(reconcileMs = EVERY_MS) {
  const queue = new SwitchableQueue();
  const ledger = new Map<string, QueuedJob>();
  const created = createDispatcher({
    jobQueue: queue,
    queued: () => ledger.values(),
    isOver: (jobId, dispatch) => isOverIn(ledger, jobId, dispatch),
    isKnownQueue: () => true,
    logger: silentLogger(),
    reconcileMs,
    sweepMs: EVERY_MS,
  });
  dispatcher = created;
  function apply(id: string, more: Partial<QueuedJob> = {}): void {
    const job: QueuedJob = {
      ...{ id, dispatch: 1, kind: "k", queue: "q", priority: 0, traceparent: "" },
      ...{ state: "queued", parkedFor: "", waitsAt: "" },
      ...more,
    };
    ledger.set(id, job);
    created.changed([{ index: 1, event: job.state, job: job as Job }]);
  }
  return { queue, ledger, dispatcher: created, apply };
}

describe("while it leads", () => {
  test("what falls due in one turn leaves as one batch", async () => {
    const { queue, dispatcher: leading, apply } = setUp();
    leading.start();
    for (let n = 1; n <= 10; n += 1) apply(`j-${n}`);
    await queue.holds(10);
    expect(queue.batches[0]).toHaveLength(10);
  });

  test("jobs that are parked, or no longer queued, are left out", async () => {
    const { queue, dispatcher: leading, apply } = setUp();
    leading.start();
    apply("j-1");
    apply("j-1", { state: "cancelled" });
    apply("j-2", { parkedFor: "account:a" });
    apply("j-3", { state: "running" });
    apply("j-4");
    await queue.holds(1);
    expect([...queue.held]).toEqual(["j-4.1"]);
  });

  test("a job is kept while Redis is away, in its latest form, and added later", async () => {
    const { queue, dispatcher: leading, apply } = setUp();
    leading.start();
    queue.off();
    apply("j-1");
    apply("j-1", { dispatch: 2 });
    expect(leading.pendingCount()).toBe(1);
    queue.on();
    await queue.holds(1);
    expect([...queue.held]).toEqual(["j-1.2"]);
  });

  test("a wiped Redis is noticed and filled again, however many jobs there are", async () => {
    const { queue, dispatcher: leading, apply } = setUp();
    leading.start();
    for (let n = 1; n <= 1_300; n += 1) apply(`j-${n}`);
    await queue.holds(1_300);
    queue.wipe();
    await queue.holds(1_300);
    expect(queue.held.size).toBe(1_300);
  });

  test("a Redis that was away is known before anything is added, so that its loss is seen", async () => {
    const { queue, dispatcher: leading, apply } = setUp();
    queue.off();
    leading.start();
    apply("j-1");
    queue.on();
    await queue.holds(1);
    expect(queue.order.slice(0, 2)).toEqual(["epoch", "add"]);
  });

  test("a single job that got lost is brought back by the timer", async () => {
    const { queue, dispatcher: leading, apply } = setUp(20);
    leading.start();
    apply("j-1");
    await queue.holds(1);
    queue.held.clear();
    await queue.holds(1);
    expect([...queue.held]).toEqual(["j-1.1"]);
  });
});

describe("what is taken back", () => {
  test.each([
    ["cancelled", { state: "cancelled" }],
    ["past its deadline", { state: "failed" }],
    ["parked", { parkedFor: "account:a" }],
    ["held back", { waitsAt: "queue" }],
  ] as const)("is taken out of the queue: a job that is %s", async (_what, more) => {
    const { queue, dispatcher: leading, apply } = setUp();
    leading.start();
    apply("j-1");
    apply("j-2");
    await queue.holds(2);
    apply("j-1", more);
    await queue.until(() => queue.held.size === 1);
    expect([...queue.held]).toEqual(["j-2.1"]);
    // The dispatcher hears of the removal a moment after the queue has done it.
    while (leading.pendingCount() > 0) await new Promise((resolve) => setImmediate(resolve));
  });

  test("is taken out behind what adds it, and its next dispatch stays", async () => {
    const { queue, dispatcher: leading, apply } = setUp();
    const gate = Promise.withResolvers<void>();
    leading.start();
    queue.adding = gate.promise;
    apply("j-1");
    // The batch with the job leaves, and stands still before Redis.
    await new Promise((resolve) => setImmediate(resolve));
    apply("j-1", { state: "cancelled" });
    apply("j-1", { dispatch: 2 });
    apply("j-2", { state: "cancelled" });
    gate.resolve();
    await queue.until(() => queue.held.has("j-1.2") && !queue.held.has("j-1.1"));
    expect([...queue.held]).toEqual(["j-1.2"]);
  });

  test("while Redis is away is taken out when it is back", async () => {
    const { queue, dispatcher: leading, apply } = setUp();
    leading.start();
    apply("j-1");
    await queue.holds(1);
    queue.off();
    apply("j-1", { state: "cancelled" });
    queue.on();
    await queue.until(() => queue.held.size === 0);
  });

  test("before this node led is found by a walk, which leaves the rest alone", async () => {
    const { queue, ledger, dispatcher: leading, apply } = setUp();
    apply("j-1");
    apply("j-2", { dispatch: 3 });
    apply("j-3", { state: "running" });
    apply("j-4", { state: "cancelled" });
    apply("j-5", { parkedFor: "account:a" });
    ledger.delete("j-6");
    queue.strangers = ["j-1.1", "j-2.2", "j-2.3", "j-4.1", "j-5.1", "j-6.1"];
    for (const name of queue.strangers) queue.held.add(name);
    leading.start();
    await queue.until(() => queue.held.size === 2);
    expect([...queue.held].toSorted()).toEqual(["j-1.1", "j-2.3"]);
    expect(queue.looked).toEqual(["j-1", "j-2"]);
  });
});

describe("when leadership changes", () => {
  test("a new leader begins with everything that the ledger has queued", async () => {
    const { queue, dispatcher: leading, apply } = setUp();
    // A follower's changes are the leader's to dispatch.
    apply("j-1");
    apply("j-2");
    expect(leading.pendingCount()).toBe(0);
    leading.start();
    await queue.holds(2);
    expect([...queue.held].toSorted()).toEqual(["j-1.1", "j-2.1"]);
  });

  test("a deposed one adds nothing any more, also not what was pending", async () => {
    const { queue, dispatcher: leading, apply } = setUp();
    leading.start();
    queue.off();
    apply("j-1");
    leading.stop();
    queue.on();
    apply("j-2");
    const next = createDispatcher({
      jobQueue: queue,
      queued: () => [],
      isOver: () => false,
      isKnownQueue: () => true,
      logger: silentLogger(),
    });
    // Whatever the old one had left to do would be done before the new one's first job.
    next.start();
    const job = { id: "j-3", dispatch: 1, kind: "k", queue: "q", priority: 0, traceparent: "" };
    const queued = { ...job, state: "queued", parkedFor: "", waitsAt: "" } as Job;
    next.changed([{ index: 1, event: "queued", job: queued }]);
    await queue.holds(1);
    next.stop();
    expect([...queue.held]).toEqual(["j-3.1"]);
  });
});
