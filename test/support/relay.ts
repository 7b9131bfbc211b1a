// A TCP relay in front of a broker, which a test can make refuse, accept and cut.

import { EventEmitter, once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { atEnd } from "./teardown.ts";

export interface Relay {
  readonly url: string;
  /** Resolves when this many connections have been refused since the start. */
  refused(count: number): Promise<void>;
  accept(): void;
  refuse(): void;
  /** Cuts all connections through it, without a word to either side. */
  cut(): void;
  /** Connections through it stay open, but nothing comes through any more; later ones work. */
  swallow(): void;
}

/** A way to the broker that refuses everyone until it is told to accept. */
export async function startRelay(url: string): Promise<Relay> {
  const target = new URL(url);
  const sockets = new Set<Socket>();
  const refusals = new EventEmitter();
  let isAccepting = false;
  let refusedCount = 0;
  const server = createServer((client) => {
    if (!isAccepting) {
      client.destroy();
      refusedCount += 1;
      refusals.emit("refused");
      return;
    }
    const upstream = connect(Number(target.port), target.hostname);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => socket.destroy());
      socket.on("close", () => sockets.delete(socket));
    }
    client.pipe(upstream).pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  atEnd(() => {
    cut();
    server.close();
  });
  const relayed = new URL(url);
  relayed.port = String((server.address() as { readonly port: number }).port);
  return {
    url: relayed.href,
    refused: async (count) => {
      while (refusedCount < count) await once(refusals, "refused");
    },
    accept: () => {
      isAccepting = true;
    },
    refuse: () => {
      isAccepting = false;
    },
    cut,
    swallow: () => {
      for (const socket of sockets) socket.unpipe().resume();
    },
  };
}

export async function openRelay(url: string): Promise<Relay> {
  const line = await startRelay(url);
  line.accept();
  return line;
}
