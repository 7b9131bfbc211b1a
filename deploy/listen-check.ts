// Whether a server of ours may listen where it was told to, asked before anything is connected.
//
// Guarantees: what a user can cause is told with the place and the setting: a port that is taken,
// one that needs rights, an address of another machine. Nothing is left listening.
// Does not own: the moment between this and the server's own start, which fails by itself.

import { createServer } from "node:net";
import { UsageError } from "./exit-code.ts";
import { environmentOf, flagOf, type SettingName } from "./settings.ts";

const WHY: Readonly<Record<string, string>> = {
  EADDRINUSE: "is taken: end what listens there, or choose another port",
  EACCES: "needs more rights than this user has: choose a port above 1023",
  EADDRNOTAVAIL: "is no address of this machine",
  ENOTFOUND: "is no name that resolves",
};

export async function requireListenable(
  host: string,
  port: number,
  settings: readonly SettingName[],
): Promise<void> {
  const code = await failureOf(host, port);
  if (code === null) return;
  const names = settings.map((name) => `${flagOf(name)} or ${environmentOf(name)}`).join(", ");
  throw new UsageError(`${host}:${port} ${WHY[code] ?? `cannot be used: ${code}`} (${names})`);
}

/** null: one can listen there. */
function failureOf(host: string, port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(null)));
  });
}
