// Whether a server of ours may listen where it was told to, asked before anything is connected.
//
// Guarantees: what a user can cause is told with the place and the setting: a port that is taken,
// one that needs rights, an address of another machine. Nothing is left listening.
// A server that comes too late, because the place was taken meanwhile, fails with the same words.

import { createServer } from "node:net";
import { UsageError } from "./exit-code.ts";
import { environmentOf, flagOf, type SettingName } from "./settings.ts";

const WHY: Readonly<Record<string, string>> = {
  EADDRINUSE: "is taken: end what listens there, or choose another port",
  EACCES: "needs more rights than this user has: choose a port above 1023",
  EADDRNOTAVAIL: "is no address of this machine",
  ENOTFOUND: "is no name that resolves",
};

export interface ListenPlace {
  readonly host: string;
  readonly port: number;
  /** Those that the place comes from. */
  readonly settings: readonly SettingName[];
}

export async function requireListenable(place: ListenPlace): Promise<void> {
  const { host, port, settings } = place;
  const code = await failureOf(host, port);
  if (code === null) return;
  const names = settings.map((name) => `${flagOf(name)} or ${environmentOf(name)}`).join(", ");
  throw new UsageError(`${host}:${port} ${WHY[code] ?? `cannot be used: ${code}`} (${names})`);
}

/** What `listen` gives; if it fails and the place is the reason, told so. */
export async function listening<T>(place: ListenPlace, listen: () => Promise<T>): Promise<T> {
  try {
    return await listen();
  } catch (error) {
    await requireListenable(place);
    throw error;
  }
}

/** null: one can listen there. */
function failureOf(host: string, port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(null)));
  });
}
