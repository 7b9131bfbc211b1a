// The request message of a call, in the bytes that the same method gets over gRPC.
//
// Guarantees: path, query, body and headers each fill their own fields; a field that two of them
// name, or that none of them can have, is refused. A handler cannot tell by which door it came.
// Does not own: JSON (request-reader.ts).

import { type DescMessage, type DescMethod, fromJson, toBinary } from "@bufbuild/protobuf";
import { PipelineError } from "../pipeline-error.ts";
import { refusal } from "../reason.ts";
import { fieldNamed, messageIn } from "./api-schema.ts";
import type { RequestHeaders } from "./request-header.ts";
import { type JsonObject, RequestReader } from "./request-reader.ts";
import type { Route } from "./route.ts";

export interface RequestParts {
  readonly route: Route;
  readonly path: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly headers: RequestHeaders;
  /** "" if there is none. */
  readonly body: string;
}

/** Throws with everything that is wrong. */
export function requestMessage({ input }: DescMethod, parts: RequestParts): Uint8Array {
  let cause: unknown;
  try {
    return toBinary(input, fromJson(input, putTogether(input, parts, new RequestReader(false))));
  } catch (thrown) {
    if (thrown instanceof PipelineError) throw thrown;
    cause = thrown;
  }
  // Once more, with a name for each thing that is wrong: nobody waits for that to be quick.
  const strict = new RequestReader(true);
  putTogether(input, parts, strict);
  strict.requireNone();
  // Every part is taken by itself: what is left is text that UTF-8 does not have.
  throw refusal("MALFORMED_REQUEST", "the request holds text that is not Unicode", { cause });
}

function putTogether(input: DescMessage, parts: RequestParts, reader: RequestReader): JsonObject {
  for (const { field, description } of parts.headers.violations) reader.add(field, description);
  const fromBody = readBody(input, parts, reader);
  const fromElsewhere = { ...readQuery(input, parts, reader), ...readHeader(input, parts) };
  const fromPath: JsonObject = {};
  for (const [name, text] of Object.entries(parts.path)) {
    Object.assign(fromPath, reader.texts(input, name, [text]));
    const jsonName = fieldNamed(input, name)?.jsonName ?? name;
    if (jsonName in fromBody || jsonName in fromElsewhere) {
      reader.add(name, "is given by the path; leave it out elsewhere");
    }
  }
  const whole = { ...fromElsewhere, ...fromBody, ...fromPath };
  applyKey(input, parts, reader, whole);
  return whole;
}

function readBody(
  input: DescMessage,
  { route, body }: RequestParts,
  reader: RequestReader,
): JsonObject {
  if (body === "") return {};
  if (route.body === undefined) {
    reader.add("body", `is not taken by ${route.verb} ${route.path}; use the query`);
    return {};
  }
  if (route.body === "*") return reader.body(input, body, "");
  const field = fieldNamed(input, route.body);
  const message = field === undefined ? null : messageIn(field);
  if (field === undefined || message === null) throw new Error(`no message ${route.body}`);
  return { [field.jsonName]: reader.body(message, body, field.name) };
}

function readQuery(
  input: DescMessage,
  { route, query }: RequestParts,
  reader: RequestReader,
): JsonObject {
  const read: JsonObject = {};
  for (const name of new Set(query.keys())) {
    if (name === "wait" && route.waiting !== undefined) continue;
    // With the whole message in the body, or a part of it, there is one place for each field.
    if (route.body !== undefined) {
      reader.add(name, "is not a parameter of this path; put it into the body");
    } else {
      Object.assign(read, reader.texts(input, name, query.getAll(name)));
    }
  }
  return read;
}

/** The id of the last event is later than any index that the address still names. */
function readHeader(input: DescMessage, { route, headers }: RequestParts): JsonObject {
  const after = route.events?.after;
  const field = after === undefined ? undefined : fieldNamed(input, after);
  if (field === undefined || headers.lastEventId === "") return {};
  return { [field.jsonName]: headers.lastEventId };
}

/** Idempotency-Key fills the field of the row, unless the body has it. */
function applyKey(
  input: DescMessage,
  { route, headers }: RequestParts,
  reader: RequestReader,
  whole: JsonObject,
): void {
  const { idempotencyKey } = headers;
  if (idempotencyKey === "") return;
  if (route.key === undefined) {
    // Elsewhere asking twice does what asking once does; but a batch has a key a job.
    if (route.method.endsWith("/BatchSubmitJobs")) {
      reader.add("idempotency-key", "is for one job; give each job its idempotencyKey");
    }
    return;
  }
  let message = input;
  let held = whole;
  for (const name of route.key.split(".")) {
    const field = fieldNamed(message, name);
    if (field === undefined) throw new Error(`no field ${route.key}`);
    const inner = messageIn(field);
    const present = held[field.jsonName];
    if (inner === null) {
      if ((present ?? "") !== "" && present !== idempotencyKey) {
        reader.add(route.key, "differs from the header Idempotency-Key; give one of them");
      }
      held[field.jsonName] = idempotencyKey;
      return;
    }
    // A message that is missing, or none, is told as such.
    if (typeof present !== "object" || present === null || Array.isArray(present)) return;
    message = inner;
    held = present;
  }
}
