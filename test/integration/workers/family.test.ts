// Parents and children end to end: a typed client, a gateway, real workers, and what handlers get.

import { Client, credentials, status as GrpcCode } from "@grpc/grpc-js";
import { beforeAll, describe, expect, jest, test } from "@jest/globals";
import { z } from "zod";
import { type ChildFailurePolicy, JobSpec } from "../../../protos/gen/quorumq/v1/job.ts";
import { CHILD_RESULTS_BYTES_MAX, FAMILY_LEVELS_MAX } from "../../../transport/limit.ts";
import { createClient } from "../../../workers/client.ts";
import type { ChildEnd } from "../../../workers/define-job.ts";
import { child, childResults, defineJob, NonRetryableError } from "../../../workers/index.ts";
import { runCli } from "../../support/cli.ts";
import { failureOf, startEdge } from "../../support/edge.ts";
import { startPipeline } from "../../support/pipeline.ts";
import { atEnd } from "../../support/teardown.ts";

jest.setTimeout(30_000);

const pipeline = await startPipeline();
const edge = await startEdge(pipeline.quorum);
const client = createClient({ address: edge.address });
atEnd(() => client.close());

const square = defineJob({
  kind: "square",
  input: z.object({ n: z.number() }),
  handler: ({ n }) => n * n,
});
const refuse = defineJob({
  kind: "refuse",
  input: z.object({}),
  handler: (): string => {
    throw new NonRetryableError("no", { code: "NOT_TODAY" });
  },
});
const large = defineJob({
  kind: "large",
  input: z.object({ bytes: z.number() }),
  handler: ({ bytes }) => "x".repeat(bytes),
});
const hang = defineJob({
  kind: "hang",
  queue: "hang",
  input: z.object({}),
  handler: (_input, { signal }) =>
    new Promise<string>((_resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    }),
});
const sum = defineJob({
  kind: "sum",
  input: z.object({ plus: z.number() }),
  handler: async ({ plus }, context) => {
    const squares: number[] = await childResults(context, square);
    return squares.reduce((total, one) => total + one, plus);
  },
});
const look = defineJob({
  kind: "look",
  input: z.object({}),
  handler: async (_input, { children, childResult }) => {
    const lengths: number[] = [];
    for (const { jobId, state } of children) {
      if (state === "SUCCEEDED") lengths.push(String(await childResult(jobId)).length);
    }
    return { children: children as ChildEnd[], lengths };
  },
});

beforeAll(async () => {
  await pipeline.startWorker([square, refuse, large, sum, look, hang]);
});

describe("a parent", () => {
  test("runs with the results of its children, typed", async () => {
    const flow = await client.submitFlow(
      sum,
      { plus: 1 },
      { children: [child(square, { n: 3 }), child(square, { n: 4 })] },
    );
    expect(await flow.result()).toBe(26);
    const [three, four] = flow.children;
    const results: number[] = [await three.result(), await four.result()];
    expect(results).toEqual([9, 16]);
    const parent = await client.get(flow.id);
    expect(parent.childJobIds).toEqual([three.id, four.id]);
    expect(await client.get(three.id)).toMatchObject({ parentJobId: flow.id });
  });

  test("of parents runs last", async () => {
    const flow = await client.submitFlow(
      sum,
      { plus: 0 },
      {
        children: [
          child(square, { n: 1 }),
          child(look, {}, { children: [child(square, { n: 2 })], delayMs: 1 }),
        ],
      },
    );
    expect(await flow.result()).toBe(1);
    const order = [...flow.children.map(({ id }) => id), flow.id].map((id) => pipeline.job(id));
    expect(order.map(({ endMs }) => endMs)).toEqual(order.map(({ endMs }) => endMs).toSorted());
  });

  test("fails with CHILD_FAILED, and its result tells so", async () => {
    const flow = await client.submitFlow(sum, { plus: 0 }, { children: [child(refuse, {})] });
    await expect(flow.result()).rejects.toMatchObject({ state: "FAILED", code: "CHILD_FAILED" });
    expect((await client.get(flow.id)).error?.message).toContain(flow.children[0].id);
  });

  test("that wants to sees what failed", async () => {
    const flow = await client.submitFlow(
      look,
      {},
      {
        children: [child(refuse, {}), child(square, { n: 10 })],
        onChildFailure: "run-parent",
      },
    );
    const { children, lengths } = await flow.result();
    expect(children).toMatchObject([
      { kind: "refuse", state: "FAILED", error: { code: "NOT_TODAY", message: "no" } },
      { kind: "square", state: "SUCCEEDED", result: 100, error: null },
    ]);
    expect(lengths).toEqual([3]);
  });

  test("reads what its start could not carry", async () => {
    const bytes = 250 * 1024;
    const count = Math.floor(CHILD_RESULTS_BYTES_MAX / bytes) + 2;
    const children = Array.from({ length: count }, () => child(large, { bytes }));
    // Its own result must not hold what it was given.
    const weigh = defineJob({
      kind: "weigh",
      queue: "weigh",
      input: z.object({}),
      handler: async (_input, context) => ({
        left: context.children.filter(({ isResultLeftOut }) => isResultLeftOut).length,
        lengths: (await childResults(context, large)).map(({ length }) => length),
      }),
    });
    await pipeline.startWorker([weigh]);
    const flow = await client.submitFlow(weigh, {}, { children });
    expect(await flow.result()).toEqual({ left: 2, lengths: children.map(() => bytes) });
  });

  test("and its children outlive Redis", async () => {
    const children = [child(square, { n: 6 }, { delayMs: 300 }), child(square, { n: 8 })];
    const flow = await client.submitFlow(sum, { plus: 0 }, { children });
    await pipeline.raw.flushall();
    expect(await flow.result()).toBe(100);
  });

  test("that is cancelled stops a child that runs elsewhere", async () => {
    const flow = await client.submitFlow(sum, { plus: 0 }, { children: [child(hang, {})] });
    await pipeline.until(flow.children[0].id, "running");
    await client.cancel(flow.id, "enough");
    await expect(flow.children[0].result()).rejects.toMatchObject({
      state: "CANCELLED",
      message: expect.stringContaining(`its parent ${flow.id} was cancelled`),
    });
  });
});

describe("a family", () => {
  test("submitted again under its key is the first one, with the same children", async () => {
    const options = { children: [child(square, { n: 5 })] as const, idempotencyKey: "family-1" };
    const first = await client.submitFlow(sum, { plus: 2 }, options);
    const again = await client.submitFlow(sum, { plus: 2 }, options);
    expect(again).toMatchObject({ id: first.id, deduplicated: true });
    expect(again.children[0].id).toBe(first.children[0].id);
    const other = { ...options, children: [child(square, { n: 6 })] as const };
    expect(await failureOf(client.submitFlow(sum, { plus: 2 }, other))).toMatchObject({
      code: "ALREADY_EXISTS",
      reason: "IDEMPOTENCY_KEY_REUSED",
      metadata: { job_id: first.id },
    });
  });

  test("is looked at as a whole before anything is sent: each input that does not fit is named", async () => {
    const before = pipeline.quorum.proposed.length;
    const wrong = { n: "many" } as unknown as { n: number };
    const error = await failureOf(
      client.submitFlow(
        sum,
        { plus: 0 },
        { children: [child(square, wrong), child(look, {}, { children: [child(square, wrong)] })] },
      ),
    );
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT", reason: "INVALID_FIELD" });
    expect(error.violations.map(({ field }) => field)).toEqual([
      "job.children[0].payload",
      "job.children[1].children[0].payload",
    ]);
    expect(pipeline.quorum.proposed).toHaveLength(before);
  });

  const one = JobSpec.fromPartial({ kind: "square", payload: Buffer.from('{"n":1}') });
  const nested = (levels: number): JobSpec =>
    levels === 1 ? one : { ...one, children: [nested(levels - 1)] };

  test.each<[string, JobSpec, string, string]>([
    [
      "of too many levels",
      nested(FAMILY_LEVELS_MAX + 1),
      "job.children[0].children[0].children[0].children[0].children",
      "at most 5 levels",
    ],
    [
      "of too many jobs",
      { ...one, children: Array.from({ length: 1_000 }, () => one) },
      "job.children[999]",
      "at most 1000 with all children",
    ],
    [
      "with a key for a child",
      { ...one, children: [{ ...one, idempotencyKey: "k" }] },
      "job.children[0].idempotency_key",
      "the key of the topmost job stands for all",
    ],
    [
      "with an unknown policy",
      { ...one, onChildFailure: 9 as ChildFailurePolicy },
      "job.on_child_failure",
      "RUN_PARENT",
    ],
    [
      "with a child that is wrong",
      { ...one, children: [one, { ...one, priority: -1 }] },
      "job.children[1].priority",
      "0 to 1000",
    ],
  ])("%s is refused, and told where", async (_, job, field, limit) => {
    const error = await failureOf(edge.jobs.submitJob({ job }));
    expect(error).toMatchObject({ reason: "INVALID_FIELD", violations: [{ field }] });
    expect(error.rawMessage).toContain(limit);
  });

  test("with a child of a kind that nobody knows is refused as a whole", async () => {
    const job = { ...one, children: [{ ...one, kind: "nobody" }] };
    expect(await failureOf(edge.jobs.submitJob({ job }))).toMatchObject({
      reason: "INVALID_FIELD",
      metadata: { field: "job.children[0].kind" },
    });
  });

  test("nested a hundred thousand levels deep is refused, and harms nobody", async () => {
    const raw = new Client(edge.address, credentials.createInsecure());
    atEnd(() => raw.close());
    const { promise, resolve } = Promise.withResolvers<number>();
    const bytes = nestedBytes(100_000);
    const path = "/quorumq.v1.JobService/SubmitJob";
    const same = (value: Buffer): Buffer => value;
    raw.makeUnaryRequest(path, same, same, bytes, (error) => resolve(error?.code ?? 0));
    expect(await promise).toBe(GrpcCode.INVALID_ARGUMENT);
    expect(await client.run(square, { n: 2 })).toBe(4);
  });

  test("is submitted and shown by the command line", async () => {
    const children = ["--child", 'square={"n":2}', "square"];
    const words = ["sum", '{"plus":1}', ...children, "--run-parent", "--wait"];
    const address = ["--address", edge.address];
    const { code, stdout } = await runCli(["submit", ...words, ...address]);
    expect(code).toBe(0);
    // The second child's payload is null, which does not fit: it failed, and its parent ran.
    expect(stdout).toMatch(/^result +5$/m);
    const id = /^id +(\S+)$/m.exec(stdout)?.[1] ?? "";
    expect(stdout).toMatch(/^children +\S+-2, \S+-3 \(0 of 2 have not ended\)$/m);
    const parent = await runCli(["get", id, ...address]);
    expect(parent.stdout).toMatch(/^ {2}child {6}\S+-2 {2}SUCCEEDED {2}square$/m);
    expect(parent.stdout).toMatch(/^ {2}child {6}\S+-3 {2}FAILED {2}square {2}PAYLOAD_REFUSED$/m);
    const shown = await runCli(["get", `${id.replace(/-1$/, "-3")}`, ...address]);
    expect(shown.stdout).toMatch(new RegExp(`^parent +${id}$`, "m"));
    expect(shown.stdout).toContain("PAYLOAD_REFUSED");
  });

  test("may be one of several that are accepted together", async () => {
    const { jobs } = await edge.jobs.batchSubmitJobs({ jobs: [one, nested(3), one] });
    expect(jobs.map(({ childJobIds }) => childJobIds.length)).toEqual([0, 1, 0]);
    const ids = jobs.map(({ jobId }) => jobId);
    for (const id of ids) expect((await client.wait(id)).state).toBe(4);
  });
});

/** A SubmitJobRequest whose job has a child, which has a child, and so on. */
function nestedBytes(levels: number): Buffer {
  const heads: Buffer[] = [];
  let length = 0;
  for (let level = 0; level < levels; level += 1) {
    const head = Buffer.from([((level === levels - 1 ? 1 : 13) << 3) | 2, ...varint(length)]);
    heads.push(head);
    length += head.length;
  }
  return Buffer.concat(heads.reverse());
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return [...bytes, rest];
    bytes.push((rest & 0x7f) | 0x80);
  }
}
