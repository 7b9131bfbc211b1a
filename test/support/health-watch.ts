// A stock health client that follows one service's status.

import type { ClientReadableStream, ServiceDefinition } from "@grpc/grpc-js";
import { type Client, credentials, makeGenericClientConstructor } from "@grpc/grpc-js";
import { service } from "grpc-health-check";
import { atEnd } from "./teardown.ts";

type Status = "SERVING" | "NOT_SERVING" | "SERVICE_UNKNOWN" | "UNKNOWN";
type HealthClient = Client & {
  watch(request: { service: string }): ClientReadableStream<{ status: Status }>;
};

export interface HealthWatch {
  /** The statuses pushed so far. */
  readonly seen: readonly Status[];
  /** Resolves when this status is the newest. */
  until(status: Status, timeoutMs: number): Promise<void>;
}

export function watchHealth(address: string, name: string): HealthWatch {
  const Health = makeGenericClientConstructor(service as ServiceDefinition, "Health");
  const client = new Health(address, credentials.createInsecure()) as unknown as HealthClient;
  const stream = client.watch({ service: name });
  const seen: Status[] = [];
  const waiting = new Set<() => void>();
  stream.on("data", ({ status }: { status: Status }) => {
    seen.push(status);
    for (const look of [...waiting]) look();
  });
  // Ended by us at the end of the file.
  stream.on("error", () => undefined);
  atEnd(() => {
    stream.cancel();
    client.close();
  });
  return {
    seen,
    until: (status, timeoutMs) =>
      new Promise((resolve, reject) => {
        const end = (finish: () => void): void => {
          clearTimeout(timer);
          waiting.delete(look);
          finish();
        };
        const look = (): void => {
          if (seen.at(-1) === status) end(resolve);
        };
        const timer = setTimeout(
          () => end(() => reject(new Error(`not ${status}; seen ${seen.join(", ")}`))),
          timeoutMs,
        );
        waiting.add(look);
        look();
      }),
  };
}
