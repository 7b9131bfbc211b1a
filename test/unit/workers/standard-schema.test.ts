// Any Standard Schema, ours or a library's: checked before a call and again before a handler runs.

import { afterEach, describe, expect, test } from "@jest/globals";
import { z } from "zod";
import { defineJob, type StandardSchema } from "../../../workers/index.ts";
import { createTestPipeline, type TestPipeline } from "../../../workers/testing/index.ts";
import { failureOf } from "../../support/edge.ts";

interface Order {
  readonly orderId: string;
}

/** Written by hand: a text "o-1", or a record with one, as an order. */
const order: StandardSchema<string | Order, Order> = {
  "~standard": {
    version: 1,
    vendor: "by-hand",
    validate: (value) => {
      const orderId =
        typeof value === "object" && value !== null ? Reflect.get(value, "orderId") : value;
      if (typeof orderId === "string" && orderId.startsWith("o-")) return { value: { orderId } };
      return { issues: [{ message: "no order", path: ["orderId"] }, { message: "look again" }] };
    },
  },
};

/** The same, answering later. */
const slowOrder: StandardSchema<string | Order, Order> = {
  "~standard": {
    ...order["~standard"],
    validate: async (value) => {
      await Promise.resolve();
      return order["~standard"].validate(value);
    },
  },
};

const zodOrder = z
  .union([z.string().startsWith("o-"), z.object({ orderId: z.string().startsWith("o-") })])
  .transform((value) => (typeof value === "string" ? { orderId: value } : value));

let pipeline: TestPipeline;
afterEach(() => pipeline.close());

describe.each<[string, StandardSchema<string | Order, Order>]>([
  ["written by hand", order],
  ["that answers later", slowOrder],
  ["of zod", zodOrder],
])("a schema %s", (_, input) => {
  const job = defineJob({
    kind: "ship",
    input,
    handler: ({ orderId }) => orderId.toUpperCase(),
  });

  test("gives the handler what it makes of the input", async () => {
    pipeline = createTestPipeline({ jobs: [job] });
    const handle = await pipeline.client.submit(job, "o-1");
    const result: string = await handle.result();
    expect(result).toBe("O-1");
    expect(await pipeline.client.run(job, { orderId: "o-2" })).toBe("O-2");
    // What was handed in is what is kept: the handler's own schema makes the rest of it.
    expect((await pipeline.client.get(handle.id)).payload.toString()).toBe('"o-1"');
  });

  test("refuses an input before anything is sent", async () => {
    pipeline = createTestPipeline({ jobs: [job] });
    const error = await failureOf(pipeline.client.submit(job, "x-1"));
    expect(error).toMatchObject({
      code: "INVALID_ARGUMENT",
      reason: "INVALID_FIELD",
      metadata: { field: "job.payload", kind: "ship" },
      violations: [{ field: "job.payload" }],
    });
    expect((await pipeline.client.list()).jobs).toEqual([]);
  });

  test("refuses the payload of an older or other client when it runs, for good", async () => {
    const older = defineJob({ kind: "ship", input: z.number(), handler: () => "" });
    pipeline = createTestPipeline({ jobs: [job] });
    const handle = await pipeline.client.submit(older, 7);
    await expect(handle.result()).rejects.toMatchObject({ code: "PAYLOAD_REFUSED", attempts: 1 });
  });
});

test("the issues of a schema are told on one line, with their paths", async () => {
  const job = defineJob({ kind: "ship", input: order, handler: () => null });
  pipeline = createTestPipeline({ jobs: [job] });
  const { rawMessage } = await failureOf(pipeline.client.submit(job, ""));
  expect(rawMessage).toBe("the input does not fit ship: orderId: no order; look again");
});

test("a result is checked, too, and what the schema makes of it is recorded", async () => {
  const output = z.object({ total: z.number().transform((cents) => cents / 100) });
  const job = defineJob({
    kind: "sum",
    input: z.number(),
    output,
    handler: (total) => ({ total }),
  });
  const odd = defineJob({
    kind: "odd",
    input: z.number(),
    output,
    handler: () => ({ total: "much" }) as unknown as { total: number },
  });
  pipeline = createTestPipeline({ jobs: [job, odd] });
  expect(await pipeline.client.run(job, 250)).toEqual({ total: 2.5 });
  await expect(pipeline.client.run(odd, 1)).rejects.toMatchObject({ code: "RESULT_REFUSED" });
});
