// The comments of the protos, found by what they are about.
//
// Guarantees: the text as it was written, its lines joined; "" where there is none.

import type {
  DescEnum,
  DescEnumValue,
  DescField,
  DescMessage,
  DescMethod,
  DescService,
} from "@bufbuild/protobuf";

export type Commented =
  | DescMessage
  | DescField
  | DescEnum
  | DescEnumValue
  | DescMethod
  | DescService;

/** Numbers of the fields of descriptor.proto, of which the paths of comments are made. */
const Part = {
  FileMessage: 4,
  FileEnum: 5,
  FileService: 6,
  MessageField: 2,
  MessageNested: 3,
  MessageEnum: 4,
  EnumValue: 2,
  ServiceMethod: 2,
} as const;

export function commentOf(described: Commented): string {
  const path = pathOf(described);
  const locations = fileOf(described).proto.sourceCodeInfo?.location ?? [];
  const found = locations.find(
    (location) =>
      location.path.length === path.length && location.path.every((part, at) => part === path[at]),
  );
  const text = found?.leadingComments ?? found?.trailingComments ?? "";
  return text
    .split("\n")
    .map((line) => line.trim())
    .join(" ")
    .trim();
}

function pathOf(described: Commented): number[] {
  switch (described.kind) {
    case "message": {
      const { parent, file } = described;
      if (parent === undefined) return [Part.FileMessage, file.messages.indexOf(described)];
      return [...pathOf(parent), Part.MessageNested, parent.nestedMessages.indexOf(described)];
    }
    case "enum": {
      const { parent, file } = described;
      if (parent === undefined) return [Part.FileEnum, file.enums.indexOf(described)];
      return [...pathOf(parent), Part.MessageEnum, parent.nestedEnums.indexOf(described)];
    }
    case "field":
      return [
        ...pathOf(described.parent),
        Part.MessageField,
        described.parent.fields.indexOf(described),
      ];
    case "enum_value":
      return [
        ...pathOf(described.parent),
        Part.EnumValue,
        described.parent.values.indexOf(described),
      ];
    case "service":
      return [Part.FileService, described.file.services.indexOf(described)];
    case "rpc":
      return [
        ...pathOf(described.parent),
        Part.ServiceMethod,
        described.parent.methods.indexOf(described),
      ];
  }
}

function fileOf(described: Commented): DescMessage["file"] {
  return "file" in described ? described.file : fileOf(described.parent);
}
