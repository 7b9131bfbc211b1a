// The request message of a method, put together from path, query and body of an HTTP request.
//
// Guarantees: proto3 JSON, and strict: what is no field, is there twice or does not fit its field
// is named, all of it at once, by the same paths that the gateway's own checks use; a body with
// very many problems is not read to its end. Fields whose bytes are JSON are taken as they are
// written.
// Does not own: which part goes where (route-table.ts), what the values may be (the handlers).

import { type DescField, type DescMessage, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { REQUEST_FIELDS_MAX, VIOLATIONS_TOLD_MAX } from "../limit.ts";
import type { Violation } from "../pipeline-error.ts";
import { refusal } from "../reason.ts";
import { tooManyFields } from "../strict-decode.ts";
import { fieldNamed, isJsonField, messageIn } from "./api-schema.ts";
import { JsonScanner } from "./json-scanner.ts";
import { describeValue } from "./value-name.ts";

export type JsonObject = Record<string, JsonValue>;

/** As protobuf's own readers have it. */
const MESSAGE_DEPTH_MAX = 100;
const TEXT_SHOWN_MAX = 64;
/** Four megabytes of nothing but faults would keep the process busy for seconds. */
const VIOLATIONS_COUNTED_MAX = 1_000;

/** Thrown by a reader that is not strict: something is wrong, and a strict one has its name. */
class Misfit extends Error {
  override readonly name = "Misfit";
}

export class RequestReader {
  readonly #violations: Violation[] = [];
  #count = 0;
  #fieldCount = 0;
  readonly #isStrict: boolean;

  /**
   * Strict: each value is held to its field, one by one, so that what is wrong has a name. A reader
   * that is not strict gives up at the first thing that is wrong.
   */
  constructor(isStrict: boolean) {
    this.#isStrict = isStrict;
  }

  add(field: string, description: string): void {
    if (!this.#isStrict) throw new Misfit(field);
    this.#count += 1;
    if (this.#count <= VIOLATIONS_TOLD_MAX) this.#violations.push({ field, description });
    if (this.#count >= VIOLATIONS_COUNTED_MAX) this.requireNone();
  }

  /** A message from a JSON text. `path` is where it is in the request; "": the whole. */
  body(message: DescMessage, text: string, path: string): JsonObject {
    const scanner = new JsonScanner(text);
    const read = this.#value(message, scanner, path, 0);
    scanner.end();
    return read;
  }

  /** A field from the texts of a query or a path. */
  texts(message: DescMessage, name: string, texts: readonly string[]): JsonObject {
    const field = fieldNamed(message, name);
    if (field === undefined || messageIn(field) !== null || field.fieldKind === "map") {
      this.add(name, `is not a parameter; there are ${parameterNames(message).join(", ")}`);
      return {};
    }
    const values = texts.map((text) => valueOfText(field, text));
    const [value = null] = values;
    if (field.fieldKind !== "list" && values.length > 1) {
      this.add(field.name, `is there ${values.length} times; allowed: once`);
      return {};
    }
    return this.#leaf(field, field.fieldKind === "list" ? values : value, field.name);
  }

  /** Throws if anything was wrong. */
  requireNone(): void {
    const [first] = this.#violations;
    if (first === undefined) return;
    const count = this.#count;
    const message = `${first.field} ${first.description}`;
    const number = count < VIOLATIONS_COUNTED_MAX ? `${count}` : `${count} or more`;
    throw refusal(
      "INVALID_FIELD",
      count === 1 ? message : `${number} fields are wrong; the first: ${message}`,
      {
        metadata: { field: first.field, violation_count: String(count) },
        violations: this.#violations,
      },
    );
  }

  /** The protobuf reader counts them too, but only when all of them have been made. */
  #countField(): void {
    this.#fieldCount += 1;
    if (this.#fieldCount > REQUEST_FIELDS_MAX) throw tooManyFields();
  }

  #value(message: DescMessage, scanner: JsonScanner, path: string, depth: number): JsonObject {
    this.#countField();
    const kind = scanner.peek();
    if (kind === "object" && depth < MESSAGE_DEPTH_MAX) {
      return this.#message(message, scanner, path, depth);
    }
    scanner.pass();
    const where = path === "" ? "body" : path;
    if (kind === "object") this.add(where, `is nested deeper than ${MESSAGE_DEPTH_MAX} messages`);
    else this.add(where, `is ${kind}; allowed: an object, a ${message.name}`);
    return {};
  }

  #message(message: DescMessage, scanner: JsonScanner, path: string, depth: number): JsonObject {
    const read: JsonObject = {};
    const seen = new Set<string>();
    scanner.members((name) => {
      this.#countField();
      const field = fieldNamed(message, name);
      const fieldPath = join(path, field?.name ?? shown(name));
      if (field === undefined) {
        const names = message.fields.map(({ jsonName }) => jsonName).join(", ");
        this.add(fieldPath, `is not a field of ${message.name}, which has ${names}`);
        scanner.pass();
      } else if (seen.has(field.name)) {
        this.add(fieldPath, "is there twice; allowed: once");
        scanner.pass();
      } else {
        seen.add(field.name);
        Object.assign(read, this.#field(field, scanner, fieldPath, depth));
      }
    });
    return read;
  }

  #field(field: DescField, scanner: JsonScanner, path: string, depth: number): JsonObject {
    const name = field.jsonName;
    if (isJsonField(field)) {
      return { [name]: Buffer.from(scanner.pass(), "utf8").toString("base64") };
    }
    const message = messageIn(field);
    const kind = scanner.peek();
    if (message === null || kind === "null") {
      return this.#leaf(field, JSON.parse(scanner.pass()), path);
    }
    if (field.fieldKind !== "list")
      return { [name]: this.#value(message, scanner, path, depth + 1) };
    if (kind !== "array") {
      scanner.pass();
      this.add(path, `is ${kind}; allowed: an array, each item a ${message.name}`);
      return {};
    }
    const items: JsonValue[] = [];
    scanner.items((position) => {
      items.push(this.#value(message, scanner, `${path}[${position}]`, depth + 1));
    });
    return { [name]: items };
  }

  /** One value; a strict reader asks protobuf's own whether it fits this field. */
  #leaf(field: DescField, value: JsonValue, path: string): JsonObject {
    const read = { [field.jsonName]: value };
    if (!this.#isStrict) return read;
    try {
      fromJson(field.parent, read);
      return read;
    } catch {
      // Its message names types of protobuf, and the value, which may be as long as the body.
      this.add(path, `is not ${describeValue(field)}`);
      return {};
    }
  }
}

/** The names that a query may use, as JSON has them. */
export function parameterNames(message: DescMessage): string[] {
  return message.fields
    .filter((field) => messageIn(field) === null && field.fieldKind !== "map")
    .map(({ jsonName }) => jsonName);
}

/** Numbers may be strings in proto3 JSON; the rest of what a text can stand for is made here. */
function valueOfText(field: DescField, text: string): JsonValue {
  if (text === "true" || text === "false") {
    return describeValue(field) === "true or false" ? text === "true" : text;
  }
  // succeeded for JOB_STATE_SUCCEEDED
  const prefix = field.enum?.sharedPrefix?.toUpperCase() ?? "";
  const word = text.toUpperCase();
  const isShort = prefix !== "" && !word.startsWith(prefix);
  return field.enum === undefined ? text : `${isShort ? prefix : ""}${word}`;
}

function join(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}

function shown(name: string): string {
  return name.length <= TEXT_SHOWN_MAX ? name : `${name.slice(0, TEXT_SHOWN_MAX)}…`;
}
