// One run: everything that its parts share.
//
// Guarantees: all state of a run hangs on its Sim, so that many runs can follow each other in one
// process without meeting. Does not own: how parts behave, nor the phases (run.ts).

import type { NodeId } from "../../raft/message.ts";
import { Checker } from "./check/checker.ts";
import type { FaultKind } from "./fault-kind.ts";
import type { Host } from "./host.ts";
import type { Network } from "./network/network.ts";
import { Random } from "./random.ts";
import { Scheduler } from "./scheduler.ts";
import type { SimOptions } from "./swarm.ts";
import { Tally } from "./tally.ts";
import { Trace } from "./trace.ts";

const HEALED_DELAY_MS = [0.3, 4] as const;
const HEALED_PERSIST_MS = [0.3, 4] as const;

/** One stream a part, so that their draws do not move each other. */
export interface Streams {
  readonly network: Random;
  readonly disk: Random;
  readonly process: Random;
  readonly workload: Random;
  readonly chaos: Random;
  readonly node: Random;
  readonly operator: Random;
  readonly schedules: Random;
  readonly limits: Random;
}

export class Sim {
  readonly options: SimOptions;
  readonly scheduler = new Scheduler();
  readonly trace = new Trace();
  readonly tally = new Tally();
  readonly random: Streams;
  readonly checker: Checker;
  readonly hosts: Host[] = [];
  /** Who is told to found the cluster. */
  readonly founders: NodeId[] = [];
  /** No more faults of any kind. */
  isHealed = false;
  #network: Network | null = null;

  constructor(options: SimOptions) {
    this.options = options;
    const { seed } = options;
    this.random = {
      network: new Random(seed, "network"),
      disk: new Random(seed, "disk"),
      process: new Random(seed, "process"),
      workload: new Random(seed, "workload"),
      chaos: new Random(seed, "chaos"),
      node: new Random(seed, "node"),
      operator: new Random(seed, "operator"),
      schedules: new Random(seed, "schedules"),
      limits: new Random(seed, "limits"),
    };
    this.checker = new Checker(this);
  }

  get network(): Network {
    if (this.#network === null) throw new Error("a run has a network");
    return this.#network;
  }

  set network(network: Network) {
    this.#network = network;
  }

  /** One way of a message; a network that is slow by nature is a fault, too. */
  get delayMs(): readonly [min: number, max: number] {
    return this.isHealed ? HEALED_DELAY_MS : this.options.delayMs;
  }

  get persistMs(): readonly [min: number, max: number] {
    return this.isHealed ? HEALED_PERSIST_MS : this.options.persistMs;
  }

  /** How often this fault comes now: 0 when it is off, and once all is healed. */
  rate(kind: FaultKind): number {
    return this.isHealed ? 0 : (this.options.rates[kind] ?? 0);
  }
}
