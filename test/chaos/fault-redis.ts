// Redis loses everything and runs on: every queue and lock is gone at once.

import { once } from "node:events";
import { createConnection } from "node:net";
import type { Fault } from "./fault.ts";

export const flushRedis: Fault = {
  name: "flush redis",
  holdMs: 0,
  strike: async ({ parts }) => {
    const { hostname, port } = new URL(parts.stack.endpoint("redis"));
    const socket = createConnection({ host: hostname, port: Number(port) });
    socket.write("FLUSHALL\r\n");
    const [answer] = (await once(socket, "data")) as [Buffer];
    socket.destroy();
    if (!answer.toString().startsWith("+OK")) throw new Error(`Redis answered ${answer}`);
    return { victim: "redis", heal: () => Promise.resolve() };
  },
};
