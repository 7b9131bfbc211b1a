// The OpenAPI 3.1 document of the HTTP API, made of the protos and of the route table.
//
// Guarantees: a pure function of both, so the document cannot say anything else than the server
// does; the same input gives the same text.
// Does not own: schemas (openapi-schema.ts).

import type { DescField, DescMessage, DescMethod } from "@bufbuild/protobuf";
import { CALL_TIMEOUT_MS_DEFAULT, CALL_TIMEOUT_MS_MAX } from "../limit.ts";
import { fieldNamed, messageIn, methodDescriptor } from "./api-schema.ts";
import {
  enumSchema,
  enumsIn,
  fieldSchema,
  messageSchema,
  reachable,
  refTo,
  type Schema,
} from "./openapi-schema.ts";
import { commentOf } from "./proto-comment.ts";
import { parameterNames } from "./request-reader.ts";
import { ROUTES, type Row } from "./route-table.ts";

const DESCRIPTION = [
  "The calls of quorumq.v1 over HTTP. Messages are proto3 JSON: fields in lowerCamelCase, 64-bit",
  "numbers as strings, times as RFC 3339, durations as seconds such as 1.5s; but payload and",
  "result are the JSON values themselves. A request may also use the names of the protos. What is",
  "no field is refused. A payload or result that is absent is null, or left out of a list.",
].join(" ");

const ERROR: Schema = {
  type: "object",
  description:
    "As in Google's APIs (AIP-193): exactly one ErrorInfo, and RetryInfo and BadRequest.",
  required: ["error"],
  properties: {
    error: {
      type: "object",
      required: ["code", "status", "message", "details"],
      properties: {
        code: { type: "integer", description: "The HTTP status." },
        status: { type: "string", description: "A google.rpc.Code by name." },
        message: { type: "string" },
        details: {
          type: "array",
          items: {
            type: "object",
            required: ["@type"],
            properties: {
              "@type": { type: "string" },
              reason: { type: "string", description: "What programs decide on." },
              domain: { type: "string" },
              metadata: { type: "object", additionalProperties: { type: "string" } },
              retryDelay: { type: "string" },
              fieldViolations: {
                type: "array",
                items: {
                  type: "object",
                  required: ["field", "description"],
                  properties: { field: { type: "string" }, description: { type: "string" } },
                },
              },
            },
          },
        },
      },
    },
  },
};

const TIMEOUT_HELP =
  `Milliseconds that the caller waits; ${CALL_TIMEOUT_MS_DEFAULT} unless given, ` +
  `at most ${CALL_TIMEOUT_MS_MAX}; a stream has no end unless given.`;

const PARAMETERS: Readonly<Record<string, Schema>> = {
  timeout: header("X-Timeout-Ms", "integer", TIMEOUT_HELP),
  traceparent: header("traceparent", "string", "W3C trace context: the call becomes a part of it."),
  key: header(
    "Idempotency-Key",
    "string",
    "Asking again with the same key does it once: fills idempotencyKey or requestId.",
  ),
  lastEventId: header("Last-Event-ID", "string", "Goes on after this event; browsers send it."),
  prefer: header("Prefer", "string", "wait, or wait=SECONDS: answers with the job when it ended."),
  wait: {
    name: "wait",
    in: "query",
    description: "true: answers with the job when it has ended, as POST /v1/jobs:run does.",
    schema: { type: "boolean" },
  },
};

/** The document as it is served and kept, with a line break at its end. */
export function openApiText(): string {
  return `${JSON.stringify(openApi(), null, 2)}\n`;
}

export function openApi(): Schema {
  const methods = Object.entries(ROUTES).map(([name, row]) => ({ row, method: methodOf(name) }));
  const asked = messagesOf(methods.map(({ method }) => method.input));
  const answered = messagesOf(methods.map(({ method, row }) => answerOf(method, row)));
  const bodies = messagesOf(methods.flatMap(({ method, row }) => bodyOf(method, row)));
  const named = [...new Set([...bodies, ...answered])];
  const paths: Record<string, Record<string, Schema>> = {};
  for (const { row, method } of methods) {
    const path = row.path.replaceAll(
      /\{(\w+)\}/g,
      (_, name) => `{${jsonName(method.input, name)}}`,
    );
    paths[path] = { ...paths[path], [row.verb.toLowerCase()]: operation(method, row) };
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "quorumq",
      version: "v1",
      description: DESCRIPTION,
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/", description: "The console that serves this document." }],
    // There are no credentials: an empty list says so, an absent one says nothing.
    security: [],
    paths,
    components: {
      schemas: {
        ...Object.fromEntries(
          named.map((message) => [message.name, messageSchema(message, !asked.has(message))]),
        ),
        ...Object.fromEntries(
          [...enumsIn([...asked, ...answered])].map((choice) => [choice.name, enumSchema(choice)]),
        ),
        Error: ERROR,
      },
      parameters: PARAMETERS,
    },
  };
}

function operation(method: DescMethod, row: Row): Schema {
  const { parent, name } = method;
  const help = commentOf(method);
  const body = bodySchema(method, row);
  return {
    operationId: name,
    tags: [parent.name],
    summary: wordsOf(name),
    ...(help === "" ? {} : { description: help }),
    parameters: [...fieldParameters(method, row), ...shared(row).map(parameterRef)],
    ...(body === null
      ? {}
      : { requestBody: { required: row.body !== "*", content: jsonContent(body) } }),
    responses: { "200": success(method, row), "4XX": failure(), default: failure() },
  };
}

/** BatchSubmitJobs: "Batch submit jobs", what pages that show the document list. */
function wordsOf(name: string): string {
  return name.replaceAll(/(?<=[a-z])[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

/** null: there is none. A body that is the whole request leaves out what the path holds. */
function bodySchema({ input }: DescMethod, { body, path }: Row): Schema | null {
  if (body === undefined) return null;
  if (body !== "*") return refTo(innerOf(input, body));
  const schema = messageSchema(input, false);
  const inPath = pathFields(input, path);
  const properties = Object.entries(schema["properties"] ?? {}).filter(
    ([name]) => !inPath.includes(name),
  );
  if (properties.length === 0) return null;
  return { ...schema, properties: Object.fromEntries(properties) };
}

function pathFields(input: DescMessage, path: string): string[] {
  return Array.from(path.matchAll(/\{(\w+)\}/g), (match) => jsonName(input, match[1] ?? ""));
}

function success(method: DescMethod, row: Row): Schema {
  const schema = refTo(answerOf(method, row));
  if (row.events !== undefined) {
    return {
      description:
        `Server-sent events named ${row.events.name}, the data of each as below, the id to go on ` +
        "after. An event named failure has an Error. 204: there is nothing more to tell.",
      content: { "text/event-stream": { schema } },
    };
  }
  const waiting = row.waiting === undefined ? null : methodOf(row.waiting);
  const waited = waiting === null ? null : ROUTES[row.waiting ?? ""];
  const schemas =
    waiting === null || waited === undefined || waited === null
      ? schema
      : { anyOf: [schema, refTo(answerOf(waiting, waited))] };
  return { description: "OK", content: jsonContent(schemas) };
}

function failure(): Schema {
  const schema = { $ref: "#/components/schemas/Error" };
  return { description: "What went wrong, and when to try again.", content: jsonContent(schema) };
}

/** Those of the path, and without a body all others. */
function fieldParameters({ input }: DescMethod, row: Row): Schema[] {
  const inPath = pathFields(input, row.path);
  const inQuery = row.body === undefined ? parameterNames(input) : [];
  return [...new Set([...inPath, ...inQuery])].map((name) => {
    const field = fieldNamed(input, name);
    if (field === undefined) throw new Error(`${input.name} has no ${name}`);
    const isPart = inPath.includes(name);
    return parameter(field, isPart ? "path" : "query");
  });
}

function parameter(field: DescField, place: "path" | "query"): Schema {
  const { description, ...schema } = fieldSchema(field);
  return {
    name: field.jsonName,
    in: place,
    ...(place === "path" ? { required: true } : {}),
    ...(description === undefined ? {} : { description }),
    schema,
  };
}

function shared({ key, waiting, events }: Row): string[] {
  return [
    "timeout",
    "traceparent",
    ...(key === undefined ? [] : ["key"]),
    ...(waiting === undefined ? [] : ["wait", "prefer"]),
    ...(events === undefined ? [] : ["lastEventId"]),
  ];
}

function parameterRef(name: string): Schema {
  return { $ref: `#/components/parameters/${name}` };
}

function header(name: string, type: string, description: string): Schema {
  return { name, in: "header", description, schema: { type } };
}

function jsonContent(schema: Schema): Schema {
  return { "application/json": { schema } };
}

/** The messages that a body is made of. */
function bodyOf({ input }: DescMethod, { body }: Row): readonly DescMessage[] {
  if (body === undefined) return [];
  if (body !== "*") return [innerOf(input, body)];
  return input.fields.flatMap((field) => messageIn(field) ?? []);
}

function answerOf({ output }: DescMethod, { answer }: Row): DescMessage {
  return answer === undefined ? output : innerOf(output, answer);
}

function innerOf(message: DescMessage, name: string): DescMessage {
  const field = fieldNamed(message, name);
  const inner = field === undefined ? null : messageIn(field);
  if (inner === null) throw new Error(`${message.name} has no message ${name}`);
  return inner;
}

function messagesOf(messages: readonly DescMessage[]): Set<DescMessage> {
  const found = new Set<DescMessage>();
  for (const message of messages) reachable(message, found);
  return found;
}

function methodOf(name: string): DescMethod {
  const method = methodDescriptor(name);
  if (method === null) throw new Error(`the protos have no ${name}`);
  return method;
}

function jsonName(message: DescMessage, name: string): string {
  return fieldNamed(message, name)?.jsonName ?? name;
}
