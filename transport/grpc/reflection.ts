// Server reflection, v1 and v1alpha: what `grpcurl list` and `describe` ask for.
//
// Guarantees: needs none of our .proto files at run time, only the descriptor set that `buf build`
// made, and finds it from the sources as well as from dist/.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Server } from "@grpc/grpc-js";
import { loadFileDescriptorSetFromBuffer, loadSync } from "@grpc/proto-loader";
import { ReflectionService } from "@grpc/reflection";
import { protoPath as healthProto } from "grpc-health-check";

const DESCRIPTOR = join("protos", "gen", "descriptor.binpb");
/** The package's root, from transport/grpc/ and from dist/transport/grpc/. */
const ROOTS = [join("..", ".."), join("..", "..", "..")];

export function addReflection(server: Server): void {
  const described = loadFileDescriptorSetFromBuffer(readFileSync(descriptorPath()));
  new ReflectionService({ ...described, ...loadSync(healthProto) }).addToServer(server);
}

function descriptorPath(): string {
  const paths = ROOTS.map((root) => join(import.meta.dirname, root, DESCRIPTOR));
  const path = paths.find((candidate) => existsSync(candidate));
  if (path !== undefined) return path;
  throw new Error(`the descriptor set is missing: none of ${paths.join(", ")}`);
}
