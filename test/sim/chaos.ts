// When faults come: storms and calms, drawn from the seed, and what each kind does.
//
// Guarantees: one fault at a moment, of a kind that this run has; what a fault starts ends by
// itself. A disk is only lost while the quorums go on without it. Nothing comes once it is stopped.
// Does not own: what a fault means (the models).

import type { Population } from "./clients/population.ts";
import type { MomentFault } from "./fault-kind.ts";
import type { Host } from "./host.ts";
import { Broker } from "./network/broker.ts";
import { Hostile } from "./network/hostile.ts";
import type { Operator } from "./operator.ts";
import type { Sim } from "./sim.ts";

/** True if it came about. */
type Act = () => boolean;

export class Chaos {
  readonly #sim: Sim;
  readonly #operator: Operator;
  readonly #population: Population;
  readonly #acts: Readonly<Record<MomentFault, Act>>;
  #calmUntilMs = 0;
  #stormUntilMs = 0;

  constructor(sim: Sim, operator: Operator, population: Population) {
    this.#sim = sim;
    this.#operator = operator;
    this.#population = population;
    this.#acts = this.#allActs();
  }

  start(): void {
    if (this.#sim.options.moments.length > 0) this.#next();
  }

  #next(): void {
    const { scheduler, random, options } = this.#sim;
    const { nowMs } = scheduler;
    if (nowMs >= this.#stormUntilMs) {
      this.#calmUntilMs = nowMs + random.chaos.between(500, 4_000);
      this.#stormUntilMs = this.#calmUntilMs + random.chaos.between(3_000, 20_000);
    }
    const fromMs = Math.max(nowMs, this.#calmUntilMs);
    scheduler.at(fromMs + random.chaos.exponential(options.faultGapMs), () => {
      if (this.#sim.isHealed) return;
      this.#strike();
      this.#next();
    });
  }

  #strike(): void {
    const { moments } = this.#sim.options;
    const total = moments.reduce((sum, { weight }) => sum + weight, 0);
    let draw = this.#sim.random.chaos.fraction() * total;
    for (const { kind, weight } of moments) {
      draw -= weight;
      if (draw > 0) continue;
      this.strike(kind);
      return;
    }
  }

  strike(kind: MomentFault): void {
    const { tally, trace, scheduler } = this.#sim;
    if (!this.#acts[kind]()) return;
    if (!COUNTED_BY_HOST.includes(kind)) tally.add(`fault.${kind}`);
    trace.event(scheduler.nowMs, 5, kind.length, kind.charCodeAt(0), 0);
    if (trace.isText) trace.line(scheduler.nowMs, `fault: ${kind}`);
  }

  #anyHost(): Host {
    return this.#sim.random.chaos.one(this.#sim.hosts);
  }

  /** Often the leader: that is where most can go wrong. */
  #anyUp(): Host | null {
    const { chaos: random } = this.#sim.random;
    const leader = this.#operator.leader();
    if (leader !== null && random.chance(0.35)) return leader.host;
    return random.pick(this.#sim.hosts.filter(({ isUp }) => isUp)) ?? null;
  }

  #withUp(act: (host: Host) => void): Act {
    return () => {
      const host = this.#anyUp();
      if (host !== null) act(host);
      return host !== null;
    };
  }

  #withBroker(act: (broker: Broker, host: Host) => void): Act {
    return () => {
      const { network } = this.#sim;
      const host = this.#anyUp();
      if (!(network instanceof Broker) || host === null) return false;
      act(network, host);
      return true;
    };
  }

  #withHostile(act: (network: Hostile) => void): Act {
    return () => {
      const { network } = this.#sim;
      if (!(network instanceof Hostile)) return false;
      act(network);
      return true;
    };
  }

  #ms(min: number, max: number): number {
    return this.#sim.random.chaos.logarithmic(min, max);
  }

  #later(afterMs: number, happen: () => void): void {
    this.#sim.scheduler.after(afterMs, happen);
  }

  #allActs(): Record<MomentFault, Act> {
    return {
      ...this.#networkActs(),
      ...this.#diskActs(),
      ...this.#processActs(),
      ...this.#operations(),
    };
  }

  #networkActs() {
    const link = (host: Host) => host.life?.link;
    return {
      "slow-network": () => {
        const { network } = this.#sim;
        if (!(network instanceof Broker || network instanceof Hostile)) return false;
        network.slowness = this.#ms(3, 40);
        this.#later(this.#ms(100, 4000), () => {
          network.slowness = 1;
        });
        return true;
      },
      "publish-drop": this.#withBroker((broker, host) => {
        const one = link(host);
        if (one !== undefined) broker.dropPublishing(one, this.#ms(5, 3000));
      }),
      "consume-drop": this.#withBroker((broker, host) => {
        const one = link(host);
        if (one !== undefined) broker.dropConsuming(one, this.#ms(5, 3000));
      }),
      "broker-pause": this.#withBroker((broker) => broker.pause(this.#ms(50, 5000))),
      "broker-restart": this.#withBroker((broker) => broker.restart(this.#ms(100, 4000))),
      "memory-alarm": this.#withBroker((broker) => broker.alarm(this.#ms(100, 5000))),
      "channel-error": this.#withBroker((broker, host) => {
        const one = link(host);
        if (one !== undefined) broker.silence(one, this.#ms(20, 2000));
      }),
      "publish-dead": this.#withBroker((broker, host) => {
        const one = link(host);
        if (one !== undefined) broker.silence(one, this.#ms(500, 8000));
      }),
      "consume-dead": this.#withBroker((broker, host) => {
        const one = link(host);
        if (one !== undefined) broker.stall(one, this.#ms(500, 8000));
      }),
      "consume-stall": this.#withBroker((broker, host) => {
        const one = link(host);
        if (one !== undefined) broker.stall(one, this.#ms(10, 400));
      }),
      "broker-partition": this.#withUp((host) => this.#isolate(host, this.#ms(200, 8000))),
      "false-hint": this.#withUp((host) => {
        host.life?.link.hint(this.#anyHost().id);
      }),
      "link-cut": this.#withHostile((network) => {
        const [one, other] = [this.#anyHost().name, this.#anyHost().name];
        network.cut(one, other);
        this.#later(this.#ms(200, 10_000), () => network.join(one, other));
      }),
      "group-partition": this.#withHostile((network) => this.#split(network)),
    };
  }

  #isolate(host: Host, forMs: number): void {
    const { network, hosts } = this.#sim;
    const link = host.life?.link;
    if (network instanceof Broker && link !== undefined) {
      network.dropPublishing(link, forMs);
      network.dropConsuming(link, forMs);
    } else if (network instanceof Hostile) {
      for (const { name } of hosts) {
        network.cut(host.name, name);
        network.cut(name, host.name);
      }
      this.#later(forMs, () => {
        for (const { name } of hosts) {
          network.join(host.name, name);
          network.join(name, host.name);
        }
      });
    }
  }

  #split(network: Hostile): void {
    const names = this.#sim.random.chaos.shuffled(this.#sim.hosts.map(({ name }) => name));
    const at = this.#sim.random.chaos.whole(1, Math.max(1, names.length - 1));
    const [one, other] = [names.slice(0, at), names.slice(at)];
    const pairs = one.flatMap((left) => other.map((right) => [left, right] as const));
    for (const [left, right] of pairs) {
      network.cut(left, right);
      network.cut(right, left);
    }
    this.#later(this.#ms(300, 8000), () => {
      for (const [left, right] of pairs) {
        network.join(left, right);
        network.join(right, left);
      }
    });
  }

  #diskActs() {
    return {
      "slow-disk": this.#withUp(({ disk }) => {
        disk.slowness = this.#ms(3, 60);
        this.#later(this.#ms(300, 8000), () => {
          disk.slowness = 1;
        });
      }),
      "disk-stall": this.#withUp(({ disk }) => {
        disk.stalledUntilMs = this.#sim.scheduler.nowMs + this.#ms(50, 2500);
      }),
      "bit-flip": this.#loseDisk((host) => {
        // At rest: seen by the checksum at the next open.
        host.disk.store.isDamaged = true;
        this.#later(this.#ms(100, 5000), () => {
          if (host.disk.store.isDamaged) host.crashAndRestart("crash");
        });
      }),
      eio: this.#withUp(({ disk }) => {
        disk.failsNext = true;
      }),
      enospc: this.#withUp(({ disk }) => {
        disk.isFull = true;
        this.#later(this.#ms(500, 8000), () => {
          disk.isFull = false;
        });
      }),
      wipe: this.#loseDisk((host) => {
        host.crash("crash");
        host.disk.store.isLost = true;
        host.restartLater();
      }),
    };
  }

  #loseDisk(act: (host: Host) => void): Act {
    return () => {
      const host = this.#anyUp();
      if (host === null || host.disk.store.isDamaged || !this.#operator.mayLose(host.id)) {
        return false;
      }
      act(host);
      return true;
    };
  }

  #processActs() {
    return {
      crash: this.#withUp((host) => host.crashAndRestart("crash")),
      "crash-leader": () => {
        const host = this.#operator.leader()?.host;
        host?.crashAndRestart("crash-leader");
        return host !== undefined;
      },
      "power-cut": () => {
        for (const host of this.#sim.hosts) if (host.isUp) host.crashAndRestart("power-cut");
        return true;
      },
      pause: this.#withUp((host) => host.pause(this.#ms(20, 6000))),
      "wall-jump": () => {
        const { chaos: random } = this.#sim.random;
        this.#anyHost().clock.setWall(random.between(-1, 1) * this.#ms(100, 3_600_000));
        return true;
      },
      "slow-cpu": this.#withUp((host) => {
        host.cpuMs = this.#ms(0.2, 15);
        this.#later(this.#ms(200, 5000), () => {
          host.cpuMs = 0;
        });
      }),
      "slow-apply": this.#withUp((host) => {
        host.slowApplyMs = this.#ms(1, 500);
        this.#later(this.#ms(500, 8000), () => {
          host.slowApplyMs = 0;
        });
      }),
      "worker-stall": () => {
        const worker = this.#sim.random.chaos.pick(this.#population.workers);
        const { leaseMs } = this.#sim.options.workload;
        if (worker === undefined) return false;
        worker.stalledUntilMs = this.#sim.scheduler.nowMs + leaseMs * this.#ms(0.5, 4);
        return true;
      },
      "gateway-crash": () => {
        const gateway = this.#sim.random.chaos.pick(this.#population.gateways);
        gateway?.crash();
        return gateway !== undefined;
      },
    };
  }

  #operations() {
    const operator = this.#operator;
    return {
      "add-node": () => operator.addOne(),
      "remove-node": () => operator.removeOne("any"),
      "remove-leader": () => operator.removeOne("leader"),
      "replace-node": () => operator.replaceOne(),
      "joint-change": () => operator.anySet(),
      "demote-voter": () => operator.demoteOne(),
      transfer: () => operator.transfer(),
      "forced-snapshot": this.#withUp((host) => {
        const { life } = host;
        if (life !== null) host.whenAble(life, () => life.takeSnapshot());
      }),
    };
  }
}

const COUNTED_BY_HOST: readonly MomentFault[] = ["crash", "crash-leader", "power-cut"];
