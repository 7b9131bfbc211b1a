// The schema of the API as the protos give it: messages, methods, and which bytes are JSON.
//
// Guarantees: read once, from the same descriptor set that reflection serves. Fields are found by
// their JSON name and by the name that the proto gives them, as proto3 JSON demands.
// Does not own: which method is at which path (route-table.ts).

import {
  createFileRegistry,
  type DescField,
  type DescMessage,
  type DescMethod,
  type FileRegistry,
  fromBinary,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { readDescriptorSet } from "../descriptor-set.ts";

/**
 * Bytes that are JSON by contract. HTTP shows them as the JSON values that they are; all other
 * bytes are base64, as proto3 JSON has it.
 */
export const JSON_FIELDS: ReadonlySet<string> = new Set([
  "quorumq.v1.JobSpec.payload",
  "quorumq.v1.Job.payload",
  "quorumq.v1.Job.result",
  "quorumq.v1.Job.progress",
]);

let registry: FileRegistry | null = null;

export function apiRegistry(): FileRegistry {
  registry ??= createFileRegistry(fromBinary(FileDescriptorSetSchema, readDescriptorSet()));
  return registry;
}

/** Of a method such as quorumq.v1.JobService/SubmitJob; null: the protos have no such method. */
export function methodDescriptor(method: string): DescMethod | null {
  const [service = "", name] = method.split("/");
  const methods = apiRegistry().getService(service)?.methods ?? [];
  return methods.find((candidate) => candidate.name === name) ?? null;
}

export function isJsonField(field: DescField): boolean {
  return JSON_FIELDS.has(`${field.parent.typeName}.${field.name}`);
}

const fieldsOf = new WeakMap<DescMessage, ReadonlyMap<string, DescField>>();

/** By either name; undefined: there is no such field. */
export function fieldNamed(message: DescMessage, name: string): DescField | undefined {
  let fields = fieldsOf.get(message);
  if (fields === undefined) {
    fields = new Map(
      message.fields.flatMap((field) => [
        [field.name, field] as const,
        [field.jsonName, field] as const,
      ]),
    );
    fieldsOf.set(message, fields);
  }
  return fields.get(name);
}

/** The message that the field holds, or a list of it; null: a value, a map, or one of Google's. */
export function messageIn(field: DescField): DescMessage | null {
  if (field.fieldKind === "map") return null;
  const message = field.message;
  return message === undefined || isWellKnown(message) ? null : message;
}

/** Written as one JSON value of its own: times and durations are strings. */
export function isWellKnown({ typeName }: DescMessage): boolean {
  return typeName.startsWith("google.protobuf.");
}

const holding = new WeakMap<DescMessage, boolean>();

/** Whether the message, or one inside it, has a field whose bytes are JSON. */
export function holdsJson(message: DescMessage): boolean {
  const known = holding.get(message);
  if (known !== undefined) return known;
  const own = message.fields.some(isJsonField);
  // Set before looking inside, since a message may be inside itself.
  holding.set(message, own);
  const holds =
    own ||
    message.fields.some((field) => {
      const inner = messageIn(field);
      return inner !== null && holdsJson(inner);
    });
  holding.set(message, holds);
  return holds;
}
