// A request's bytes as its message, held to what protobuf says of text, and to a bound.
//
// Guarantees: text that is not UTF-8 is refused, where the generated code would put U+FFFD for it:
// two different keys would be read as the same one. A message of millions of tiny fields, which
// would keep the process busy for ten seconds, is refused when it has more than any should.
// Does not own: what else the caller is told (grpc/serve.ts, http/api.ts).

import { BinaryReader } from "@bufbuild/protobuf/wire";
import { REQUEST_FIELDS_MAX } from "./limit.ts";
import type { PipelineError } from "./pipeline-error.ts";
import { refusal } from "./reason.ts";

export function tooManyFields(): PipelineError {
  const limit = String(REQUEST_FIELDS_MAX);
  return refusal("MALFORMED_REQUEST", `the request has more than ${limit} fields in all`, {
    metadata: { limit },
  });
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

interface Decoder {
  requestDeserialize(bytes: Buffer): unknown;
}

/** Throws what the generated code throws, a TypeError for text that is none, or tooManyFields. */
export function decodeStrictly(method: Decoder, bytes: Uint8Array): unknown {
  const reader = new BinaryReader(bytes, (text) => utf8.decode(text));
  // Each field takes a byte at least: most requests cannot have so many.
  if (bytes.byteLength > REQUEST_FIELDS_MAX) countFields(reader);
  // The generated code goes on with a reader that it is given; only its types do not say so.
  return method.requestDeserialize(reader as unknown as Buffer);
}

/** By the numbers that are read: a tag each, and a length for most. */
function countFields(reader: BinaryReader): void {
  const read = reader.uint32;
  let left = 2 * REQUEST_FIELDS_MAX;
  reader.uint32 = () => {
    left -= 1;
    if (left < 0) throw tooManyFields();
    return read.call(reader);
  };
}
