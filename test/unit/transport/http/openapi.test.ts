// The OpenAPI document hangs together, and says what the protos say.

import { describe, expect, test } from "@jest/globals";
import { openApi, openApiText } from "../../../../transport/http/openapi.ts";

interface Parameter {
  readonly name?: string;
  readonly in?: string;
  readonly required?: boolean;
}

interface Operation {
  readonly operationId: string;
  readonly description?: string;
  readonly summary?: string;
  readonly parameters: readonly Parameter[];
  readonly responses: Readonly<Record<string, object>>;
}

type Node = Readonly<Record<string, unknown>>;

const document = openApi();
const paths = document["paths"] as Readonly<Record<string, Readonly<Record<string, Operation>>>>;
const operations = Object.entries(paths).flatMap(([path, verbs]) =>
  Object.entries(verbs).map(([verb, operation]) => ({ path, verb, operation })),
);
const schemas = (document["components"] as Readonly<Record<string, Node>>)["schemas"] as Readonly<
  Record<string, Node>
>;

function refsIn(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, member]) =>
    name === "$ref" ? [String(member)] : refsIn(member),
  );
}

describe("the document", () => {
  test("refers only to what is in it", () => {
    for (const ref of refsIn(document)) {
      let at: unknown = document;
      for (const part of ref.replace("#/", "").split("/")) at = (at as Node)[part];
      expect([ref, typeof at]).toEqual([ref, "object"]);
    }
  });

  test("has each schema for a reason", () => {
    const used = new Set(refsIn(document).map((ref) => ref.split("/").at(-1)));
    expect(Object.keys(schemas).filter((name) => !used.has(name))).toEqual([]);
  });

  test("is the same text each time", () => {
    expect(openApiText()).toBe(openApiText());
  });
});

describe("an operation", () => {
  test("has an id of its own, a success and an error", () => {
    const ids = operations.map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { operation } of operations) {
      expect(Object.keys(operation.responses)).toEqual(["200", "4XX", "default"]);
    }
  });

  test("has a line for lists, such as a validator asks for; nothing asks for credentials", () => {
    expect(paths["/v1/jobs:batchSubmit"]?.["post"]?.summary).toBe("Batch submit jobs");
    expect(operations.filter(({ operation }) => !operation.summary)).toEqual([]);
    expect(document).toMatchObject({ security: [], servers: [{ url: "/" }] });
  });

  test("declares exactly the parts of its path, all of them required", () => {
    for (const { path, operation } of operations) {
      const inPath = operation.parameters.filter((parameter) => parameter.in === "path");
      const parts = Array.from(path.matchAll(/\{(\w+)\}/g), (match) => match[1]);
      expect(inPath.map(({ name }) => name)).toEqual(parts);
      expect(inPath.filter(({ required }) => required !== true)).toEqual([]);
    }
  });
});

describe("what the protos say", () => {
  test("becomes descriptions", () => {
    expect(schemas["JobSpec"]?.["description"]).toBe("What a caller asks for.");
    const { description } = paths["/v1/jobs"]?.["post"] ?? {};
    expect(description).toMatch(/^Commits one job\. OK means /);
    expect(schemas["JobState"]?.["description"]).toContain("JOB_STATE_RUNNING: A worker holds");
  });

  test("of presence becomes what is required, in answers only", () => {
    expect(schemas["JobSpec"]?.["required"]).toBeUndefined();
    const required = schemas["Job"]?.["required"];
    expect(required).toEqual(expect.arrayContaining(["id", "state", "attempts"]));
    for (const absent of ["payload", "result", "error", "endTime"]) {
      expect(required).not.toContain(absent);
    }
  });

  test("of numbers becomes the forms of JSON", () => {
    const { properties } = schemas["Job"] as { properties: Record<string, Node> };
    expect(properties["logIndex"]).toMatchObject({ type: "string", format: "uint64" });
    expect(properties["priority"]).toMatchObject({ type: "integer", format: "int32" });
    expect(properties["createTime"]).toMatchObject({ type: "string", format: "date-time" });
    expect(properties["payload"]).not.toHaveProperty("type");
  });
});
