// After the storm: everything is healed, and the cluster must come back to life (I22).
//
// Guarantees: demands, in this order: a leader within ten times the longest election timeout; lost
// disks replaced by new members; a write and a read served; every job at its end; all replicas
// equal to the last byte of their state. Does not own: what healing a part means (the parts).

import { hash } from "../../ledger/ledger.ts";
import type { Target } from "../../raft/configuration.ts";
import type { NodeId } from "../../raft/message.ts";
import { isSameConfiguration } from "./check/configuration-record.ts";
import type { Population } from "./clients/population.ts";
import type { Operator } from "./operator.ts";
import type { Sim } from "./sim.ts";
import { demand } from "./violation.ts";

const MEMBERSHIP_MS = 30_000;
const PROOF_MS = 30_000;
const DRAIN_MS = 180_000;
const EQUAL_MS = 30_000;

export class Recovery {
  readonly #sim: Sim;
  readonly #operator: Operator;
  readonly #population: Population;

  constructor(sim: Sim, operator: Operator, population: Population) {
    this.#sim = sim;
    this.#operator = operator;
    this.#population = population;
  }

  run(): void {
    const { scheduler, trace } = this.#sim;
    if (trace.isText) trace.line(scheduler.nowMs, "--- heal ---");
    this.#heal();
    // What was under way settles: restarts, reconnects, old messages.
    const { max } = this.#sim.options.electionTimeoutMs;
    scheduler.run(scheduler.nowMs + 1000 + 2 * max);
    this.#expect("I22 leader", 10 * max, () => this.#operator.leader() !== null);
    this.#restoreMembership();
    let isProved = false;
    this.#population.prove(() => {
      isProved = true;
    });
    this.#expect("I22 serves", PROOF_MS + 20 * max, () => isProved);
    this.#population.drain();
    this.#expect("I22 drains", DRAIN_MS, () => this.#population.openJobs === 0);
    this.#expect("I22 equal", EQUAL_MS + 20 * max, () => this.#isEqual());
    this.#compareStates();
  }

  #expect(invariant: string, withinMs: number, isDone: () => boolean): void {
    const { scheduler, hosts } = this.#sim;
    const begunMs = scheduler.nowMs;
    let isHeld = false;
    while (!isHeld && scheduler.nowMs < begunMs + withinMs) {
      scheduler.run(scheduler.nowMs + 25);
      isHeld = isDone();
    }
    demand(isHeld, invariant, () => {
      const states = hosts.map(({ id, life }) => {
        if (life === null) return `${id} down`;
        const { role, currentTerm, commitIndex, log, configuration } = life.node;
        const voters = configuration.voters.join(" ");
        return `${id} ${role} t${currentTerm} c${commitIndex} l${log.lastIndex} of [${voters}]`;
      });
      return `not within ${withinMs} ms: ${states.join("; ")}`;
    });
    this.#sim.tally.most(`most.${invariant}-ms`, Math.round(scheduler.nowMs - begunMs));
  }

  #heal(): void {
    const sim = this.#sim;
    sim.isHealed = true;
    sim.network.heal();
    for (const host of sim.hosts) {
      host.disk.heal();
      host.wake();
      // Everybody runs the new release, and damaged disks are looked at.
      if (host.isOldFormat || host.disk.store.isDamaged) host.crash("upgrade");
      sim.scheduler.after(sim.random.process.between(1, 500), () => host.start());
    }
  }

  /** Members whose disk is lost go, and the machines' new members take their place. */
  #restoreMembership(): void {
    this.#expect("I22 membership", MEMBERSHIP_MS, () => {
      const leader = this.#operator.leader();
      if (leader === null) return false;
      const { configuration, commitIndex, membership } = leader.node;
      const isSettled =
        configuration.outgoing.length === 0 && membership.currentIndex <= commitIndex;
      if (!isSettled) return false;
      const members = [...configuration.voters, ...configuration.learners];
      if (
        members.every((id) => !this.#operator.isLost(id)) &&
        configuration.learners.length === 0
      ) {
        return true;
      }
      const wanted = this.#wanted(configuration.voters, configuration.learners);
      const isAsked = isSameConfiguration(configuration, { ...wanted, outgoing: [] });
      if (!isAsked) this.#operator.ask(wanted);
      return false;
    });
  }

  #wanted(voters: readonly NodeId[], learners: readonly NodeId[]): Target {
    const presentId = (id: NodeId): NodeId | undefined => {
      const place = this.#sim.checker.stores.get(id)?.machine ?? -1;
      return this.#sim.hosts[place]?.id;
    };
    const present = [...new Set([...voters, ...learners].flatMap((id) => presentId(id) ?? []))];
    return {
      voters: present.filter((id) => voters.includes(id)),
      learners: present.filter((id) => !voters.includes(id)),
    };
  }

  #isEqual(): boolean {
    const leader = this.#operator.leader();
    if (leader === null) return false;
    const { lastIndex } = leader.node.log;
    const { voters } = leader.node.configuration;
    if (leader.node.commitIndex !== lastIndex) return false;
    return this.#sim.hosts.every(({ life }) => {
      if (life === null) return false;
      if (!voters.includes(life.id)) return true;
      return life.node.log.lastIndex === lastIndex && life.replica.lastApplied === lastIndex;
    });
  }

  #compareStates(): void {
    const { checker, hosts } = this.#sim;
    const { canon } = checker.history;
    const expected = hash(canon.ledger);
    for (const { life } of hosts) {
      if (life === null || life.replica.lastApplied !== canon.lastApplied) continue;
      demand(hash(life.replica.ledger) === expected, "I5 state-machine", `${life.id} at the end`);
    }
  }
}
