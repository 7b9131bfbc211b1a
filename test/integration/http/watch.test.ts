// GET /v1/jobs/{id}:watch: server-sent events that can be resumed and that end with the job. And
// how the server drains.

import { beforeAll, describe, expect, jest, test } from "@jest/globals";
import { silentLogger } from "../../../transport/telemetry/logger.ts";
import { createConsole } from "../../../workers/console.ts";
import { type EventReader, openEvents } from "../../support/event-reader.ts";
import { type HttpEdge, startHttpEdge } from "../../support/http-edge.ts";
import { SoloQuorum } from "../../support/solo-quorum.ts";
import { registerKinds, runTinyExecutor } from "../../support/tiny-executor.ts";

jest.setTimeout(30_000);

const CALL = { timeoutMs: 1_000, traceparent: "" };

let edge: HttpEdge;

beforeAll(async () => {
  edge = await startHttpEdge();
  await registerKinds(edge.quorum, ["idle"]);
  await runTinyExecutor(edge.quorum, { echo: (input) => ({ result: input }) });
});

async function submit(kind: string): Promise<string> {
  return String((await edge.call("POST", "/v1/jobs", { kind })).json["jobId"]);
}

function watch(jobId: string, headers: Record<string, string> = {}): Promise<EventReader> {
  return openEvents(`${edge.url}/v1/jobs/${jobId}:watch`, headers);
}

async function cancel(jobId: string): Promise<void> {
  await edge.quorum.propose({ kind: "cancel-job", jobId, reason: "" }, CALL);
}

describe("a watch", () => {
  test("tells the job as it is, then each change under its index, and ends with the job", async () => {
    const jobId = await submit("idle");
    const events = await watch(jobId);
    expect(events.status).toBe(200);
    const queued = await events.next();
    expect(queued).toMatchObject({ name: "job", data: { id: jobId, state: "JOB_STATE_QUEUED" } });
    await cancel(jobId);
    const cancelled = await events.next();
    expect(cancelled?.data).toMatchObject({ state: "JOB_STATE_CANCELLED" });
    expect(cancelled?.id).toBe(String(cancelled?.data["changeIndex"]));
    expect(Number(cancelled?.id)).toBeGreaterThan(Number(queued?.id));
    expect(await events.next()).toBeNull();
  });

  test("goes on after the last event that was seen, and repeats none", async () => {
    const jobId = await submit("idle");
    const first = await watch(jobId);
    const seen = await first.next();
    await first.leave();
    const second = await watch(jobId, { "last-event-id": seen?.id ?? "" });
    await cancel(jobId);
    expect((await second.next())?.data).toMatchObject({ state: "JOB_STATE_CANCELLED" });
    expect(await second.next()).toBeNull();
  });

  test("has nothing to tell after the end, and says so with 204, which ends reconnecting", async () => {
    const jobId = await submit("echo");
    const { json } = await edge.call("GET", `/v1/jobs/${jobId}:wait`);
    const events = await watch(jobId, { "last-event-id": String(json["changeIndex"]) });
    expect([events.status, await events.next()]).toEqual([204, null]);
    // Without a last event it is told once more how the job ended.
    expect((await (await watch(jobId)).next())?.data).toMatchObject({
      state: "JOB_STATE_SUCCEEDED",
    });
  });

  test("of an unknown job is 404, of an id that is none 400", async () => {
    expect((await watch("j-999999")).status).toBe(404);
    expect((await watch("j-1", { "last-event-id": "x" })).status).toBe(400);
  });

  test("of its own time ends with a failure that is told as an event", async () => {
    const events = await watch(await submit("idle"), { "x-timeout-ms": "300" });
    expect((await events.next())?.name).toBe("job");
    expect(await events.next()).toMatchObject({
      name: "failure",
      data: { error: { status: "DEADLINE_EXCEEDED" } },
    });
    expect(await events.next()).toBeNull();
  });
});

describe("draining", () => {
  test("sends watchers away, lets calls end, and refuses new connections", async () => {
    const quorum = new SoloQuorum();
    await registerKinds(quorum, ["idle"]);
    const logger = silentLogger();
    const console = await createConsole({ quorum, host: "127.0.0.1", port: 0, logger });
    const url = `http://127.0.0.1:${console.port}`;
    const post = { method: "POST", headers: { "content-type": "application/json" } };
    const answer = await fetch(`${url}/v1/jobs`, { ...post, body: '{"kind":"idle"}' });
    const { jobId } = (await answer.json()) as { jobId: string };
    const events = await openEvents(`${url}/v1/jobs/${jobId}:watch`);
    await events.next();
    const running = fetch(`${url}/v1/jobs:run`, {
      ...post,
      body: '{"kind":"idle","idempotencyKey":"run-1"}',
    });
    while (quorum.proposed.filter(({ kind }) => kind === "submit-jobs").length < 2) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    await console.close(300);
    expect((await events.next())?.data).toMatchObject({ error: { status: "UNAVAILABLE" } });
    const ended = await running;
    expect(ended.status).toBe(503);
    expect(await ended.text()).toContain('"idempotency_key":"run-1"');
    await expect(fetch(`${url}/livez`)).rejects.toThrow();
    await quorum.close();
  });
});
