// The descriptor set that `buf build` made of all protos, for what describes the API at run time.
//
// Guarantees: needs none of our .proto files at run time, and finds the set from the sources as
// well as from dist/.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const DESCRIPTOR = join("protos", "gen", "descriptor.binpb");
/** The package's root, from transport/ and from dist/transport/. */
const ROOTS = ["..", join("..", "..")];

/** A google.protobuf.FileDescriptorSet with the comments of the sources. */
export function readDescriptorSet(): Buffer {
  const paths = ROOTS.map((root) => join(import.meta.dirname, root, DESCRIPTOR));
  const path = paths.find((candidate) => existsSync(candidate));
  if (path !== undefined) return readFileSync(path);
  throw new Error(`the descriptor set is missing: none of ${paths.join(", ")}`);
}
