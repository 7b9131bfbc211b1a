// Messages of the protos as schemas of OpenAPI 3.1: what requests may and answers will look like.
//
// Guarantees: the forms of proto3 JSON (64-bit numbers are strings, bytes base64, times RFC 3339),
// but for bytes that are JSON, which are any value. Fields that an answer always has are required
// where a message is in answers only. Comments become descriptions.

import { type DescEnum, type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { isJsonField, isWellKnown, messageIn } from "./api-schema.ts";
import { commentOf } from "./proto-comment.ts";

export type Schema = Readonly<Record<string, unknown>>;

const UNSIGNED_64: Schema = { type: "string", format: "uint64", pattern: "^[0-9]+$" };
const SIGNED_64: Schema = { type: "string", format: "int64", pattern: "^-?[0-9]+$" };
const SIGNED_32: Schema = { type: "integer", format: "int32" };
const UNSIGNED_32: Schema = { type: "integer", format: "uint32", minimum: 0 };

const SCALARS: Readonly<Record<ScalarType, Schema>> = {
  [ScalarType.DOUBLE]: { type: "number", format: "double" },
  [ScalarType.FLOAT]: { type: "number", format: "float" },
  [ScalarType.INT64]: SIGNED_64,
  [ScalarType.UINT64]: UNSIGNED_64,
  [ScalarType.INT32]: SIGNED_32,
  [ScalarType.FIXED64]: UNSIGNED_64,
  [ScalarType.FIXED32]: UNSIGNED_32,
  [ScalarType.BOOL]: { type: "boolean" },
  [ScalarType.STRING]: { type: "string" },
  [ScalarType.BYTES]: { type: "string", contentEncoding: "base64" },
  [ScalarType.UINT32]: UNSIGNED_32,
  [ScalarType.SFIXED32]: SIGNED_32,
  [ScalarType.SFIXED64]: SIGNED_64,
  [ScalarType.SINT32]: SIGNED_32,
  [ScalarType.SINT64]: SIGNED_64,
};

const WELL_KNOWN: Readonly<Record<string, Schema>> = {
  "google.protobuf.Timestamp": { type: "string", format: "date-time" },
  "google.protobuf.Duration": { type: "string", pattern: "^-?[0-9]+(\\.[0-9]{1,9})?s$" },
};

/** FeatureSet.FieldPresence.IMPLICIT: without a value it is there with its default. */
const IMPLICIT = 2;

/** `isAnswerOnly`: no request holds it. */
export function messageSchema(message: DescMessage, isAnswerOnly: boolean): Schema {
  const required = message.fields.filter(isAlwaysThere).map(({ jsonName }) => jsonName);
  return {
    type: "object",
    ...described(commentOf(message)),
    properties: Object.fromEntries(
      message.fields.map((field) => [field.jsonName, fieldSchema(field)]),
    ),
    ...(isAnswerOnly && required.length > 0 ? { required } : {}),
  };
}

export function enumSchema(choice: DescEnum): Schema {
  const values = choice.values.flatMap((value) => {
    const comment = commentOf(value);
    return comment === "" ? [] : [`${value.name}: ${comment}`];
  });
  return {
    type: "string",
    ...described([commentOf(choice), ...values].filter((text) => text !== "").join("\n\n")),
    enum: choice.values.map(({ name }) => name),
  };
}

/** With its description; a reference has room for one since OpenAPI 3.1. */
export function fieldSchema(field: DescField): Schema {
  const description = described(commentOf(field));
  if (isJsonField(field)) return { ...description };
  return { ...typeSchema(field), ...description };
}

/** Every message of ours that is in this one, itself included, in the order of finding. */
export function reachable(message: DescMessage, found = new Set<DescMessage>()): Set<DescMessage> {
  if (found.has(message) || isWellKnown(message)) return found;
  found.add(message);
  for (const { message: inner } of message.fields) {
    if (inner !== undefined) reachable(inner, found);
  }
  return found;
}

export function enumsIn(messages: Iterable<DescMessage>): Set<DescEnum> {
  const found = new Set<DescEnum>();
  for (const { fields } of messages) {
    for (const { enum: choice } of fields) if (choice !== undefined) found.add(choice);
  }
  return found;
}

export function refTo({ name }: DescMessage | DescEnum): Schema {
  return { $ref: `#/components/schemas/${name}` };
}

function typeSchema(field: DescField): Schema {
  const one = oneSchema(field);
  if (field.fieldKind === "list") return { type: "array", items: one };
  if (field.fieldKind === "map") return { type: "object", additionalProperties: one };
  return one;
}

function oneSchema({
  enum: choice,
  message,
  scalar,
}: Pick<DescField, "enum" | "message" | "scalar">): Schema {
  if (choice !== undefined) return refTo(choice);
  if (message !== undefined) return WELL_KNOWN[message.typeName] ?? refTo(message);
  if (scalar === undefined) throw new Error("a field that holds nothing");
  return SCALARS[scalar];
}

function isAlwaysThere(field: DescField): boolean {
  if (isJsonField(field)) return false;
  if (field.fieldKind === "list" || field.fieldKind === "map") return true;
  return messageIn(field) === null && field.presence === IMPLICIT && field.oneof === undefined;
}

function described(description: string): Schema {
  return description === "" ? {} : { description };
}
