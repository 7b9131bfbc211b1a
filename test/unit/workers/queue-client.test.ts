// client.queues: the calls of operators, for programs.

import { afterEach, expect, test } from "@jest/globals";
import { z } from "zod";
import { defineJob } from "../../../workers/index.ts";
import { createTestPipeline, type TestPipeline } from "../../../workers/testing/index.ts";
import { failureOf } from "../../support/edge.ts";

const note = defineJob({
  kind: "note",
  queue: "notes",
  input: z.object({}),
  handler: () => "noted",
});

let pipeline: TestPipeline;
afterEach(() => pipeline.close());

test("a queue is paused, drained and resumed, and takes jobs again", async () => {
  pipeline = createTestPipeline({ jobs: [note] });
  const { client } = pipeline;
  expect(await client.queues.pause("notes")).toMatchObject({ name: "notes", paused: true });
  const waiting = await client.submit(note, {});
  const later = await client.submit(note, {}, { delayMs: 60_000 });
  await pipeline.advance(1_000);
  const { queues } = await client.queues.list();
  expect(queues).toMatchObject([{ name: "notes", queuedCount: 1, scheduledCount: 1 }]);
  expect(await client.queues.drain("notes")).toBe(1);
  await expect(waiting.result()).rejects.toThrow("was cancelled");
  expect(await client.queues.drain("notes", { includeScheduled: true, reason: "old" })).toBe(1);
  await expect(later.result()).rejects.toThrow("old");
  expect(await client.queues.resume("notes")).toMatchObject({ paused: false });
  expect(await client.run(note, {})).toBe("noted");
});

test("limits that are not named stay; what cannot be right is refused", async () => {
  pipeline = createTestPipeline({ jobs: [note] });
  const { queues } = pipeline.client;
  await queues.configure("notes", { maxRunning: 2, rate: { count: 5, periodMs: 1_500 } });
  expect(await queues.configure("notes", { maxWaiting: 9 })).toMatchObject({
    limits: {
      maxRunning: 2,
      rate: { count: 5, period: { seconds: 1, nanos: 500_000_000 } },
      maxWaiting: 9,
    },
  });
  const wrong = queues.configure("notes", { rate: { count: 5, periodMs: 0 } });
  expect(await failureOf(wrong)).toMatchObject({ reason: "INVALID_FIELD" });
});
