// Keeps the processes of the local stack running, as an orchestrator would, and stops them in
// order.
//
// Guarantees: a process that ends unasked is started again, after a pause that grows while it
// keeps failing. Each change of what runs is told. After `stop` or `killAll` nothing is started
// any more; `stop` ends one group after the other and resolves when all of them are gone.
// Does not own: what the processes are (../dev.ts), nor how they are started.

import type { ProcessExit, RunningProcess } from "./process.ts";

export type Role = "node" | "gateway" | "worker" | "console" | "rabbitmq" | "redis";

export interface Service {
  readonly role: Role;
  readonly id: string;
  readonly logPath: string;
  /** How long it may take to end after SIGTERM. */
  readonly graceMs: number;
  ports(): Readonly<Record<string, number>>;
  /** Resolves when it is ready for use; rejects with the reason, leaving nothing behind. */
  start(): Promise<RunningProcess>;
}

export interface SupervisorOptions {
  readonly backoffMs: { readonly first: number; readonly max: number };
  /** What ran this long was fine: the next pause is the first again. */
  readonly steadyMs: number;
  /** After each change of pids. */
  readonly onChange: () => void;
  /** One line for the person who watches. */
  readonly report: (line: string) => void;
}

export interface Listed {
  readonly service: Service;
  readonly pid: number;
}

interface Kept {
  readonly service: Service;
  child: RunningProcess | null;
  /** Settles when the service is given up, which only stopping does. */
  loop: Promise<void>;
}

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #kept: Kept[] = [];
  readonly #stopping = new AbortController();

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** Starts a service and keeps it running from then on. Rejects if the first start fails. */
  async keep(service: Service): Promise<void> {
    const child = await service.start();
    const kept: Kept = { service, child, loop: Promise.resolve() };
    this.#kept.push(kept);
    this.#options.onChange();
    kept.loop = this.#watch(kept, child);
    // Asked to stop while this one was starting: it must not be forgotten.
    if (this.#stopping.signal.aborted) await child.stop(service.graceMs);
  }

  running(): Listed[] {
    return this.#kept.flatMap(({ service, child }) =>
      child === null ? [] : [{ service, pid: child.pid }],
    );
  }

  /** Ends the groups one after the other, the roles of a group together. */
  async stop(groups: readonly (readonly Role[])[]): Promise<void> {
    this.#stopping.abort();
    for (const roles of groups) {
      const group = this.#kept.filter(({ service }) => roles.includes(service.role));
      await Promise.all(
        group.map(async (kept) => {
          await kept.child?.stop(kept.service.graceMs);
          await kept.loop;
        }),
      );
    }
  }

  killAll(): void {
    this.#stopping.abort();
    for (const { child } of this.#kept) child?.kill("SIGKILL");
  }

  async #watch(kept: Kept, first: RunningProcess): Promise<void> {
    const { first: firstPauseMs, max: pauseMaxMs } = this.#options.backoffMs;
    let pauseMs = firstPauseMs;
    let child = first;
    for (;;) {
      const startedMs = performance.now();
      const exit = await child.exited;
      kept.child = null;
      this.#options.onChange();
      if (performance.now() - startedMs >= this.#options.steadyMs) pauseMs = firstPauseMs;
      const next = await this.#startAgain(kept, exit, pauseMs);
      if (next === null) return;
      child = next;
      pauseMs = Math.min(pauseMs * 2, pauseMaxMs);
    }
  }

  /** Tries until it runs; null once the stack stops. */
  async #startAgain(
    kept: Kept,
    exit: ProcessExit,
    pauseMs: number,
  ): Promise<RunningProcess | null> {
    const { service } = kept;
    const { max: pauseMaxMs } = this.#options.backoffMs;
    let why = exit.code === null ? `was ended by ${exit.signal}` : `ended with code ${exit.code}`;
    for (let waitMs = pauseMs; ; waitMs = Math.min(waitMs * 2, pauseMaxMs)) {
      if (this.#stopping.signal.aborted) return null;
      this.#options.report(`${service.id} ${why}; starting it again in ${waitMs} ms`);
      await this.#pause(waitMs);
      if (this.#stopping.signal.aborted) return null;
      try {
        const child = await service.start();
        kept.child = child;
        this.#options.onChange();
        this.#options.report(`${service.id} runs again (pid ${child.pid})`);
        if (this.#stopping.signal.aborted) await child.stop(service.graceMs);
        return child;
      } catch (error) {
        why = `could not be started: ${error instanceof Error ? error.message : String(error)}`;
      }
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#stopping.signal.addEventListener("abort", () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}
