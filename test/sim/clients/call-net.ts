// The way of a call to a node and of its answer back, over the broker's client queues.
//
// Guarantees: a call or its answer may be lost, late or doubled; each answer comes at most once a
// copy. Does not own: when a caller gives up (caller.ts).

import type { CommandBody } from "../../../ledger/command.ts";
import type { Answer, Reply } from "../answer.ts";
import type { Host } from "../host.ts";
import type { Sim } from "../sim.ts";

export type NodeCall =
  | { readonly kind: "command"; readonly body: CommandBody }
  | { readonly kind: "read"; readonly jobId: string };

export class CallNet {
  readonly #sim: Sim;

  constructor(sim: Sim) {
    this.#sim = sim;
  }

  /** `copied` is told when another copy is under way whose answer nobody will see. */
  send(host: Host, call: NodeCall, reply: Reply, copied: () => void): void {
    const { workload: random } = this.#sim.random;
    const { tally } = this.#sim;
    if (random.chance(this.#sim.rate("duplicate-call"))) {
      tally.add("fault.duplicate-call");
      copied();
      this.#carry(host, call, ignore, random.between(0, 50));
    }
    if (random.chance(this.#sim.rate("late-call"))) {
      tally.add("fault.late-call");
      copied();
      // To whoever may lead by then.
      const other = random.one(this.#sim.hosts);
      this.#carry(other, call, ignore, random.between(500, 20_000));
    }
    if (random.chance(this.#sim.rate("call-loss"))) {
      tally.add("fault.call-loss");
      return;
    }
    this.#carry(host, call, (answer) => this.#back(answer, reply), 0);
  }

  #carry(host: Host, call: NodeCall, reply: Reply, moreMs: number): void {
    this.#sim.scheduler.after(this.#delayMs() + moreMs, () => {
      const { life } = host;
      if (life === null || !this.#sim.network.reaches(life.link)) {
        this.#sim.tally.add("clients.unreachable");
        return;
      }
      host.whenAble(life, () => {
        if (call.kind === "command") life.propose(call.body, reply);
        else life.read(call.jobId, reply);
      });
    });
  }

  #back(answer: Answer, reply: Reply): void {
    if (this.#sim.random.workload.chance(this.#sim.rate("answer-loss"))) {
      this.#sim.tally.add("fault.answer-loss");
      return;
    }
    this.#sim.scheduler.after(this.#delayMs(), () => reply(answer));
  }

  #delayMs(): number {
    const [min, max] = this.#sim.delayMs;
    return this.#sim.random.workload.between(min, max);
  }
}

function ignore(): void {}
