// rabbitmqctl on a private broker: for what management cannot do, such as raising an alarm.

import { execFile } from "node:child_process";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { findProgram } from "../../deploy/local/programs.ts";

const TIMEOUT_MS = 30_000;

/** Where a broker is; a Broker (broker.ts) is one. */
export interface BrokerPlace {
  readonly ports: { readonly amqp: number; readonly epmd: number };
  /** A file next to its home. */
  readonly logPath: string;
}

export async function rabbitmqctl(
  broker: BrokerPlace,
  ...args: readonly string[]
): Promise<string> {
  const program = join(dirname(findProgram("rabbitmq-server")), "rabbitmqctl");
  const node = `quorumq-${broker.ports.amqp}@localhost`;
  const { stdout } = await promisify(execFile)(program, ["-q", "-n", node, ...args], {
    timeout: TIMEOUT_MS,
    // An Erlang machine that is asked to end does so with code 0, as if all had been done.
    killSignal: "SIGKILL",
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
export async function raiseMemoryAlarm(broker: BrokerPlace): Promise<void> {
  await rabbitmqctl(broker, "set_vm_memory_high_watermark", "0.0000001");
}

export async function clearMemoryAlarm(broker: BrokerPlace): Promise<void> {
  await rabbitmqctl(broker, "set_vm_memory_high_watermark", "0.8");
}
