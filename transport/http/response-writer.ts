// A response message as the JSON text that HTTP callers get.
//
// Guarantees: proto3 JSON with every field that has no presence of its own, so that a list that is
// empty is there as one. Bytes that are JSON are written out as they were recorded, digit for
// digit; where there are none (lists leave them out, a job may have no result yet) the field is
// absent.

import {
  type DescMessage,
  fromBinary,
  type JsonValue,
  type Message,
  toJson,
} from "@bufbuild/protobuf";
import { fieldNamed, holdsJson, isJsonField, messageIn } from "./api-schema.ts";

/** The whole message, or the one message in its field `only`. */
export function responseText(message: DescMessage, bytes: Uint8Array, only?: string): string {
  const read: Message = fromBinary(message, bytes);
  const value = toJson(message, read, { alwaysEmitImplicit: true });
  if (only === undefined) return textOf(message, value);
  const field = fieldNamed(message, only);
  const inner = field === undefined ? null : messageIn(field);
  if (field === undefined || inner === null) throw new Error(`${message.name} has no ${only}`);
  return textOf(inner, memberOf(value, field.jsonName));
}

function textOf(message: DescMessage, value: JsonValue): string {
  if (!isObject(value) || !holdsJson(message)) return JSON.stringify(value);
  const members = Object.entries(value).flatMap(([name, member]) => {
    const text = memberText(message, name, member);
    return text === "" ? [] : [`${JSON.stringify(name)}:${text}`];
  });
  return `{${members.join(",")}}`;
}

/** "" leaves the member out. */
function memberText(message: DescMessage, name: string, member: JsonValue): string {
  const field = fieldNamed(message, name);
  if (field === undefined) return JSON.stringify(member);
  // The ledger takes nothing but JSON for these.
  if (isJsonField(field)) return new TextDecoder().decode(Buffer.from(String(member), "base64"));
  const inner = messageIn(field);
  if (inner === null) return JSON.stringify(member);
  if (!Array.isArray(member)) return textOf(inner, member);
  return `[${member.map((item) => textOf(inner, item)).join(",")}]`;
}

function memberOf(value: JsonValue, name: string): JsonValue {
  const member = isObject(value) ? value[name] : undefined;
  if (member === undefined) throw new Error(`an answer without its ${name}`);
  return member;
}

function isObject(value: JsonValue): value is { [name: string]: JsonValue } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
