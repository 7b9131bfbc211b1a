// A client that holds locks outside jobs, on the keys that jobs use: asks, waits, keeps, lets go.
//
// Guarantees: what it does is told by a stream of its own. It forgets to keep or to let go now and
// then, as a process that died would. That no two hold a key, and that tokens rise, is looked at
// where entries are committed (check/), for jobs and locks alike.
// Does not own: what is right (the ledger).

import type { LockStanding } from "../../../ledger/result.ts";
import type { Applied } from "../answer.ts";
import { Random } from "../random.ts";
import { Caller, type Clients } from "./caller.ts";

export class LockUser {
  isDraining = false;
  readonly #clients: Clients;
  readonly #caller: Caller;
  readonly #random: Random;
  #asked = 0;

  constructor(clients: Clients, name: string) {
    this.#clients = clients;
    this.#caller = new Caller(clients, name);
    this.#random = new Random(clients.sim.options.seed, `lock-user ${name}`);
  }

  start(): void {
    const { scheduler, options } = this.#clients.sim;
    scheduler.after(this.#random.exponential(options.workload.thinkMs * 2), () => {
      if (!this.isDraining) this.#acquire();
    });
  }

  #acquire(): void {
    const { lockKeys, leaseMs } = this.#clients.sim.options.workload;
    this.#asked += 1;
    const names = [1, 2, 3].map(() => `k${this.#random.whole(1, lockKeys)}`);
    const keys = [...new Set([...names, `doc:d${this.#random.whole(1, lockKeys)}`])];
    const ask = {
      kind: "acquire-lock",
      lockKeys: keys.slice(0, this.#random.whole(1, keys.length)),
      owner: this.#caller.name,
      requestId: `${this.#caller.name}-${this.#asked}`,
      ttlMs: leaseMs,
      waitMs: this.#random.one([0, leaseMs, 4 * leaseMs]),
    } as const;
    this.#caller.command(
      ask,
      () => null,
      (outcome) => this.#follow(outcome),
    );
  }

  #follow(outcome: Applied | null): void {
    const standing = outcome?.kind === "locks" ? outcome.standings[0] : undefined;
    const { sim } = this.#clients;
    if (standing === undefined || standing.state === "over" || this.#random.chance(0.05)) {
      this.start();
    } else if (standing.state === "waiting") {
      sim.tally.add("count.lock-waits");
      sim.scheduler.after(this.#pauseMs(), () => this.#keep(standing));
    } else {
      sim.tally.add("count.locks-held");
      sim.scheduler.after(this.#pauseMs(), () => this.#hold(standing));
    }
  }

  #pauseMs(): number {
    return this.#clients.sim.options.workload.leaseMs * this.#random.logarithmic(0.05, 0.6);
  }

  #hold(standing: LockStanding): void {
    if (this.#random.chance(0.4)) this.#keep(standing);
    else this.#letGo(standing);
  }

  #keep({ lockId, token }: LockStanding): void {
    this.#caller.command(
      { kind: "renew-locks", locks: [{ lockId, token }] },
      () => null,
      (outcome) => this.#follow(outcome),
    );
  }

  #letGo({ lockId, token }: LockStanding): void {
    this.#caller.command(
      { kind: "release-locks", locks: [{ lockId, token }] },
      () => null,
      () => this.start(),
    );
  }
}
