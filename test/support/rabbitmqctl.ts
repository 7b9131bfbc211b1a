// rabbitmqctl on a private broker: for what management cannot do, such as raising an alarm.

import { execFile } from "node:child_process";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { findProgram } from "../../deploy/local/programs.ts";
import type { Broker } from "./broker.ts";

const TIMEOUT_MS = 30_000;

export async function rabbitmqctl(broker: Broker, ...args: readonly string[]): Promise<string> {
  const program = join(dirname(findProgram("rabbitmq-server")), "rabbitmqctl");
  const node = `quorumq-${broker.ports.amqp}@localhost`;
  const { stdout } = await promisify(execFile)(program, ["-q", "-n", node, ...args], {
    timeout: TIMEOUT_MS,
    env: {
      PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/usr/bin:/sbin:/bin`,
      LANG: "C.UTF-8",
      // The broker's own cookie.
      HOME: join(dirname(broker.logPath), "home"),
      ERL_EPMD_PORT: String(broker.ports.epmd),
      RABBITMQ_CONF_ENV_FILE: join(dirname(broker.logPath), "absent.conf"),
    },
  });
  return stdout;
}

/** The broker believes to be out of memory: it blocks who publishes. */
export async function raiseMemoryAlarm(broker: Broker): Promise<void> {
  await rabbitmqctl(broker, "set_vm_memory_high_watermark", "0.0000001");
}

export async function clearMemoryAlarm(broker: Broker): Promise<void> {
  await rabbitmqctl(broker, "set_vm_memory_high_watermark", "0.8");
}
