// The RabbitMQ that global-setup.ts offers to a run and global-teardown.ts stops: both are loaded
// once into jest's own process, so this module is where they meet.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type LocalRabbitmq, startRabbitmq } from "../../deploy/local/rabbitmq.ts";

export interface SharedRabbitmq {
  readonly broker: LocalRabbitmq;
  readonly dir: string;
}

let started: Promise<SharedRabbitmq> | null = null;

export function sharedRabbitmq(): Promise<SharedRabbitmq> {
  started ??= start();
  return started;
}

export async function stopSharedRabbitmq(): Promise<void> {
  if (started === null) return;
  const { broker, dir } = await started;
  started = null;
  // Killed, not stopped: a graceful end takes five seconds and nothing is kept.
  await broker.kill();
  rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
}

async function start(): Promise<SharedRabbitmq> {
  const dir = mkdtempSync(join(tmpdir(), "quorumq-shared-rabbitmq-"));
  return { broker: await startRabbitmq({ dir }), dir };
}
