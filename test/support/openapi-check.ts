// Holds JSON to a schema of the OpenAPI document: a small, strict reading of JSON Schema.
//
// Guarantees: stricter than the document where that finds more: what has no property in the schema
// is an offence, and so is a keyword that is not known here. Offences name where they are.

import { openApi } from "../../transport/http/openapi.ts";

type Schema = Readonly<Record<string, unknown>>;

const document = openApi();
const paths = document["paths"] as Readonly<Record<string, Readonly<Record<string, Schema>>>>;
const schemas = (
  document["components"] as Readonly<Record<string, Readonly<Record<string, Schema>>>>
)["schemas"];
const KNOWN = new Set([
  ...["type", "properties", "required", "items", "enum", "pattern", "format", "minimum"],
  ...["additionalProperties", "anyOf", "$ref", "description", "contentEncoding"],
]);
const DATE_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/;

/** The operation that the document has for a request; undefined: none. */
export function operationFor(verb: string, path: string): Schema | undefined {
  const [bare = ""] = path.split("?");
  const found = Object.entries(paths).find(([template]) =>
    new RegExp(`^${template.replaceAll(/\{\w+\}/g, "[^/:]+")}$`).test(bare),
  );
  return found?.[1][verb.toLowerCase()];
}

/** What is wrong with an answer; [] if nothing is, or if the document has no such request. */
export function checkAnswer(verb: string, path: string, status: number, value: unknown): string[] {
  const operation = operationFor(verb, path);
  if (operation === undefined) return [];
  const responses = operation["responses"] as Readonly<Record<string, Schema>>;
  const response = responses[String(status)] ?? responses["default"];
  const content = response?.["content"] as Readonly<Record<string, Schema>> | undefined;
  const schema = Object.values(content ?? {})[0]?.["schema"] as Schema | undefined;
  const where = `${verb} ${path} ${status}`;
  return schema === undefined ? [`${where}: not documented`] : checkValue(schema, value, where);
}

export function checkValue(schema: Schema, value: unknown, where: string): string[] {
  const unknown = Object.keys(schema).filter((keyword) => !KNOWN.has(keyword));
  if (unknown.length > 0) return [`${where}: keywords ${unknown.join(", ")} are not checked`];
  if (typeof schema["$ref"] === "string") {
    const name = schema["$ref"].replace("#/components/schemas/", "");
    const target = schemas?.[name];
    return target === undefined
      ? [`${where}: no schema ${name}`]
      : checkValue(target, value, where);
  }
  if (Array.isArray(schema["anyOf"])) {
    const tries = schema["anyOf"].map((one: Schema) => checkValue(one, value, where));
    return tries.some((offences) => offences.length === 0) ? [] : tries.flat();
  }
  switch (schema["type"]) {
    case "object":
      return checkObject(schema, value, where);
    case "array":
      return checkArray(schema, value, where);
    case "string":
      return checkString(schema, value, where);
    case "integer":
      return Number.isSafeInteger(value)
        ? []
        : [`${where}: ${JSON.stringify(value)} is no integer`];
    case "number":
    case "boolean":
      return typeof value === schema["type"] ? [] : [`${where}: is ${typeof value}`];
    default:
      return []; // Any value: a payload or a result.
  }
}

function checkObject(schema: Schema, value: unknown, where: string): string[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return [`${where}: ${JSON.stringify(value)} is no object`];
  }
  const properties = (schema["properties"] ?? {}) as Readonly<Record<string, Schema>>;
  const more = schema["additionalProperties"] as Schema | undefined;
  const required = (schema["required"] ?? []) as readonly string[];
  const missing = required.filter((name) => !(name in value));
  return [
    ...missing.map((name) => `${where}.${name}: is missing`),
    ...Object.entries(value).flatMap(([name, member]) => {
      const inner = properties[name] ?? more;
      const path = `${where}.${name}`;
      return inner === undefined ? [`${path}: not in the schema`] : checkValue(inner, member, path);
    }),
  ];
}

function checkArray(schema: Schema, value: unknown, where: string): string[] {
  if (!Array.isArray(value)) return [`${where}: is no array`];
  const items = schema["items"] as Schema;
  return value.flatMap((item, at) => checkValue(items, item, `${where}[${at}]`));
}

function checkString(schema: Schema, value: unknown, where: string): string[] {
  const shown = `${where}: ${JSON.stringify(value)}`;
  if (typeof value !== "string") return [`${shown} is no string`];
  const choice = schema["enum"];
  if (Array.isArray(choice) && !choice.includes(value)) return [`${shown} is none of ${choice}`];
  const pattern = schema["pattern"];
  if (typeof pattern === "string" && !new RegExp(pattern).test(value))
    return [`${shown} ${pattern}`];
  if (schema["format"] === "date-time" && !DATE_TIME.test(value)) return [`${shown} is no time`];
  return [];
}
