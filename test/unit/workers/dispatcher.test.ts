// The dispatcher over a queue that can be switched off: what is batched, kept, and brought back.

import { afterEach, describe, expect, test } from "@jest/globals";
import type { Job } from "../../../ledger/job.ts";
import type { AddOutcome, DueJob, JobQueue } from "../../../transport/redis/job-queue.ts";
import { silentLogger } from "../../../transport/telemetry/logger.ts";
import { createDispatcher, type Dispatcher } from "../../../workers/dispatcher.ts";
import type { QueuedJob } from "../../../workers/due-job.ts";

/** A Redis in memory: what it holds is lost with `wipe`. */
class SwitchableQueue implements JobQueue {
  readonly held = new Set<string>();
  readonly batches: string[][] = [];
  #isReady = true;
  #isWiped = false;
  readonly #readyListeners = new Set<() => void>();
  readonly #addListeners = new Set<() => void>();

  addMissing(jobs: readonly DueJob[]): Promise<AddOutcome> {
    return this.addMany(jobs);
  }

  addMany(jobs: readonly DueJob[]): Promise<AddOutcome> {
    if (!this.#isReady) return Promise.resolve({ kind: "unreachable", cause: "off" });
    this.batches.push(jobs.map(({ jobId }) => jobId));
    for (const { jobId, dispatch } of jobs) this.held.add(`${jobId}.${dispatch}`);
    for (const listener of this.#addListeners) listener();
    return Promise.resolve({ kind: "added" });
  }

  checkEpoch(): Promise<"same" | "lost" | "unreachable"> {
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
    return new Promise((resolve) => {
      const look = (): void => {
        if (this.held.size >= count) resolve();
      };
      this.#addListeners.add(look);
      look();
    });
  }
}

const EVERY_MS = 60_000;
let dispatcher: Dispatcher | null = null;
afterEach(() => dispatcher?.stop());

function setUp(reconcileMs = EVERY_MS) {
  const queue = new SwitchableQueue();
  const ledger = new Map<string, QueuedJob>();
  const created = createDispatcher({
    jobQueue: queue,
    queued: () => ledger.values(),
    logger: silentLogger(),
    reconcileMs,
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
