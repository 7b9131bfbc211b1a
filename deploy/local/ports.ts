// Free TCP ports on loopback, for the local stack and for tests.
//
// Guarantees: a port returned here was free a moment ago and is handed out once per process. Ports
// for tests lie below the kernel's ephemeral range, so that an outgoing connection of some other
// process cannot take one while a slow program (RabbitMQ needs seconds) is still on its way to it.
// Does not own: the last gap, between this answer and the program's own bind. Who starts a
// program must be ready to try once more with another port.

import { randomInt } from "node:crypto";
import { createServer } from "node:net";

const LOOPBACK = "127.0.0.1";
/** Linux gives outgoing connections 32768 and up by default. */
const PRIVATE_PORT_MIN = 20_000;
const PRIVATE_PORT_MAX = 32_000;
const PORT_MAX = 65_535;
const ATTEMPTS_MAX = 200;

const handedOut = new Set<number>();

/** True when nobody listens on the port, on loopback or on all addresses. */
export async function isPortFree(port: number): Promise<boolean> {
  return (await mayBind(port, LOOPBACK)) && (await mayBind(port, undefined));
}

/** `preferred` or the next free port above it. */
export async function nextFreePort(preferred: number): Promise<number> {
  for (let port = preferred; port <= PORT_MAX; port += 1) {
    if (handedOut.has(port) || !(await isPortFree(port))) continue;
    handedOut.add(port);
    return port;
  }
  throw new Error(`no free port from ${preferred} on`);
}

/** Some free port, for a private program. */
export async function privatePort(): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const port = randomInt(PRIVATE_PORT_MIN, PRIVATE_PORT_MAX);
    if (handedOut.has(port) || !(await isPortFree(port))) continue;
    handedOut.add(port);
    return port;
  }
  throw new Error(`no free port found between ${PRIVATE_PORT_MIN} and ${PRIVATE_PORT_MAX}`);
}

/** Forget that a port was handed out, once nobody will use it again. */
export function releasePort(port: number): void {
  handedOut.delete(port);
}

function mayBind(port: number, host: string | undefined): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, exclusive: true, ...(host === undefined ? {} : { host }) }, () => {
      server.close(() => resolve(true));
    });
  });
}
