// The mailbox of one life at the broker: what has come and is not handed over yet.
//
// Guarantees: handed over at once and in order while its consumer takes it; bounded, and then the
// oldest message goes (drop-head), which leaves a hole in a pipeline.

import type { Sim } from "../sim.ts";
import type { Envelope, Link } from "./link.ts";

export class Mailbox {
  readonly link: Link;
  readonly #sim: Sim;
  readonly #lanes: Envelope[][] = [[], [], []];

  constructor(sim: Sim, link: Link) {
    this.#sim = sim;
    this.link = link;
  }

  add(envelope: Envelope): void {
    // A ghost's mailbox takes everything, and nobody reads it.
    if (this.link.isOver) return;
    if (!this.link.isStalled) {
      this.link.receive(envelope, false);
      return;
    }
    const lane = this.#lanes[envelope.lane];
    if (lane === undefined) return;
    lane.push(envelope);
    if (lane.length <= this.#sim.options.mailboxLengthMax) return;
    lane.shift();
    this.#sim.tally.add("fault.drop-head");
    if (envelope.lane === 1) this.#sim.tally.add("sometimes.drop-head-hole-in-a-pipeline");
  }

  flush(): void {
    for (const lane of this.#lanes) {
      for (const envelope of lane.splice(0)) this.link.receive(envelope, false);
    }
  }
}
