// A job watched by the public client and by the command line, over gateways that come and go.

import { beforeAll, describe, expect, jest, test } from "@jest/globals";
import { z } from "zod";
import { type Job, JobState } from "../../../protos/gen/quorumq/v1/job.ts";
import { silentLogger } from "../../../transport/telemetry/logger.ts";
import { type Client, createClient } from "../../../workers/client.ts";
import { defineJob } from "../../../workers/define-job.ts";
import { createGateway, type Gateway } from "../../../workers/gateway.ts";
import { type Ran, runCli } from "../../support/cli.ts";
import { type Edge, failureOf, startEdge } from "../../support/edge.ts";
import { atEnd } from "../../support/teardown.ts";
import { registerKinds, runTinyExecutor } from "../../support/tiny-executor.ts";

jest.setTimeout(60_000);

const idle = defineJob({ kind: "idle", input: z.any(), handler: () => null });
const echo = defineJob({ kind: "echo", input: z.any(), handler: (input) => input });
const { JOB_STATE_QUEUED, JOB_STATE_SUCCEEDED, JOB_STATE_CANCELLED } = JobState;

let edge: Edge;
let client: Client;

beforeAll(async () => {
  edge = await startEdge();
  await registerKinds(edge.quorum, ["idle"]);
  await runTinyExecutor(edge.quorum, { echo: (input) => ({ result: input }) });
  client = createClient({ address: edge.address });
  atEnd(() => client.close());
});

async function cancel(jobId: string): Promise<void> {
  const body = { kind: "cancel-job", jobId, reason: "" } as const;
  await edge.quorum.propose(body, { timeoutMs: 1_000, traceparent: "" });
}

async function idleJob(): Promise<string> {
  return (await client.submit(idle, {})).id;
}

describe("watch", () => {
  test("gives each change once, with what is after an index, and ends with the job", async () => {
    const { id } = await client.submit(echo, { n: 1 });
    await client.wait(id);
    const seen: Job[] = [];
    for await (const job of client.watch(id)) seen.push(job);
    expect(seen.map(({ state }) => state)).toEqual([JOB_STATE_SUCCEEDED]);
    const { changeIndex = 0 } = seen[0] ?? {};
    for await (const job of client.watch(id, { afterIndex: changeIndex })) seen.push(job);
    expect(seen).toHaveLength(1);
    for await (const job of client.watch(id, { afterIndex: changeIndex - 1 })) seen.push(job);
    expect(seen).toHaveLength(2);
  });

  test("goes on at the gateway that comes next, and repeats nothing", async () => {
    const open = (port: number): Promise<Gateway> =>
      createGateway({ quorum: edge.quorum, host: "127.0.0.1", port, logger: silentLogger() });
    const first = await open(0);
    const away = createClient({ address: `127.0.0.1:${first.port}` });
    atEnd(() => away.close());
    const id = await idleJob();
    const seen: JobState[] = [];
    for await (const { state } of away.watch(id)) {
      seen.push(state);
      if (state !== JOB_STATE_QUEUED) continue;
      await first.close(0);
      // While nobody listens.
      await cancel(id);
      const second = await open(first.port);
      atEnd(() => second.close(0));
    }
    expect(seen).toEqual([JOB_STATE_QUEUED, JOB_STATE_CANCELLED]);
  });

  test("ends with the caller's time, signal or interest, and leaves nothing open", async () => {
    const id = await idleJob();
    const all = async (options: Parameters<Client["watch"]>[1]): Promise<number> => {
      let count = 0;
      for await (const job of client.watch(id, options)) count += job.id === id ? 1 : 0;
      return count;
    };
    expect(await failureOf(all({ deadlineMs: 1_000 }))).toMatchObject({
      code: "DEADLINE_EXCEEDED",
    });
    expect(await failureOf(all({ deadlineMs: Number.NaN }))).toMatchObject({
      reason: "INVALID_FIELD",
    });
    expect(await failureOf(all({ signal: AbortSignal.abort() }))).toMatchObject({
      reason: "CALL_CANCELLED",
    });
    for await (const job of client.watch(id)) {
      expect(job.state).toBe(JOB_STATE_QUEUED);
      break;
    }
    while (edge.gateway.open().calls > 0) await new Promise((resolve) => setImmediate(resolve));
  });

  test("of an unknown job is NOT_FOUND", async () => {
    const watching = client.watch("j-999999")[Symbol.asyncIterator]().next();
    expect(await failureOf(watching)).toMatchObject({ reason: "JOB_NOT_FOUND" });
  });
});

describe("quorumq watch", () => {
  const run = (...words: string[]): Promise<Ran> =>
    runCli(["watch", ...words, "--address", edge.address]);

  test("tells a line a change, and exits as the job ended", async () => {
    const { id } = await client.submit(echo, { n: 1 });
    const { changeIndex } = await client.wait(id);
    const done = await run(id);
    expect(done).toMatchObject({ code: 0, stderr: "" });
    expect(done.stdout).toBe(`${String(changeIndex).padStart(9)}  SUCCEEDED  {"n":1}\n`);
    expect(await run(id, "--after", String(changeIndex))).toMatchObject({ code: 0, stdout: "" });
    const json = await run(id, "--output", "json");
    expect(JSON.parse(json.stdout)).toMatchObject({ id, state: "SUCCEEDED", result: { n: 1 } });

    const cancelled = await idleJob();
    const watching = run(cancelled);
    await cancel(cancelled);
    const { code, stdout } = await watching;
    expect([code, stdout]).toEqual([3, expect.stringMatching(/CANCELLED {2}CANCELLED/)]);
  });

  test("gives up when told to, and at once where nobody listens", async () => {
    const late = await run(await idleJob(), "--timeout", "1");
    expect([late.code, late.stdout]).toEqual([124, expect.stringMatching(/^ +\d+ {2}QUEUED\n$/)]);
    expect((await runCli(["watch", "j-1", "--address", "127.0.0.1:1"])).code).toBe(4);
    expect((await run("j-999999")).code).toBe(2);
  });
});
