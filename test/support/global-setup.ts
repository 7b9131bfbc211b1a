// One RabbitMQ for a whole jest run, started when the first test asks for it.
//
// Guarantees: runs that need no broker start none. Test processes reach this one by HTTP
// (QUORUMQ_TEST_BROKER_SERVICE) and take virtual hosts (broker.ts). Programs that are missing are
// installed or named before the first test runs.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { installMissing } from "../../deploy/local/programs.ts";
import { type SharedRabbitmq, sharedRabbitmq } from "./shared-broker.ts";

export default async function globalSetup(): Promise<void> {
  await installMissing(["rabbitmq-server", "epmd", "redis-server"], (line) => {
    process.stderr.write(`${line}\n`);
  });
  const service = createServer((_request, response) => {
    sharedRabbitmq().then(
      (shared: SharedRabbitmq) => {
        const { url, managementUrl } = shared.broker;
        response.setHeader("content-type", "application/json");
        response.end(JSON.stringify({ url, managementUrl }));
      },
      (error: unknown) => {
        response.statusCode = 500;
        response.end(String(error));
      },
    );
  });
  await new Promise<void>((resolve) => service.listen(0, "127.0.0.1", resolve));
  service.unref();
  const { port } = service.address() as AddressInfo;
  process.env["QUORUMQ_TEST_BROKER_SERVICE"] = `http://127.0.0.1:${port}`;
}
