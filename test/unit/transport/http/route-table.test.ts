// The HTTP API is complete: every method of the protos has a path or a reason to have none, every
// path is documented, and nothing is in the table that is not in the protos.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type DescField, type DescMethod, ScalarType } from "@bufbuild/protobuf";
import { describe, expect, test } from "@jest/globals";
import { packageRoot } from "../../../../deploy/package-root.ts";
import {
  apiRegistry,
  fieldNamed,
  JSON_FIELDS,
  messageIn,
  methodDescriptor,
} from "../../../../transport/http/api-schema.ts";
import { STATUS_OF_CODE } from "../../../../transport/http/error-answer.ts";
import { openApiText } from "../../../../transport/http/openapi.ts";
import { reachable } from "../../../../transport/http/openapi-schema.ts";
import { Routes } from "../../../../transport/http/route.ts";
import { NOT_ROUTED, ROUTES } from "../../../../transport/http/route-table.ts";
import { Code } from "../../../../transport/pipeline-error.ts";
import { operationFor } from "../../../support/openapi-check.ts";

const methods: DescMethod[] = [...apiRegistry()].flatMap((desc) =>
  desc.kind === "service" && desc.typeName.startsWith("quorumq.v1.") ? desc.methods : [],
);
const nameOf = ({ parent, name }: DescMethod): string => `${parent.typeName}/${name}`;
const rows = Object.entries(ROUTES);

/** Bytes of the API that are no JSON. */
const BASE64_FIELDS = ["quorumq.v1.NodeLedger.hash", "quorumq.v1.VerifyLedgerResponse.hash"];

describe("every method", () => {
  test.each(methods.map((method) => [nameOf(method)]))("%s has a path or a reason", (name) => {
    expect([name in ROUTES, name in NOT_ROUTED]).toContain(true);
    expect(name in ROUTES && name in NOT_ROUTED).toBe(false);
  });

  test("that is named is one of the protos", () => {
    const named = [...Object.keys(ROUTES), ...Object.keys(NOT_ROUTED)];
    expect(named.filter((name) => methodDescriptor(name) === null)).toEqual([]);
  });

  test("without a path is a stream", () => {
    const unary = Object.keys(NOT_ROUTED).filter(
      (name) => methodDescriptor(name)?.methodKind === "unary",
    );
    expect(unary).toEqual([]);
  });
});

describe("every row", () => {
  test.each(rows)("%s names fields that are there", (name, row) => {
    const method = methodDescriptor(name);
    const inPath = Array.from(row.path.matchAll(/\{(\w+)\}/g), (match) => match[1] ?? "");
    const body = row.body === undefined || row.body === "*" ? [] : [row.body];
    const after = row.events === undefined ? [] : [row.events.after];
    const input = method?.input;
    for (const field of [...inPath, ...body, ...after]) {
      expect([field, input && fieldNamed(input, field)?.name]).toEqual([field, field]);
    }
    const output = method?.output;
    const answer = row.answer === undefined ? undefined : output && fieldNamed(output, row.answer);
    if (row.answer !== undefined) expect(answer && messageIn(answer)).not.toBeNull();
  });

  test("has a path of its own, which finds it and is documented", () => {
    const routes = new Routes(ROUTES);
    for (const [name, { verb, path }] of rows) {
      const asked = path.replaceAll(/\{\w+\}/g, "some%20one");
      expect(routes.match(verb, asked)).toMatchObject({ kind: "found", route: { method: name } });
      const id = name.slice(name.indexOf("/") + 1);
      expect(operationFor(verb, asked)).toMatchObject({ operationId: id });
    }
  });

  test("that changes something is no GET", () => {
    const reading = /\/(Get|List|Wait|Watch)/;
    for (const [name, { verb }] of rows)
      expect([name, verb === "GET"]).toEqual([name, reading.test(name)]);
  });
});

test("a part of a path never holds a slash or a colon, and is decoded once", () => {
  const routes = new Routes(ROUTES);
  expect(routes.match("GET", "/v1/jobs/a%2Fb%3Ac%2525")).toMatchObject({
    kind: "found",
    parts: { job_id: "a/b:c%25" },
  });
  expect(routes.match("GET", "/v1/jobs/j-1:no")).toEqual({ kind: "unknown" });
  expect(routes.match("GET", "/v1/jobs/a/b")).toEqual({ kind: "unknown" });
  expect(routes.match("DELETE", "/v1/jobs/j-1")).toEqual({ kind: "other-verb", allowed: ["GET"] });
});

test("every field of bytes is either JSON or base64, and known as such", () => {
  const messages = rows.flatMap(([name]) => {
    const method = methodDescriptor(name);
    return method === null ? [] : [...reachable(method.input), ...reachable(method.output)];
  });
  const ofBytes = ({ scalar }: DescField): boolean => scalar === ScalarType.BYTES;
  const fields = new Set(
    messages.flatMap(({ typeName, fields }) =>
      fields.filter(ofBytes).map(({ name }) => `${typeName}.${name}`),
    ),
  );
  expect([...fields].toSorted()).toEqual([...JSON_FIELDS, ...BASE64_FIELDS].toSorted());
});

test("messages and choices of the document have names of their own", () => {
  const found = new Map<string, string>();
  for (const [name] of rows) {
    const method = methodDescriptor(name);
    const messages =
      method === null ? [] : [...reachable(method.input), ...reachable(method.output)];
    for (const { name: short, typeName } of messages) {
      expect([short, found.get(short) ?? typeName]).toEqual([short, typeName]);
      found.set(short, typeName);
    }
  }
});

test("every code has a status", () => {
  for (const code of Object.values(Code)) expect(STATUS_OF_CODE[code]).toBeGreaterThanOrEqual(400);
});

test("docs/openapi.json is the document that is served", () => {
  const kept = readFileSync(join(packageRoot(), "docs", "openapi.json"), "utf8");
  expect(kept === openApiText()).toBe(true);
});
