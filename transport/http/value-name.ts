// What a field takes, in the words of people: for the errors of requests.

import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";

const SCALARS: Partial<Record<ScalarType, string>> = {
  [ScalarType.BOOL]: "true or false",
  [ScalarType.STRING]: "a string",
  [ScalarType.BYTES]: "bytes in base64",
  [ScalarType.DOUBLE]: "a number",
  [ScalarType.FLOAT]: "a number",
  [ScalarType.UINT32]: "a whole number, not negative",
  [ScalarType.UINT64]: "a whole number, not negative, also as a string",
};

const MESSAGES: Readonly<Record<string, string>> = {
  "google.protobuf.Timestamp": "a time such as 2026-01-31T12:00:00Z",
  "google.protobuf.Duration": "a duration in seconds such as 1.5s",
};

/** "a whole number", "one of …", "an array, each item a string". */
export function describeValue(field: DescField): string {
  if (field.fieldKind === "map") return "an object";
  const one = describeOne(field);
  return field.fieldKind === "list" ? `an array, each item ${one}` : one;
}

function describeOne({
  enum: choice,
  message,
  scalar,
}: Pick<DescField, "enum" | "message" | "scalar">): string {
  if (choice !== undefined) return `one of ${choice.values.map(({ name }) => name).join(", ")}`;
  if (message !== undefined) return describeMessage(message);
  return (scalar === undefined ? undefined : SCALARS[scalar]) ?? "a whole number";
}

function describeMessage({ typeName, name }: DescMessage): string {
  return MESSAGES[typeName] ?? `a ${name}`;
}
