// What handlers tell while they run, deadlines, and cancels: a worker on a real ledger and Redis.

import { describe, expect, test } from "@jest/globals";
import { z } from "zod";
import { counts } from "../../../ledger/ledger.ts";
import { LOG_LINE_BYTES_MAX } from "../../../transport/limit.ts";
import { AttemptAborted } from "../../../workers/attempt-aborted.ts";
import { defineJob } from "../../../workers/define-job.ts";
import { startPipeline } from "../../support/pipeline.ts";

const pipeline = await startPipeline();
const { quorum, submit, until, result, job } = pipeline;
const anything = z.object({});

function untilAborted(signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(signal.reason), { once: true });
  });
}

/** Resolves with the job when it has told something. */
function untilTold(jobId: string): Promise<string> {
  return new Promise((resolve) => {
    const forget = quorum.onChanges((changes) => {
      const told = changes.find(({ job: { id }, event }) => id === jobId && event === "progress");
      if (told === undefined) return;
      forget();
      resolve(Buffer.from(told.job.progress ?? []).toString("utf8"));
    });
  });
}

describe("progress and log lines", () => {
  test("are on the job's record while it runs, and the last ones before it ends", async () => {
    const gate = Promise.withResolvers<void>();
    const telling = defineJob({
      kind: "telling",
      queue: "telling",
      input: anything,
      async handler(_input, { progress, log, run }) {
        progress({ step: "fetch", run });
        log("fetched");
        await gate.promise;
        for (let percent = 1; percent <= 100; percent += 1) progress(percent);
        for (let at = 1; at <= 120; at += 1) log(`line ${at}`);
        log(`é${"x".repeat(2 * LOG_LINE_BYTES_MAX)}`);
        return "told";
      },
    });
    const worker = await pipeline.startWorker([telling]);
    const jobId = await submit("telling", {});
    expect(JSON.parse(await untilTold(jobId))).toEqual({ step: "fetch", run: 1 });
    expect(job(jobId)).toMatchObject({ state: "running", logLineCount: 1 });
    expect(job(jobId).logLines).toMatchObject([{ attempt: 1, text: "fetched" }]);
    gate.resolve();
    expect(await result(jobId)).toBe("told");
    const { progress, logLines, logLineCount } = job(jobId);
    expect(Buffer.from(progress ?? []).toString("utf8")).toBe("100");
    expect([logLineCount, logLines.length]).toEqual([122, 100]);
    expect(logLines[0]?.text).toBe("line 22");
    const last = logLines.at(-1)?.text ?? "";
    expect(Buffer.byteLength(last)).toBeLessThanOrEqual(LOG_LINE_BYTES_MAX);
    expect(last.endsWith("x…")).toBe(true);
    // A hundred words are a few commands.
    const reports = quorum.proposed.filter(({ kind }) => kind === "report-progress");
    expect(reports.length).toBeLessThan(10);
    await worker.close();
  });

  test("that are too large fail in the handler's hands", async () => {
    const boasting = defineJob({
      kind: "boasting",
      queue: "boasting",
      input: anything,
      retry: { maxAttempts: 1 },
      handler: (_input, { progress }) => progress("x".repeat(5_000)),
    });
    await pipeline.startWorker([boasting]);
    const failed = await until(await submit("boasting", {}), "failed");
    expect(failed.error).toMatchObject({ code: "RangeError" });
    expect(failed.error?.message).toContain("5002 bytes, the limit is 4096");
  });

  test("of an attempt whose lease has lapsed are the ledger's to refuse, with receipts", async () => {
    const begun = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    const deaf = defineJob({
      kind: "deaf",
      queue: "deaf",
      input: anything,
      retry: { maxAttempts: 2, backoff: { initialMs: 0, multiplier: 1, maxMs: 0 } },
      async handler(_input, { attempt, progress, log, signal }) {
        if (attempt > 1) return "second";
        begun.resolve();
        await gate.promise;
        expect(signal.aborted).toBe(false);
        progress(99);
        log("late");
        return "first";
      },
    });
    await pipeline.startWorker([deaf], { leaseMs: 60_000 });
    const jobId = await submit("deaf", {});
    await begun.promise;
    const before = counts(quorum.ledger).refusedLate;
    // Without a sign of life for a lease, as the ledger sees it.
    quorum.advance(60_001);
    await until(jobId, "succeeded");
    gate.resolve();
    await new Promise<void>((resolve) => {
      const look = (): void => {
        if (job(jobId).refusedCount === 3) resolve();
        else setImmediate(look);
      };
      look();
    });
    const { receipts, progress, logLines, result: recorded } = job(jobId);
    expect(receipts.map(({ tried }) => tried)).toEqual(["log", "progress", "succeeded"]);
    expect(Buffer.from(recorded ?? []).toString("utf8")).toBe('"second"');
    expect({ progress, logLines }).toEqual({ progress: null, logLines: [] });
    expect(counts(quorum.ledger).refusedLate).toBe(before + 3);
  });
});

describe("a deadline", () => {
  test("aborts the handler, and the job has failed for good", async () => {
    const reasons: unknown[] = [];
    const bothStopped = Promise.withResolvers<void>();
    const endless = defineJob({
      kind: "endless",
      queue: "endless",
      input: anything,
      lock: "endless",
      totalTimeoutMs: 1_500,
      async handler(_input, { signal }) {
        reasons.push(await untilAborted(signal));
        if (reasons.length === 2) bothStopped.resolve();
        signal.throwIfAborted();
      },
    });
    await pipeline.startWorker([endless]);
    const jobId = await submit("endless", {});
    const failed = await until(jobId, "failed");
    expect(failed.error).toMatchObject({ code: "DEADLINE_PASSED", retryable: false });
    expect(failed.attempts).toMatchObject([{ outcome: "timed-out" }]);
    // Its lock is free when its handler has stopped, not a lease later.
    const next = await submit("endless", {});
    await until(next, "failed");
    // The ledger may have said so before the handler has heard of it.
    await bothStopped.promise;
    expect(reasons).toEqual([new AttemptAborted("deadline"), new AttemptAborted("deadline")]);
    expect(job(jobId)).toMatchObject({ refusedCount: 0 });
  });
});

describe("a cancel", () => {
  test("whose event is missed reaches the handler with the next renewal", async () => {
    const begun = Promise.withResolvers<void>();
    const reasons: unknown[] = [];
    const stopped = Promise.withResolvers<void>();
    const patient = defineJob({
      kind: "patient",
      queue: "patient",
      input: anything,
      async handler(_input, { signal }) {
        begun.resolve();
        reasons.push(await untilAborted(signal));
        stopped.resolve();
      },
    });
    const { onEvent } = quorum;
    quorum.onEvent = () => () => undefined;
    await pipeline.startWorker([patient], { leaseMs: 600 });
    quorum.onEvent = onEvent;
    const jobId = await submit("patient", {});
    await begun.promise;
    quorum.apply({ kind: "cancel-job", jobId, reason: "" });
    await stopped.promise;
    expect(reasons).toEqual([new AttemptAborted("cancelled")]);
    expect(job(jobId)).toMatchObject({ state: "cancelled", refusedCount: 0 });
  });

  test("that came while events were missed reaches it as soon as they come again", async () => {
    const begun = Promise.withResolvers<void>();
    const stopped = Promise.withResolvers<unknown>();
    const distant = defineJob({
      kind: "distant",
      queue: "distant",
      input: anything,
      async handler(_input, { signal }) {
        begun.resolve();
        stopped.resolve(await untilAborted(signal));
      },
    });
    const { onEvent } = quorum;
    quorum.onEvent = () => () => undefined;
    // A third of this lease is longer than the test may take.
    await pipeline.startWorker([distant], { leaseMs: 600_000 });
    quorum.onEvent = onEvent;
    const jobId = await submit("distant", {});
    await begun.promise;
    quorum.apply({ kind: "cancel-job", jobId, reason: "" });
    quorum.restore();
    expect(await stopped.promise).toEqual(new AttemptAborted("cancelled"));
  });
});
