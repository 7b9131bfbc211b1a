// The HTTP API over a real socket: the same calls, the same errors, as JSON.

import { beforeAll, describe, expect, jest, test } from "@jest/globals";
import { HTTP_BODY_BYTES_MAX } from "../../../transport/limit.ts";
import { type HttpEdge, startHttpEdge } from "../../support/http-edge.ts";
import { registerKinds, runTinyExecutor } from "../../support/tiny-executor.ts";

jest.setTimeout(30_000);

let edge: HttpEdge;

beforeAll(async () => {
  edge = await startHttpEdge();
  await registerKinds(edge.quorum, ["idle"]);
  await runTinyExecutor(edge.quorum, {
    echo: (input) => ({ result: input }),
    fail: () => ({ error: { code: "TypeError", message: "no", retryable: false } }),
  });
});

async function submitted(body: object): Promise<string> {
  return String((await edge.call("POST", "/v1/jobs", body)).json["jobId"]);
}

describe("POST /v1/jobs", () => {
  test("commits a job, which GET then shows with its payload as it was sent", async () => {
    const text = '{"kind":"idle","payload":{"n":12345678901234567890,"x":1.50, "s":"é"}}';
    const { status, json, headers } = await edge.call("POST", "/v1/jobs", text);
    expect(status).toBe(200);
    expect(json).toMatchObject({ deduplicated: false });
    expect(headers.get("content-type")).toBe("application/json");
    expect(headers.get("access-control-allow-origin")).toBeNull();
    const got = await edge.call("GET", `/v1/jobs/${json["jobId"]}`);
    expect(got.json).toMatchObject({ id: json["jobId"], state: "JOB_STATE_QUEUED", attempts: [] });
    // Digit for digit: what JavaScript would round is not touched.
    expect(got.text).toContain('"payload":{"n":12345678901234567890,"x":1.50, "s":"é"}');
  });

  test("is the same submission as over gRPC: same key and same bytes, same job", async () => {
    const key = { "idempotency-key": "http-1" };
    const spec = { kind: "idle", payload: { a: 1 } };
    const first = await edge.call("POST", "/v1/jobs", spec, key);
    const again = await edge.call("POST", "/v1/jobs", { ...spec, idempotencyKey: "http-1" });
    expect(again.json).toMatchObject({ jobId: first.json["jobId"], deduplicated: true });
    const other = await edge.call("POST", "/v1/jobs", { ...spec, payload: 2 }, key);
    expect([other.status, other.json["error"]?.["status"]]).toEqual([409, "ALREADY_EXISTS"]);
  });

  test.each([
    ["?wait=true", {}],
    ["", { prefer: "respond-async, wait=5" }],
    [":run", {}],
  ])("%s %j answers with the job when it has ended", async (suffix, headers) => {
    const spec = { kind: "echo", payload: [1, "2"] };
    const { status, json } = await edge.call("POST", `/v1/jobs${suffix}`, spec, headers);
    expect(status).toBe(200);
    expect(json).toMatchObject({ state: "JOB_STATE_SUCCEEDED", result: [1, "2"] });
  });

  test("that waits longer than its time says so, with the key to ask again with", async () => {
    const headers = { "x-timeout-ms": "200", "idempotency-key": '"late-1"' };
    const { status, json } = await edge.call(
      "POST",
      "/v1/jobs?wait=true",
      { kind: "idle" },
      headers,
    );
    expect(status).toBe(504);
    expect(json["error"]?.["details"]).toEqual([
      expect.objectContaining({
        metadata: expect.objectContaining({ idempotency_key: "late-1", retry: "same-key" }),
      }),
    ]);
  });

  test("with both a header and another key in the body is refused", async () => {
    const spec = { kind: "idle", idempotencyKey: "one" };
    const { status, json } = await edge.call("POST", "/v1/jobs", spec, {
      "idempotency-key": "two",
    });
    expect(status).toBe(400);
    expect(json["error"]?.["message"]).toContain("job.idempotency_key differs");
  });

  test("tells everything that is wrong with a body at once, by the paths of the protos", async () => {
    const spec = { kind: 5, priority: "high", lockKeys: [1], runAt: "soon", colour: "red" };
    const { status, json } = await edge.call("POST", "/v1/jobs", spec);
    expect(status).toBe(400);
    expect(json).toMatchObject({
      error: { code: 400, status: "INVALID_ARGUMENT", details: [{ reason: "INVALID_FIELD" }, {}] },
    });
    const details = json["error"]?.["details"] as unknown as {
      fieldViolations?: { field: string }[];
    }[];
    expect(details[1]?.fieldViolations?.map(({ field }) => field)).toEqual([
      ...["job.kind", "job.priority", "job.lock_keys", "job.run_at", "job.colour"],
    ]);
    expect(JSON.stringify(details)).toContain("is not a field of JobSpec, which has kind, queue");
  });

  test("counts problems without end, and tells some", async () => {
    const many = Object.fromEntries(Array.from({ length: 20_000 }, (_, at) => [`f${at}`, at]));
    const { status, text } = await edge.call("POST", "/v1/jobs", { kind: "idle", ...many });
    expect(status).toBe(400);
    expect(text).toContain("1000 or more fields are wrong");
    expect(text.length).toBeLessThan(40_000);
  });

  test("lets the gateway's own checks speak where the form is right", async () => {
    const { status, json } = await edge.call("POST", "/v1/jobs", { kind: "no-such" });
    expect([status, json["error"]?.["status"]]).toEqual([400, "INVALID_ARGUMENT"]);
    expect(json["error"]?.["message"]).toContain("job.kind is not known");
  });

  test.each([
    ["nothing", "", "job is missing"],
    ["no object", "[]", "job is array; allowed: an object, a JobSpec"],
    ["half of it", '{"kind":"idle"', "expected } at line 1, column 15, where it ends"],
    [
      "a comma too much",
      '{"kind":"idle",\n }',
      "expected a name in double quotes at line 2, column 2",
    ],
    ["a field twice", '{"kind":"idle","kind":"idle"}', "job.kind is there twice"],
    ["bad base", '{"kind":"idle","payload":{"a":01}}', "expected } at line 1, column 32"],
  ])("of %s says what is wrong and where", async (_what, text, told) => {
    const { status, json } = await edge.call("POST", "/v1/jobs", text);
    expect(status).toBe(400);
    expect(json["error"]?.["message"]).toContain(told);
  });

  test("of another type is 415, of too many bytes 413, of bytes that are no text 400", async () => {
    const form = { "content-type": "text/plain" };
    expect((await edge.call("POST", "/v1/jobs", "{}", form)).status).toBe(415);
    const { status, json } = await edge.call(
      "POST",
      "/v1/jobs",
      "x".repeat(HTTP_BODY_BYTES_MAX + 1),
    );
    expect([status, json["error"]?.["status"]]).toEqual([413, "RESOURCE_EXHAUSTED"]);
    const latin = await fetch(`${edge.url}/v1/jobs`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: Buffer.from([0x22, 0xe9, 0x22]),
    });
    expect([latin.status, await latin.text()]).toEqual([400, expect.stringContaining("not UTF-8")]);
  });

  test("takes a payload as deep as gRPC takes it", async () => {
    const payload = `${"[".repeat(50_000)}${"]".repeat(50_000)}`;
    const { json } = await edge.call("POST", "/v1/jobs", `{"kind":"idle","payload":${payload}}`);
    expect((await edge.call("GET", `/v1/jobs/${json["jobId"]}`)).text).toContain(payload);
  });
});

describe("jobs", () => {
  test("are listed in pages, by filters, with short names of states", async () => {
    const queue = "default";
    const batch = Array.from({ length: 5 }, () => ({ kind: "idle", queue }));
    const { json } = await edge.call("POST", "/v1/jobs:batchSubmit", { jobs: batch });
    const ids = (json["jobs"] as unknown as { jobId: string }[])
      .map(({ jobId }) => jobId)
      .reverse();
    const first = await edge.call("GET", "/v1/jobs?pageSize=3&state=queued&kind=idle");
    const token = String(first.json["nextPageToken"]);
    const next = await edge.call(
      "GET",
      `/v1/jobs?page_size=2&state=JOB_STATE_QUEUED&kind=idle&pageToken=${token}`,
    );
    const listed = [first, next].flatMap(
      (page) => page.json["jobs"] as unknown as { id: string; payload?: unknown }[],
    );
    expect(listed.map(({ id }) => id)).toEqual(ids);
    for (const job of listed) expect(job).not.toHaveProperty("payload");
  });

  test("can be cancelled, with a reason or without, and once is as good as twice", async () => {
    const jobId = await submitted({ kind: "idle" });
    const { status, json } = await edge.call("POST", `/v1/jobs/${jobId}:cancel`, {
      reason: "late",
    });
    expect(status).toBe(200);
    expect(json).toMatchObject({ state: "JOB_STATE_CANCELLED", error: { message: "late" } });
    expect((await edge.call("POST", `/v1/jobs/${jobId}:cancel`)).status).toBe(200);
  });

  test("can be waited for, and a wait that is over says so as 504", async () => {
    const ended = await submitted({ kind: "fail" });
    const { json } = await edge.call("GET", `/v1/jobs/${ended}:wait`);
    expect(json).toMatchObject({ state: "JOB_STATE_FAILED", error: { code: "TypeError" } });
    const idle = await submitted({ kind: "idle" });
    const late = await edge.call("GET", `/v1/jobs/${idle}:wait`, undefined, {
      "x-timeout-ms": "200",
    });
    expect(late.status).toBe(504);
    expect(late.json["error"]?.["details"]).toEqual([
      expect.objectContaining({
        reason: "OUTCOME_UNKNOWN",
        metadata: { job_id: idle, retry: "same-key" },
      }),
    ]);
  });

  test.each([
    ["GET", "/v1/jobs/j-999999", 404, "JOB_NOT_FOUND"],
    ["GET", "/v1/jobs/no%20such", 404, "JOB_NOT_FOUND"],
    ["GET", "/v1/nothing", 404, "PATH_UNKNOWN"],
    ["GET", "/", 404, "PATH_UNKNOWN"],
    ["PUT", "/v1/jobs", 405, "VERB_NOT_ALLOWED"],
    ["GET", "/v1/jobs?colour=red", 400, "INVALID_FIELD"],
    ["GET", "/v1/jobs?state=asleep", 400, "INVALID_FIELD"],
    ["GET", "/v1/jobs?pageSize=1&pageSize=2", 400, "INVALID_FIELD"],
    ["GET", "/v1/jobs?pageToken=mine", 400, "INVALID_FIELD"],
    ["POST", "/v1/jobs?kind=idle", 400, "INVALID_FIELD"],
  ])("%s %s is %i %s", async (verb, path, wanted, reason) => {
    const { status, json } = await edge.call(verb, path);
    expect([status, json["error"]?.["code"]]).toEqual([wanted, wanted]);
    expect(json["error"]?.["details"]).toContainEqual(expect.objectContaining({ reason }));
  });
});

describe("the quorum's state", () => {
  test("is told, and its absence with the time to try again", async () => {
    expect((await edge.call("GET", "/v1/cluster")).json).toMatchObject({ leaderId: "solo" });
    edge.quorum.interrupt({ kind: "unavailable", reason: "no-leader" });
    const { status, json, headers } = await edge.call("GET", "/v1/cluster");
    const ready = await edge.call("GET", "/readyz");
    const alive = await edge.call("GET", "/livez");
    edge.quorum.restore();
    expect([status, headers.get("retry-after")]).toEqual([503, "1"]);
    expect(json["error"]).toMatchObject({
      details: [{ reason: "NO_LEADER" }, { retryDelay: "0.5s" }],
    });
    expect([ready.status, ready.text]).toEqual([
      503,
      "[-]leader failed: none is known\n[+]accepting ok\nnot ready\n",
    ]);
    expect([alive.status, alive.text]).toEqual([200, "ok\n"]);
    expect((await edge.call("GET", "/readyz?verbose")).text).toBe(
      "[+]leader ok\n[+]accepting ok\nready\n",
    );
  });
});

describe("locks outside jobs", () => {
  test("are taken, kept and let go, and a second taker is told who has them", async () => {
    const body = { keys: ["account:a/1"], owner: "curl", ttl: "5s" };
    const { status, json } = await edge.call("POST", "/v1/locks:acquire", body);
    expect(status).toBe(200);
    const held = { fencingToken: json["fencingToken"] };
    const lock = `/v1/locks/${encodeURIComponent(String(json["lockId"]))}`;
    const second = await edge.call("POST", "/v1/locks:acquire", body);
    expect([second.status, second.json["error"]?.["status"]]).toEqual([409, "ABORTED"]);
    expect((await edge.call("POST", `${lock}:keepAlive`, held)).status).toBe(200);
    expect((await edge.call("GET", "/v1/locks")).json).toMatchObject({
      locks: [{ key: "account:a/1", owner: "curl" }],
    });
    expect((await edge.call("POST", `${lock}:release`, held)).json).toEqual({});
  });

  test("asked for twice under one key are one lock", async () => {
    const key = { "idempotency-key": "lock-1" };
    const body = { keys: ["b"] };
    const first = await edge.call("POST", "/v1/locks:acquire", body, key);
    const again = await edge.call("POST", "/v1/locks:acquire", body, key);
    const { lockId, fencingToken } = first.json;
    expect(again.json).toMatchObject({ lockId, fencingToken });
  });
});

test("a queue is limited, paused, drained and resumed, and all of them at once, too", async () => {
  const limited = await edge.call("PATCH", "/v1/queues/default", { maxRunning: 3 });
  expect(limited.json).toMatchObject({ name: "default", limits: { maxRunning: 3 } });
  const paused = await edge.call("POST", "/v1/queues/default:pause");
  expect(paused.json).toMatchObject({ paused: true });
  const jobId = await submitted({ kind: "idle" });
  const { json } = await edge.call("POST", "/v1/queues/default:drain", { reason: "over" });
  expect(Number(json["cancelledCount"])).toBeGreaterThan(0);
  const drained = await edge.call("GET", `/v1/jobs/${jobId}`);
  expect(drained.json).toMatchObject({ state: "JOB_STATE_CANCELLED", error: { message: "over" } });
  await edge.call("POST", "/v1/queues/default:resume");
  expect((await edge.call("POST", "/v1/queues/*:pause")).json).toMatchObject({ paused: true });
  expect((await edge.call("POST", "/v1/queues/*:resume")).json).toMatchObject({ paused: false });
  expect((await edge.call("GET", "/v1/queues")).json).toMatchObject({
    queues: [{ name: "default", paused: false, limits: { maxRunning: 3 } }],
  });
});

test("a full queue is 429, with the time to try again, until it has room", async () => {
  await edge.call("POST", "/v1/queues/default:drain", {});
  await edge.call("PATCH", "/v1/queues/default", { maxWaiting: 1 });
  const first = await submitted({ kind: "idle" });
  const { status, json, headers } = await edge.call("POST", "/v1/jobs", { kind: "idle" });
  expect([status, json["error"]?.["status"]]).toEqual([429, "RESOURCE_EXHAUSTED"]);
  expect(Number(headers.get("retry-after"))).toBeGreaterThan(0);
  await edge.call("POST", `/v1/jobs/${first}:cancel`);
  expect((await edge.call("POST", "/v1/jobs", { kind: "idle" })).status).toBe(200);
  const roomy = await edge.call("PATCH", "/v1/queues/default", { maxWaiting: "1000000" });
  expect(roomy.json).toMatchObject({ limits: { maxWaiting: "1000000", maxRunning: 3 } });
});

test("a schedule is made, listed, paused, resumed and deleted", async () => {
  const schedule = { id: "nightly", cron: "0 3 * * *", job: { kind: "idle", payload: { a: 1 } } };
  const { status, json } = await edge.call("POST", "/v1/schedules", schedule);
  expect(status).toBe(200);
  expect(json).toMatchObject(schedule);
  expect((await edge.call("GET", "/v1/schedules")).json).toMatchObject({
    schedules: [{ id: "nightly", job: { kind: "idle" } }],
  });
  const paused = await edge.call("POST", "/v1/schedules/nightly:pause");
  expect(paused.json).toMatchObject({ paused: true });
  const resumed = await edge.call("POST", "/v1/schedules/nightly:resume");
  expect(resumed.json).toMatchObject({ paused: false });
  expect((await edge.call("DELETE", "/v1/schedules/nightly")).json).toEqual({ existed: true });
  expect((await edge.call("GET", "/v1/schedules/nightly")).status).toBe(404);
});

describe("headers", () => {
  test("that cannot be right are refused", async () => {
    const { status, json } = await edge.call("GET", "/v1/jobs", undefined, {
      "x-timeout-ms": "soon",
    });
    expect(status).toBe(400);
    expect(json["error"]?.["message"]).toContain("x-timeout-ms");
  });

  test("of a trace make the call a part of it", async () => {
    const traceId = "0af7651916cd43dd8448eb211c80319c";
    const traceparent = `00-${traceId}-b7ad6b7169203331-01`;
    const { json } = await edge.call("POST", "/v1/jobs", { kind: "idle" }, { traceparent });
    expect(json).toMatchObject({ traceId });
  });

  test("of a page of another site are refused before anything is done", async () => {
    const before = edge.quorum.proposed.length;
    const origin = { origin: "https://elsewhere.example" };
    const { status, json } = await edge.call("POST", "/v1/jobs/j-1:cancel", undefined, origin);
    expect([status, json["error"]?.["status"]]).toEqual([403, "PERMISSION_DENIED"]);
    const own = { origin: edge.url };
    expect((await edge.call("GET", "/v1/cluster", undefined, own)).status).toBe(200);
    expect(edge.quorum.proposed).toHaveLength(before);
  });
});

test("every answer of this file fits the OpenAPI document", () => {
  expect(edge.offences).toEqual([]);
});
