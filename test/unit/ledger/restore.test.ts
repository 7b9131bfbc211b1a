// Records that are not all there, or that contradict themselves or each other, give no ledger.

import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { KeptAttempt, KeptJob } from "../../../ledger/kept-job.ts";
import { LedgerRestore, type SnapshotRecord, snapshotRecords } from "../../../ledger/ledger.ts";
import { COUNTED_ONLY, type SnapshotHead, type SnapshotKind } from "../../../ledger/snapshot.ts";
import { assertRuns } from "../../support/bounded-shrink.ts";
import { changedRecords } from "./changed-records.ts";
import { restore } from "./restored.ts";
import { useRoughly } from "./rough-use.ts";
import { Run } from "./run.ts";
import { intent } from "./workload.ts";
import { World } from "./world.ts";

const RUNS = 60;
const intents = fc.array(intent, { minLength: 30, maxLength: 120, size: "max" });

function failureOf(records: Iterable<SnapshotRecord>): string {
  const result = restore(records);
  return "failure" in result ? result.failure : "none";
}

describe("records", () => {
  function worked(): World {
    const world = new World();
    const ids = [1, 2, 3].map(() => world.add({ lockKeys: ["a"], idempotencyKey: "" }));
    const [first = "", second = ""] = ids;
    world.begin(first);
    world.start(second);
    world.succeed(world.add({ idempotencyKey: "k" }), 1);
    return world;
  }

  test("are made one at a time, of one moment", () => {
    const world = worked();
    const records = snapshotRecords(world.ledger);
    expect(records.next().value).toMatchObject({ kind: "head", appliedIndex: world.index });
    world.tick();
    expect(() => records.next()).toThrow("nothing is applied while a snapshot is taken");
  });

  test("that are not all there, or too many, give a failure", () => {
    const records = [...snapshotRecords(worked().ledger)];
    expect(failureOf(records)).toBe("none");
    expect(failureOf([])).toBe("head");
    expect(failureOf(records.slice(1))).toBe("head");
    expect(failureOf([...records, ...records.slice(0, 1)])).toBe("head");
    expect(failureOf(records.slice(0, -1))).toBe("count");
    for (let at = 1; at < records.length; at++) {
      expect(failureOf(records.filter((_, position) => position !== at))).not.toBe("none");
      const doubled = records.flatMap((one, position) => (position === at ? [one, one] : [one]));
      expect(failureOf(doubled)).not.toBe("none");
    }
  });

  test("after a failure give the same failure, with its place", () => {
    const [head, kind] = [...snapshotRecords(worked().ledger)];
    if (head === undefined || kind === undefined) throw new Error("there are more");
    const restoring = new LedgerRestore();
    expect(restoring.add(head)).toBe("ok");
    expect(restoring.add(head)).toEqual({ failure: "head", record: 2 });
    expect(restoring.add(kind)).toEqual({ failure: "head", record: 2 });
    expect(restoring.finish()).toEqual({ failure: "head", record: 2 });
  });

  test("that were changed never give a ledger that breaks the rules, then or later", () => {
    const reached = { refused: 0, taken: 0 };
    assertRuns(
      fc.property(intents, fc.array(fc.nat(), { minLength: 8 }), intents, (work, picks, more) => {
        const records = [...snapshotRecords(new Run(work).ledger)];
        // What was taken is changed further: two changes may fit where one would show.
        let kept = records;
        for (const pick of picks) {
          const tried = changedRecords(kept, pick);
          const result = restore(tried);
          if ("failure" in result) {
            reached.refused += 1;
            continue;
          }
          reached.taken += 1;
          kept = tried;
          useRoughly(result.ok, more);
        }
      }),
      { numRuns: RUNS },
    );
    for (const count of Object.values(reached)) expect(count).toBeGreaterThan(RUNS);
  });
});

describe("a record that makes no sense", () => {
  /** One job of each sort, and places, claims, receipts. */
  function everySort(): World {
    const world = new World();
    const done = world.add({ idempotencyKey: "k" });
    world.fail(done, world.begin(done), "handed-back");
    world.succeed(done, world.begin(done));
    world.succeed(done, 1);
    const failed = world.add();
    world.fail(failed, world.begin(failed), "failed", false);
    const [held = "", woken = ""] = [1, 2].map(() => world.add({ lockKeys: ["a", "x"] }));
    const token = world.begin(held);
    world.start(woken);
    world.fail(held, token, "failed", false);
    const [running = "", parked = ""] = [1, 2].map(() => world.add({ lockKeys: ["b", "y"] }));
    world.begin(running);
    world.start(parked);
    const cancelled = world.add({ lockKeys: ["c"] });
    world.begin(cancelled);
    world.cancel(cancelled);
    world.submit({}, {});
    world.add({ runAtMs: world.nowMs + 9 });
    world.tick();
    return world;
  }

  const { ledger } = everySort();
  const { appliedIndex, clockMs, lastPlace } = ledger;
  const sorts = {
    done: (job: KeptJob) => job.state === "succeeded",
    failed: (job: KeptJob) => job.state === "failed",
    running: (job: KeptJob) => job.state === "running",
    cancelled: (job: KeptJob) => job.state === "cancelled",
    scheduled: (job: KeptJob) => job.state === "scheduled",
    parked: (job: KeptJob) => job.parkedFor !== "",
    twin: (job: KeptJob) => /^j-\d+-2$/.test(job.id),
  };

  function withJob(sort: keyof typeof sorts, change: (job: KeptJob) => Partial<KeptJob>): string {
    let changed = 0;
    const records = [...snapshotRecords(ledger)].map((record): SnapshotRecord => {
      if (record.kind !== "job" || changed > 0 || !sorts[sort](record.job)) return record;
      changed += 1;
      return { ...record, job: { ...record.job, ...change(record.job) } };
    });
    expect(changed).toBe(1);
    return failureOf(records);
  }

  const ERROR = { code: "E", message: "m", retryable: true };
  const LOST = { outcome: "lost", error: ERROR, answer: null } as const;
  const CANCELLED = { outcome: "cancelled", error: ERROR, answer: null } as const;
  const FINISHED = { kind: "finished", state: "queued", nextAttemptMs: 0 } as const;

  function withLast(sort: keyof typeof sorts, change: Partial<KeptAttempt>): string {
    return withJob(sort, ({ attempts }) => ({
      attempts: attempts.map((one, at) =>
        at === attempts.length - 1 ? { ...one, ...change } : one,
      ),
    }));
  }

  test("is none of those that were made", () => {
    expect(withJob("done", () => ({}))).toBe("none");
  });

  test.each<[Partial<SnapshotHead>, string]>([
    [{ appliedIndex: -1 }, "head"],
    [{ clockMs: 0.5 }, "head"],
    [{ termOpenedMs: clockMs + 1 }, "head"],
    [{ receiptsMax: Number.NaN }, "head"],
    [{ lastPlace: 0 }, "job-locks"],
    [{ clockMs: 1, termOpenedMs: 0 }, "job-times"],
    [{ appliedIndex: 1 }, "job-identity"],
    [{ kindCount: 2 }, "count"],
  ])("a head with %j", (change, failure) => {
    const [head, ...rest] = snapshotRecords(ledger);
    expect(failureOf([{ ...head, ...change } as SnapshotHead, ...rest])).toBe(failure);
  });

  test("a head whose counts are not those of the jobs", () => {
    const [head, ...rest] = snapshotRecords(ledger);
    if (head?.kind !== "head") throw new Error("the head comes first");
    const counted = COUNTED_ONLY as readonly string[];
    for (const name of Object.keys(head.counts).filter((one) => !counted.includes(one))) {
      const counts = { ...head.counts, [name]: 99 };
      expect([name, failureOf([{ ...head, counts }, ...rest])]).toEqual([name, "count"]);
    }
  });

  test.each<[Partial<SnapshotKind["latest"]>]>([
    [{ kind: "other" }],
    [{ queue: "other" }],
    [{ maxAttempts: 0 }],
    [{ backoff: { initialMs: 1, multiplier: 0.5, maxMs: 1, jitter: 0.5 } }],
  ])("a kind with %j", (change) => {
    const records = [...snapshotRecords(ledger)].map((record) =>
      record.kind === "kind" ? { ...record, latest: { ...record.latest, ...change } } : record,
    );
    expect(failureOf(records)).toBe("kind");
  });

  test.each<[string, () => string, string]>([
    ["an id of another entry", () => withJob("done", () => ({ id: "j-900" })), "job-identity"],
    ["an entry to come", () => withJob("done", () => ({ changeIndex: 900 })), "job-identity"],
    ["no attempts", () => withJob("failed", () => ({ maxAttempts: 0 })), "job-options"],
    ["an end before the end", () => withJob("running", () => ({ endMs: 1 })), "job-times"],
    ["a result too many", () => withJob("failed", () => ({ result: new Uint8Array() })), "job-end"],
    ["a result too few", () => withJob("done", () => ({ result: null })), "job-end"],
    ["an error too few", () => withJob("failed", () => ({ error: null })), "job-end"],
    ["no live attempt", () => withJob("running", () => ({ attempts: [] })), "job-attempts"],
    ["no attempt that failed", () => withJob("failed", () => ({ attempts: [] })), "job-attempts"],
    ["a success that was not the last", () => withJob("done", succeedTwice), "job-attempts"],
    ["no attempt left", () => withJob("scheduled", useUp), "job-attempts"],
    ["a token to come", () => withLast("running", { token: appliedIndex + 1 }), "job-attempts"],
    ["a token of before it was", () => withLast("running", { token: 1 }), "job-attempts"],
    ["a success that it did not have", () => withLast("done", LOST), "job-attempts"],
    ["a cancellation that it did not have", () => withLast("failed", CANCELLED), "job-attempts"],
    ["an answer too many", () => withLast("running", { answer: FINISHED }), "job-attempts"],
    ["an answer too few", () => withLast("failed", { answer: null }), "job-attempts"],
    ["a key twice", () => withJob("running", () => ({ lockKeys: ["b", "b"] })), "job-locks"],
    ["an empty key", () => withJob("running", () => ({ lockKeys: [""] })), "job-locks"],
    ["a place while it runs", () => withJob("running", () => ({ place: 1 })), "job-locks"],
    ["a place not given", () => withJob("parked", () => ({ place: lastPlace + 1 })), "job-locks"],
    ["a line without a place", () => withJob("parked", () => ({ place: 0 })), "job-locks"],
    ["another's key", () => withJob("parked", () => ({ parkedFor: "c" })), "job-locks"],
    ["a line and a claim", () => withJob("parked", () => ({ claimExpiryMs: 1 })), "job-locks"],
    ["keys after its end", () => withJob("done", () => ({ keysUntilMs: 1 })), "job-locks"],
    ["a receipt too few", () => withJob("done", () => ({ receipts: [] })), "job-receipts"],
    ["an unknown queue", () => withJob("done", () => ({ queue: "q" })), "kind"],
    ["no one's child", () => withJob("done", () => ({ parentPosition: -1 })), "family"],
    [
      "another's idempotency key",
      () => withJob("failed", () => ({ idempotencyKey: "k" })),
      "job-place",
    ],
    [
      "another's id",
      () => withJob("twin", ({ logIndex: at }) => ({ id: `j-${at}-1` })),
      "job-place",
    ],
    [
      "a place in the log before others",
      () => withJob("twin", ({ logIndex: at }) => ({ logIndex: at - 4, id: `j-${at - 4}` })),
      "job-place",
    ],
    [
      "a key that another holds",
      () => withJob("running", () => ({ lockKeys: ["c"] })),
      "lock-owners",
    ],
    ["a claim that another has", () => withJob("parked", claimToo), "lock-owners"],
    [
      "a line for a free key",
      () => withJob("parked", () => ({ parkedFor: "z", lockKeys: ["z"] })),
      "stranded",
    ],
  ])("a job with %s", (_what, attempt, failure) => {
    expect(attempt()).toBe(failure);
  });

  function succeedTwice({ attempts: [first, last] }: KeptJob): Partial<KeptJob> {
    if (first === undefined || last === undefined) throw new Error("it was tried twice");
    return { attempts: [{ ...last, token: first.token }, last] };
  }

  function useUp({ logIndex }: KeptJob): Partial<KeptJob> {
    const times = { startMs: 1, leaseMs: 1, leaseExpiryMs: 2, endMs: 2 };
    const lost = { ...LOST, worker: "w", startId: "s", run: 1, reports: 0 };
    return { maxAttempts: 1, attempts: [{ ...lost, ...times, token: logIndex + 1 }] };
  }

  function claimToo(): Partial<KeptJob> {
    return { parkedFor: "", claimExpiryMs: 1, lockKeys: ["a"] };
  }
});
