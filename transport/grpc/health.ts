// grpc.health.v1.Health for the services of one server: readiness, not liveness.
//
// Guarantees: the server ("") and each service are SERVING or NOT_SERVING together, and watchers
// are told at each change. Whoever leads the cluster is no business of a liveness probe.

import type { Server } from "@grpc/grpc-js";
import { HealthImplementation } from "grpc-health-check";

export interface Health {
  set(isServing: boolean): void;
}

export function addHealth(server: Server, services: readonly string[]): Health {
  const names = ["", ...services];
  const health = new HealthImplementation(
    Object.fromEntries(names.map((name) => [name, "NOT_SERVING" as const])),
  );
  health.addToServer(server);
  let wasServing = false;
  return {
    set: (isServing) => {
      if (isServing === wasServing) return;
      wasServing = isServing;
      for (const name of names) health.setStatus(name, isServing ? "SERVING" : "NOT_SERVING");
    },
  };
}
