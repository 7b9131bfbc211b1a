// What is said of a single job at its submission, and of many at once.

import { afterEach, expect, test } from "@jest/globals";
import { z } from "zod";
import { defineJob } from "../../../workers/index.ts";
import { createTestPipeline, type TestPipeline } from "../../../workers/testing/index.ts";
import { failureOf } from "../../support/edge.ts";

const double = defineJob({
  kind: "double",
  input: z.object({ n: z.number() }),
  handler: ({ n }) => n * 2,
});

let pipeline: TestPipeline;
afterEach(() => pipeline.close());

test("many jobs are accepted together, each with its own options, handles in order", async () => {
  pipeline = createTestPipeline({ jobs: [double] });
  const inputs = [{ n: 1 }, { n: 2 }, { n: 3 }];
  const each = ({ n }: { n: number }, at: number) => ({ priority: at, idempotencyKey: `d-${n}` });
  const handles = await pipeline.client.submitAll(double, inputs, { each });
  const results: number[] = await Promise.all(handles.map((handle) => handle.result()));
  expect(results).toEqual([2, 4, 6]);
  const jobs = await Promise.all(handles.map(({ id }) => pipeline.client.get(id)));
  expect(jobs.map(({ priority }) => priority)).toEqual([0, 1, 2]);
  expect(new Set(jobs.map(({ logIndex }) => logIndex)).size).toBe(1);
  const again = await pipeline.client.submitAll(double, inputs, { each });
  expect(again.map(({ id, deduplicated }) => [id, deduplicated])).toEqual(
    handles.map(({ id }) => [id, true]),
  );
  expect(await pipeline.client.submitAll(double, [])).toEqual([]);
});

test("one input that does not fit refuses all, by its place", async () => {
  pipeline = createTestPipeline({ jobs: [double] });
  // @ts-expect-error The compiler says so too.
  const refused = pipeline.client.submitAll(double, [{ n: 1 }, { n: "2" }]);
  expect(await failureOf(refused)).toMatchObject({
    reason: "INVALID_FIELD",
    violations: [{ field: "jobs[1].payload" }],
  });
  const each = () => ({ timeoutMs: 0.5, maxAttempts: Number.NaN });
  const odd = pipeline.client.submitAll(double, [{ n: 1 }], { each });
  expect(await failureOf(odd)).toMatchObject({
    violations: [{ field: "jobs[0].maxAttempts" }, { field: "jobs[0].timeoutMs" }],
  });
  expect((await pipeline.client.list()).jobs).toEqual([]);
});

test("a submission's own attempts, backoff and timeout count instead of the definition's", async () => {
  pipeline = createTestPipeline({ jobs: [double] });
  pipeline.failNext(double, new Error("once"), 1);
  const backoff = { initialMs: 60_000, multiplier: 1, maxMs: 60_000, jitter: 0 };
  const options = { maxAttempts: 2, backoff, timeoutMs: 5_000 };
  const handle = await pipeline.client.submit(double, { n: 4 }, options);
  await pipeline.advance(59_000);
  expect((await pipeline.client.get(handle.id)).attempts).toHaveLength(1);
  await pipeline.advance(1_000);
  expect(await handle.result()).toBe(8);
  expect(await pipeline.client.get(handle.id)).toMatchObject({
    maxAttempts: 2,
    attemptTimeout: { seconds: 5, nanos: 0 },
  });
});
