// The public client against a real gateway: types, keys, waiting, failures.

import { beforeAll, describe, expect, jest, test } from "@jest/globals";
import { z } from "zod";
import { PipelineError } from "../../../transport/pipeline-error.ts";
import { type Client, child, createClient, JobFailedError } from "../../../workers/client.ts";
import { defineJob } from "../../../workers/define-job.ts";
import { type Edge, failureOf, startEdge } from "../../support/edge.ts";
import { atEnd } from "../../support/teardown.ts";
import { registerKinds, runTinyExecutor } from "../../support/tiny-executor.ts";

jest.setTimeout(30_000);

const double = defineJob({
  kind: "double",
  input: z.object({ amount: z.number() }),
  handler: ({ amount }) => ({ doubled: amount * 2 }),
});
const fail = defineJob({ kind: "fail", input: z.null(), handler: () => "never" });
const idle = defineJob({ kind: "idle", input: z.object({}), handler: () => null });

let edge: Edge;
let client: Client;

beforeAll(async () => {
  edge = await startEdge();
  await registerKinds(edge.quorum, ["idle"]);
  await runTinyExecutor(edge.quorum, {
    double: (input) => ({ result: { doubled: (input as { amount: number }).amount * 2 } }),
    fail: () => ({ error: { code: "CardRefused", message: "no money", retryable: false } }),
  });
  client = createClient({ address: edge.address });
  atEnd(() => client.close());
});

describe("a typed client", () => {
  test("submits and gets the result with the definition's types", async () => {
    const handle = await client.submit(double, { amount: 21 });
    const { doubled } = await handle.result();
    expect(doubled).toBe(42);
    expect(handle).toMatchObject({ id: expect.stringMatching(/^j-/), deduplicated: false });
    expect(await client.run(double, { amount: 1 })).toEqual({ doubled: 2 });
  });

  test("makes up an idempotency key, and the same key finds the same job", async () => {
    const first = await client.submit(double, { amount: 3 });
    const idempotencyKey = first.idempotencyKey;
    const second = await client.submit(double, { amount: 3 }, { idempotencyKey });
    expect(second).toMatchObject({ id: first.id, deduplicated: true });
  });

  test("refuses an input that does not fit before it sends anything", async () => {
    const before = edge.quorum.proposed.length;
    // @ts-expect-error The compiler says so too.
    const error = await failureOf(client.submit(double, { amount: "many" }));
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT", reason: "INVALID_FIELD" });
    expect(error.rawMessage).toContain("amount");
    expect(edge.quorum.proposed).toHaveLength(before);
  });

  test("does not compile with an input or a result of another type, wherever it is given", () => {
    const never = async (): Promise<void> => {
      // @ts-expect-error A child's input.
      child(double, { amount: "many" });
      // @ts-expect-error A schedule's.
      await client.schedules.create(double, { amount: "many" }, { everyMs: 1_000 });
      // @ts-expect-error One of many.
      await client.submitAll(double, [{ amount: 1 }, { amount: "many" }]);
      // @ts-expect-error The result is an object with a number.
      const wrong: string = await client.run(double, { amount: 1 });
      // @ts-expect-error No such option.
      await client.submit(double, { amount: 1 }, { prioritty: wrong.length });
    };
    expect(never).toBeInstanceOf(Function);
  });

  test("tells a job that failed from a call that did", async () => {
    const failed = client.run(fail, null);
    await expect(failed).rejects.toBeInstanceOf(JobFailedError);
    await expect(failed).rejects.toMatchObject({
      code: "CardRefused",
      state: "FAILED",
      attempts: 1,
    });
    await expect(failed).rejects.not.toBeInstanceOf(PipelineError);
  });

  test("tells a cancelled job", async () => {
    const handle = await client.submit(idle, {});
    const result = handle.result();
    await client.cancel(handle.id, "not needed");
    await expect(result).rejects.toMatchObject({ state: "CANCELLED", jobId: handle.id });
  });

  test("gives priority, delay and lock keys to the job", async () => {
    const options = { priority: 9, delayMs: 60_000, lockKeys: ["a:1"] };
    const { id } = await client.submit(idle, {}, options);
    const job = await client.get(id);
    expect(job).toMatchObject({ priority: 9, lockKeys: ["a:1"], state: 1 });
    expect((await client.list({ pageSize: 1 })).jobs[0]?.id).toBe(id);
  });

  test("stops waiting at its deadline, and at the caller's wish", async () => {
    const handle = await client.submit(idle, {});
    expect(await failureOf(handle.result({ deadlineMs: 1_000 }))).toMatchObject({
      code: "DEADLINE_EXCEEDED",
      reason: "OUTCOME_UNKNOWN",
    });
    const abort = new AbortController();
    const result = failureOf(handle.result({ signal: abort.signal }));
    abort.abort();
    expect((await result).code).toBe("CANCELLED");
  });

  test("goes on waiting while there is no leader", async () => {
    const handle = await client.submit(idle, {});
    edge.quorum.interrupt({ kind: "unavailable", reason: "no-leader" });
    const waiting = client.wait(handle.id);
    edge.quorum.restore();
    await client.cancel(handle.id);
    expect((await waiting).id).toBe(handle.id);
  });

  test("rides out a moment without a leader when submitting", async () => {
    edge.quorum.interrupt({ kind: "unavailable", reason: "no-leader" });
    setTimeout(() => edge.quorum.restore(), 200);
    expect(await client.run(double, { amount: 2 })).toEqual({ doubled: 4 });
  });

  test("says that nobody is there", async () => {
    const lost = createClient({ address: "127.0.0.1:1" });
    const error = await failureOf(lost.submit(double, { amount: 1 }, { deadlineMs: 6_000 }));
    lost.close();
    expect(error).toMatchObject({ code: "UNAVAILABLE", reason: "UNREACHABLE", retry: "safe" });
  });
});
