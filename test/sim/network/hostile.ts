// A network that does what it likes: loss, copies and any order between any two nodes, also across
// restarts of the sender, and cuts of single directions.
//
// Guarantees: the envelope is checked all the same: an answer reaches only the life that asked.
// Does not own: when faults come (chaos.ts).

import type { Message, NodeId } from "../../../raft/message.ts";
import type { Life } from "../life.ts";
import type { Sim } from "../sim.ts";
import { type Envelope, Link } from "./link.ts";
import type { Network } from "./network.ts";

export class Hostile implements Network {
  slowness = 1;
  readonly #sim: Sim;
  readonly #links = new Map<NodeId, Link>();
  /** Directed, as "machine>machine". */
  readonly #cut = new Set<string>();

  constructor(sim: Sim) {
    this.#sim = sim;
  }

  connect(life: Life): Link {
    const link = new Link(this.#sim, life);
    this.#links.set(life.id, link);
    return link;
  }

  disconnect(life: Life): void {
    life.link.isOver = true;
    if (this.#links.get(life.id) === life.link) this.#links.delete(life.id);
  }

  reaches(_link: Link): boolean {
    return true;
  }

  send(link: Link, to: NodeId, message: Message): void {
    const envelope = link.envelope(to, message);
    if (envelope === null) return;
    const { network: random } = this.#sim.random;
    const { tally } = this.#sim;
    if (random.chance(this.#sim.rate("loss"))) {
      tally.add("fault.loss");
      return;
    }
    this.#carry(envelope, 1);
    if (random.chance(this.#sim.rate("duplicate"))) {
      tally.add("fault.duplicate");
      this.#carry(envelope, 3);
    }
    if (random.chance(this.#sim.rate("stale-copy"))) {
      tally.add("fault.stale-copy");
      this.#carry(envelope, 1, random.between(500, 15_000));
    }
  }

  #carry(envelope: Envelope, factor: number, moreMs = 0): void {
    const { scheduler, random, tally } = this.#sim;
    const [min, max] = this.#sim.delayMs;
    let delayMs = random.network.between(min, max) * this.slowness * factor + moreMs;
    const { link } = envelope;
    if (random.network.chance(this.#sim.rate("reorder"))) {
      tally.add("fault.reorder");
      delayMs += random.network.exponential(max);
    } else if (moreMs === 0) {
      const key = `${envelope.to}/${envelope.lane}`;
      delayMs = Math.max(delayMs, (link.lastArrivalMs.get(key) ?? 0) - scheduler.nowMs);
      link.lastArrivalMs.set(key, scheduler.nowMs + delayMs);
    }
    scheduler.after(delayMs, () => this.#arrive(envelope));
  }

  #arrive(envelope: Envelope): void {
    const { tally } = this.#sim;
    const target = this.#links.get(envelope.to);
    const from = envelope.link.life.host.name;
    if (target === undefined) {
      this.#return(envelope);
      return;
    }
    if (this.#cut.size > 0 && this.#cut.has(`${from}>${target.life.host.name}`)) {
      tally.add("network.cut");
      return;
    }
    target.receive(envelope, true);
  }

  #return({ link, to }: Envelope): void {
    const { random, scheduler, tally } = this.#sim;
    if (random.network.chance(Math.max(0.3, this.#sim.rate("missing-hint")))) {
      tally.add("fault.missing-hint");
      return;
    }
    let delayMs = random.network.between(...this.#sim.delayMs);
    if (random.network.chance(this.#sim.rate("late-hint"))) {
      tally.add("fault.late-hint");
      delayMs += random.network.between(100, 3000);
    }
    scheduler.after(delayMs, () => link.returned(to));
  }

  cut(from: string, to: string): void {
    this.#cut.add(`${from}>${to}`);
  }

  join(from: string, to: string): void {
    this.#cut.delete(`${from}>${to}`);
  }

  heal(): void {
    this.slowness = 1;
    this.#cut.clear();
  }
}
