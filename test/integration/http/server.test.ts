// The HTTP server with handlers of the test's own: what a handler is told of its call, what callers
// are told of its failures, and who is kept out.

import { once } from "node:events";
import { request } from "node:http";
import { beforeAll, describe, expect, jest, test } from "@jest/globals";
import { Job } from "../../../protos/gen/quorumq/v1/job.ts";
import {
  JobServiceService,
  type WatchJobResponse,
} from "../../../protos/gen/quorumq/v1/job_service.ts";
import type { Call } from "../../../transport/grpc/call.ts";
import type { JobHandlers } from "../../../transport/grpc/server.ts";
import { ROUTES } from "../../../transport/http/route-table.ts";
import { type HttpServer, startHttpServer } from "../../../transport/http/server.ts";
import { refusal } from "../../../transport/reason.ts";
import { silentLogger } from "../../../transport/telemetry/logger.ts";
import { startHttpEdge } from "../../support/http-edge.ts";
import { atEnd } from "../../support/teardown.ts";
import { registerKinds } from "../../support/tiny-executor.ts";

jest.setTimeout(30_000);

/** What the last call was told, and how it is to end. */
let taken: Call | null = null;
let arrived = Promise.withResolvers<Call>();
let behave: (call: Call) => Promise<never>;

let watch: (call: Call) => AsyncGenerator<WatchJobResponse>;

const handlers: JobHandlers = {
  watchJob: (_request, call) => watch(call),
  getJob: async (_request, call) => {
    taken = call;
    arrived.resolve(call);
    return await behave(call);
  },
};

let server: HttpServer;
let url: string;

beforeAll(async () => {
  server = await startHttpServer({
    host: "127.0.0.1",
    port: 0,
    services: [{ definition: JobServiceService, handlers }],
    checks: () => [],
    logger: silentLogger(),
  });
  url = `http://127.0.0.1:${server.port}`;
  atEnd(() => server.drain(500));
});

async function get(
  headers: Record<string, string> = {},
): Promise<{ status: number; text: string }> {
  const answer = await fetch(`${url}/v1/jobs/j-1`, { headers });
  return { status: answer.status, text: await answer.text() };
}

describe("a handler", () => {
  test("is told the deadline that the caller gave, within bounds, or the default", async () => {
    behave = async () => {
      throw refusal("JOB_NOT_FOUND", "no");
    };
    const remaining = async (headers: Record<string, string>): Promise<number> => {
      await get(headers);
      return taken?.remainingMs() ?? 0;
    };
    const near = (ms: number): [number, number] => [ms - 2_000, ms];
    for (const [headers, [least, most]] of [
      [{}, near(10_000)],
      [{ "x-timeout-ms": "5000" }, near(5_000)],
      [{ "x-timeout-ms": "999999" }, near(60_000)],
      [{ prefer: "wait=4" }, near(4_000)],
    ] as const) {
      const ms = await remaining(headers);
      expect(ms).toBeGreaterThan(least);
      expect(ms).toBeLessThanOrEqual(most);
    }
  });

  test("is not called when the time is over on arrival", async () => {
    taken = null;
    const { status, text } = await get({ "x-timeout-ms": "0" });
    expect([status, taken]).toEqual([504, null]);
    expect(text).toContain("DEADLINE_EXPIRED");
  });

  test("is told when the caller has gone", async () => {
    arrived = Promise.withResolvers();
    behave = (call) =>
      new Promise((_, reject) => {
        call.signal.addEventListener("abort", () => reject(call.signal.reason), { once: true });
      });
    const leaving = new AbortController();
    const answer = fetch(`${url}/v1/jobs/j-1`, { signal: leaving.signal });
    const call = await arrived.promise;
    const gone = once(call.signal, "abort");
    leaving.abort();
    await expect(answer).rejects.toThrow();
    await gone;
    expect(call.signal.reason).toMatchObject({ reason: "CALL_CANCELLED" });
  });

  test("that fails for a reason of our own is 500, and says nothing of it", async () => {
    behave = async () => {
      throw new TypeError("s3cret");
    };
    const { status, text } = await get();
    expect(status).toBe(500);
    expect(text).toContain('"reason":"INTERNAL"');
    expect(text).not.toContain("s3cret");
  });

  test("that is not there is 501", async () => {
    const answer = await fetch(`${url}/v1/queues`);
    expect([answer.status, await answer.text()]).toEqual([
      501,
      expect.stringContaining("METHOD_NOT_IMPLEMENTED"),
    ]);
  });
});

describe("a stream", () => {
  test("that its caller leaves is left, and its handler told", async () => {
    const told = Promise.withResolvers<unknown>();
    watch = async function* (call) {
      try {
        yield { job: Job.fromPartial({ id: "j-1", changeIndex: 1 }) };
        await once(call.signal, "abort");
      } finally {
        told.resolve(call.signal.reason);
      }
    };
    const leaving = new AbortController();
    const answer = await fetch(`${url}/v1/jobs/j-1:watch`, { signal: leaving.signal });
    leaving.abort();
    await expect(answer.text()).rejects.toThrow();
    expect(await told.promise).toMatchObject({ reason: "CALL_CANCELLED" });
  });
});

describe("a server on loopback", () => {
  async function asking(host: string): Promise<number> {
    const asked = request({ port: server.port, path: "/livez", headers: { host } });
    asked.end();
    const [answer] = (await once(asked, "response")) as [{ statusCode: number; resume(): void }];
    answer.resume();
    return answer.statusCode;
  }

  test.each([
    ["localhost:51051", 200],
    ["127.0.0.1", 200],
    ["[::1]:51051", 200],
    ["elsewhere.example", 403],
    ["127.0.0.1.elsewhere.example:51051", 403],
  ])("asked as %s answers %i", async (host, status) => {
    expect(await asking(host)).toBe(status);
  });

  test("answers HEAD as GET, without a body", async () => {
    const answer = await fetch(`${url}/openapi.json`, { method: "HEAD" });
    expect([answer.status, await answer.text()]).toEqual([200, ""]);
    expect(Number(answer.headers.get("content-length"))).toBeGreaterThan(10_000);
  });
});

test("every path answers, with what the document says or with an error that is no fault", async () => {
  const edge = await startHttpEdge();
  await registerKinds(edge.quorum, ["idle"]);
  const rows = Object.values(ROUTES).filter(({ events }) => events === undefined);
  const statuses: Record<string, number> = {};
  for (const { verb, path, body } of rows) {
    const asked = path.replaceAll(/\{\w+\}/g, "none");
    const sent = body === undefined ? undefined : {};
    const { status } = await edge.call(verb, asked, sent, { "x-timeout-ms": "300" });
    statuses[`${verb} ${path}`] = status;
  }
  const faults = Object.entries(statuses).filter(([, status]) => status === 500);
  expect(faults).toEqual([]);
  expect(edge.offences).toEqual([]);
});
