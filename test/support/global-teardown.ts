// Stops the run's shared RabbitMQ, if one was started, and removes what it kept.

import { stopSharedRabbitmq } from "./shared-broker.ts";

export default async function globalTeardown(): Promise<void> {
  await stopSharedRabbitmq();
}
