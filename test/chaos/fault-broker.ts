// RabbitMQ itself in trouble: stopped and started, or out of memory.
//
// A stop closes every connection and takes every mailbox with it; a memory alarm leaves all of them
// and lets nobody publish. RabbitMQ 3.10 may hang while it stops: then it is killed, and the stack
// starts it again.

import { clearMemoryAlarm, rabbitmqctl, raiseMemoryAlarm } from "../support/rabbitmqctl.ts";
import type { Fault } from "./fault.ts";

export const stopBroker: Fault = {
  name: "stop rabbitmq",
  holdMs: 1_000,
  strike: async ({ parts }) => {
    const broker = parts.stack.broker();
    const pid = parts.pidOf("rabbitmq");
    const isStopped = await done(rabbitmqctl(broker, "stop_app"));
    return {
      victim: isStopped ? "rabbitmq" : "rabbitmq, which hangs",
      heal: async () => {
        if (isStopped && (await done(rabbitmqctl(broker, "start_app")))) return;
        parts.signal("rabbitmq", "SIGKILL");
        await parts.restarted("rabbitmq", pid);
      },
    };
  },
};

export const memoryAlarm: Fault = {
  name: "memory alarm",
  holdMs: 3_000,
  strike: async ({ parts }) => {
    const broker = parts.stack.broker();
    await raiseMemoryAlarm(broker);
    return { victim: "rabbitmq", heal: () => clearMemoryAlarm(broker) };
  },
};

/** False: it was not, in time. */
function done(command: Promise<string>): Promise<boolean> {
  return command.then(
    () => true,
    () => false,
  );
}
