// A port of the local stack, which moves on when somebody else takes it before it is listened on.
//
// Guarantees: two stacks that start at the same moment both come up. Between looking for a free
// port and listening on it lie seconds (RabbitMQ); another process may be faster, or may just be
// looking, too. So a service whose first start fails is tried again, with the next free port where
// the old one is taken. After its first success a port stays: clients know it by then.
// Does not own: the search itself (ports.ts); starting again what ran and died (supervisor.ts).

import { isPortFree, nextFreePort } from "./ports.ts";
import { NotStartedError } from "./ready.ts";
import type { Service } from "./supervisor.ts";

const STARTS_MAX = 4;

export class StackPort {
  readonly #what: string;
  readonly #wanted: number;
  #port: number;

  private constructor(what: string, wanted: number, port: number) {
    this.#what = what;
    this.#wanted = wanted;
    this.#port = port;
  }

  /** The port itself, or the next free one. */
  static async near(what: string, wanted: number): Promise<StackPort> {
    return new StackPort(what, wanted, await nextFreePort(wanted));
  }

  get port(): number {
    return this.#port;
  }

  /** "Redis 6380 (6379 is taken)"; null while it is where it was wanted. */
  get moved(): string | null {
    return this.#port === this.#wanted
      ? null
      : `${this.#what} ${this.#port} (${this.#wanted} is taken)`;
  }

  /** True: it was taken, and is another one now. */
  async moveIfTaken(): Promise<boolean> {
    if (await isPortFree(this.#port)) return false;
    this.#port = await nextFreePort(this.#port + 1);
    return true;
  }
}

/** The service, started again on other ports as long as its first start fails. */
export function onFreePorts(ports: readonly StackPort[], service: Service): Service {
  let hasRun = false;
  return {
    ...service,
    start: async () => {
      for (let [starts, unexplained] = [1, 0]; ; starts += 1) {
        try {
          const child = await service.start();
          hasRun = true;
          return child;
        } catch (error) {
          const mayMove = error instanceof NotStartedError && !error.isSilent;
          if (hasRun || !mayMove || starts === STARTS_MAX) throw error;
          let moved = 0;
          for (const port of ports) if (await port.moveIfTaken()) moved += 1;
          // Taken for a moment only, by who was looking; or it is not the port at all.
          if (moved === 0) unexplained += 1;
          if (unexplained > 1) throw error;
        }
      }
    },
  };
}
