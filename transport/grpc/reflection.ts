// Server reflection, v1 and v1alpha: what `grpcurl list` and `describe` ask for.
//
// Guarantees: needs none of our .proto files at run time, only the descriptor set that `buf build`
// made.

import type { Server } from "@grpc/grpc-js";
import { loadFileDescriptorSetFromBuffer, loadSync } from "@grpc/proto-loader";
import { ReflectionService } from "@grpc/reflection";
import { protoPath as healthProto } from "grpc-health-check";
import { readDescriptorSet } from "../descriptor-set.ts";

export function addReflection(server: Server): void {
  const described = loadFileDescriptorSetFromBuffer(readDescriptorSet());
  new ReflectionService({ ...described, ...loadSync(healthProto) }).addToServer(server);
}
