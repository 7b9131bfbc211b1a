// What a hostile or broken caller of the HTTP API gets, byte by byte: an answer each time, in time,
// and nothing that it could do from another site's page.

import { connect } from "node:net";
import { beforeAll, describe, expect, jest, test } from "@jest/globals";
import {
  CALL_TIMEOUT_MS_MAX,
  HTTP_BODY_BYTES_MAX,
  REQUEST_FIELDS_MAX,
} from "../../../transport/limit.ts";
import { type HttpEdge, startHttpEdge } from "../../support/http-edge.ts";
import { registerKinds } from "../../support/tiny-executor.ts";

jest.setTimeout(CALL_TIMEOUT_MS_MAX);

let edge: HttpEdge;
let host: string;

beforeAll(async () => {
  edge = await startHttpEdge();
  host = new URL(edge.url).host;
  await registerKinds(edge.quorum, ["idle"]);
});

/** What comes back until the server closes the connection. */
function exchange(lines: readonly string[], ...bodies: readonly (string | Buffer)[]) {
  return new Promise<string>((resolve, reject) => {
    const socket = connect(edge.console.port, "127.0.0.1");
    const chunks: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("error", reject);
    socket.on("close", () => resolve(Buffer.concat(chunks).toString("utf8")));
    socket.write(`${lines.join("\r\n")}\r\n\r\n`);
    for (const body of bodies) socket.write(body);
  });
}

const head = (verb: string, path: string, ...more: string[]): string[] => [
  `${verb} ${path} HTTP/1.1`,
  `host: ${host}`,
  ...more,
];
const JSON_TYPE = "content-type: application/json";
const proposals = (): number => edge.quorum.proposed.length;

/** Not by fetch, which sets some of these itself. */
const visit = (verb: string, path: string, site: string, mode: string, dest: string) => {
  const browser = [`sec-fetch-site: ${site}`, `sec-fetch-mode: ${mode}`, `sec-fetch-dest: ${dest}`];
  return exchange(head(verb, path, ...browser, "content-length: 0", "connection: close"));
};

describe("a page of another site", () => {
  test.each([
    ["an image", "GET", "cross-site", "no-cors", "image"],
    ["a frame", "GET", "cross-site", "navigate", "iframe"],
    ["a script from another port", "GET", "same-site", "no-cors", "script"],
    ["a form", "POST", "cross-site", "navigate", "document"],
  ])("gets nothing by %s", async (_, verb, ...browser) => {
    const before = proposals();
    const path = verb === "GET" ? "/v1/jobs" : "/v1/queues/main:pause";
    const answer = await visit(verb, path, ...browser);
    expect(answer).toMatch(/^HTTP\/1.1 403 /);
    expect(answer).toContain("ORIGIN_REFUSED");
    expect(proposals()).toBe(before);
  });

  test.each([
    ["a link that is followed", "cross-site"],
    ["the address bar", "none"],
    ["a page of the console's own", "same-origin"],
  ])("is not what %s is", async (_, site) => {
    const answer = await visit("GET", "/v1/jobs", site, "navigate", "document");
    expect(answer).toMatch(/^HTTP\/1.1 200 /);
  });
});

describe("a body", () => {
  test("that does not come is not waited for beyond the call's time", async () => {
    const lines = head("POST", "/v1/jobs", JSON_TYPE, "content-length: 99", "x-timeout-ms: 50");
    const answer = await exchange(lines, '{"kind"');
    expect(answer).toMatch(/^HTTP\/1.1 504 /);
    expect(answer).toContain("DEADLINE_EXPIRED");
  });

  test("that is too large in chunks is answered before the connection is closed", async () => {
    const lines = head("POST", "/v1/jobs", JSON_TYPE, "transfer-encoding: chunked");
    const size = HTTP_BODY_BYTES_MAX + 1;
    const answer = await exchange(lines, `${size.toString(16)}\r\n`, Buffer.alloc(size, " "));
    expect(answer).toMatch(/^HTTP\/1.1 413 /);
    expect(answer).toContain("MESSAGE_TOO_LARGE");
  });

  test.each([
    ["in another charset", { "content-type": "application/json; charset=iso-8859-1" }],
    ["that is compressed", { "content-encoding": "gzip" }],
  ])("%s is not read as what it is not", async (_, headers) => {
    const { status, text } = await edge.call("POST", "/v1/jobs", { kind: "idle" }, headers);
    expect(status).toBe(415);
    expect(text).toContain("UNSUPPORTED_MEDIA_TYPE");
  });

  test("in UTF-8 may say so", async () => {
    const headers = { "content-type": 'application/json; charset="UTF-8"' };
    const answer = await edge.call("POST", "/v1/jobs", { kind: "idle" }, headers);
    expect(answer).toMatchObject({ status: 200 });
  });

  test("of which nothing is right is not read to its end", async () => {
    const body = `{${'"":0,'.repeat(800_000)}"":0}`;
    const { status, text } = await edge.call("POST", "/v1/jobs", body);
    expect(status).toBe(400);
    expect(text).toContain("1000 or more fields are wrong");
  });
});

test("a body of more fields than any request has is not made into a message", async () => {
  const body = `{"kind":"idle","children":[${"{},".repeat(500_000)}{}]}`;
  const { status, text } = await edge.call("POST", "/v1/jobs", body);
  expect(status).toBe(400);
  expect(text).toContain(`more than ${REQUEST_FIELDS_MAX} fields`);
});

test("the stream of a job has no headers without it", async () => {
  const submitted = await edge.call("POST", "/v1/jobs", { kind: "idle" });
  const path = `/v1/jobs/${submitted.json["jobId"]}:watch`;
  const answer = await exchange(head("HEAD", path, "connection: close"));
  expect(answer).toMatch(/^HTTP\/1.1 405 /);
  expect(answer).toContain("allow: GET");
});

test.each([
  ["wait", "/v1/jobs?wait=maybe", {}],
  ["idempotency-key", "/v1/jobs", { "idempotency-key": "schl\u00fcssel" }],
])("%s that cannot be right is named", async (field, path, headers) => {
  const before = proposals();
  const { status, text } = await edge.call("POST", path, { kind: "idle" }, headers);
  expect(status).toBe(400);
  expect(text).toContain(`"field":"${field}"`);
  expect(proposals()).toBe(before);
});

test("Prefer: wait=0 is no wait", async () => {
  const headers = { prefer: "wait=0" };
  const answer = await edge.call("POST", "/v1/jobs", { kind: "idle" }, headers);
  expect(answer.json).toMatchObject({ deduplicated: false });
});
