// An operator: changes of membership and transfers, asked of whoever leads.
//
// Guarantees: never asks for members that could not go on without disks that are lost: a majority
// of each set of voters, present and wanted, has its disk. Beyond that anything may be asked, also
// what has to be refused. Does not own: the change itself (raft/membership-change.ts).

import type { Configuration, Target } from "../../raft/configuration.ts";
import type { NodeId } from "../../raft/message.ts";
import type { Host } from "./host.ts";
import type { Life } from "./life.ts";
import type { Sim } from "./sim.ts";

export class Operator {
  readonly #sim: Sim;

  constructor(sim: Sim) {
    this.#sim = sim;
  }

  /** Of the highest term, if there is one. */
  leader(): Life | null {
    let leader: Life | null = null;
    for (const { life } of this.#sim.hosts) {
      if (life === null || life.node.role !== "leader") continue;
      if (leader === null || life.node.currentTerm > leader.node.currentTerm) leader = life;
    }
    return leader;
  }

  hostOf(id: NodeId): Host | null {
    return this.#sim.hosts.find((host) => host.id === id) ?? null;
  }

  isLost(id: NodeId): boolean {
    const store = this.#sim.checker.stores.get(id);
    return store === undefined || store.isLost || store.isDamaged || this.hostOf(id) === null;
  }

  /** It has never been part of the cluster: it cannot vote before it has a snapshot. */
  isBlank(id: NodeId): boolean {
    return this.#sim.checker.stores.get(id)?.snapshot == null;
  }

  /** Whether the quorums of every configuration that may be in force would outlive these losses. */
  mayLose(id: NodeId): boolean {
    const isGone = (member: NodeId): boolean => member === id || this.isLost(member);
    return this.#configurations().every(({ voters, outgoing, learners }) => {
      // A learner may be made a voter at any moment, also when its disk is gone already.
      const promoted = [...voters, ...learners.filter(isGone)];
      return [voters, outgoing, promoted].every((ids) => keepsMajority(ids, isGone));
    });
  }

  #configurations(): Configuration[] {
    const { checker, hosts } = this.#sim;
    const committed = checker.history.configuration;
    const found = hosts.flatMap(({ life, disk }) => {
      // What a disk says counts even if nobody runs on it now.
      const stored = disk.store.snapshot?.snapshot.configuration;
      const own = life === null ? [] : [checker.configurationOf(life.id).current];
      return stored === undefined ? own : [...own, stored];
    });
    const founding = { voters: this.#sim.founders, outgoing: [], learners: [] };
    const all = [committed ?? founding, ...found];
    // The entries of those that are down may be put in force again.
    for (const { disk } of hosts) {
      if (disk.store.isLost) continue;
      const record = checker.configurationIfKnown(disk.store.id);
      if (record !== undefined) all.push(record.current);
    }
    return all;
  }

  ask(target: Target): boolean {
    const life = this.leader();
    if (life === null || !this.#canGoOn(target)) return false;
    this.#sim.tally.add("count.membership-asked");
    life.host.whenAble(life, () => {
      // A paused leader comes to it late: more disks may be lost by now.
      if (!this.#canGoOn(target)) return;
      life.changeMembership(target, ({ kind }) => {
        const isTaken = kind === "done";
        this.#sim.tally.add(isTaken ? "count.membership-changes" : "count.membership-refused");
      });
    });
    return true;
  }

  /** A learner will be a voter: one whose disk is gone never helps to anything again. */
  #canGoOn({ voters, learners }: Target): boolean {
    const isLost = (id: NodeId): boolean => this.isLost(id);
    return keepsMajority(voters, isLost) && !learners.some(isLost);
  }

  /** Present voters with one more, one less, or others. */
  current(): Target | null {
    const life = this.leader();
    return life === null ? null : life.node.configuration;
  }

  addOne(): boolean {
    const target = this.current();
    const { chaos: random } = this.#sim.random;
    const outside = this.#outsiders(target);
    const id = random.pick(outside);
    if (target === null || id === undefined) return false;
    const { voters, learners } = target;
    // As a learner that is promoted, or at once as a voter: what has nothing yet has to be refused.
    const isRash = this.#sim.random.operator.chance(0.3);
    const isLearner = random.chance(0.7) || (this.isBlank(id) && !isRash);
    if (isLearner) return this.ask({ voters, learners: [...learners, id] });
    return this.ask({ voters: [...voters, id], learners });
  }

  removeOne(which: "any" | "leader"): boolean {
    const target = this.current();
    const { chaos: random } = this.#sim.random;
    if (target === null || target.voters.length < 2) return false;
    const id = which === "leader" ? this.leader()?.id : random.pick(target.voters);
    const voters = target.voters.filter((voter) => voter !== id);
    return this.ask({ voters, learners: target.learners });
  }

  demoteOne(): boolean {
    const target = this.current();
    const id = this.#sim.random.chaos.pick(target?.voters ?? []);
    if (target === null || id === undefined || target.voters.length < 2) return false;
    const voters = target.voters.filter((voter) => voter !== id);
    return this.ask({ voters, learners: [...target.learners, id] });
  }

  replaceOne(): boolean {
    const target = this.current();
    const { chaos: random } = this.#sim.random;
    const come = random.pick(this.#outsiders(target));
    if (target === null || come === undefined) return false;
    const lost = target.voters.find((voter) => this.isLost(voter));
    const go = lost ?? random.pick(target.voters);
    const stay = target.voters.filter((voter) => voter !== go);
    const learners = target.learners.filter((id) => id !== come);
    if (this.isBlank(come)) return this.ask({ voters: stay, learners: [...learners, come] });
    return this.ask({ voters: [...stay, come], learners });
  }

  /** Any set of machines. */
  anySet(): boolean {
    const { chaos: random } = this.#sim.random;
    const { hosts } = this.#sim;
    const ids = random.shuffled(hosts.map(({ id }) => id));
    const chosen = ids.slice(0, random.whole(1, ids.length));
    const rest = ids.slice(chosen.length).filter(() => random.chance(0.3));
    const voters = chosen.filter((id) => !this.isBlank(id));
    const blank = chosen.filter((id) => this.isBlank(id));
    return voters.length > 0 && this.ask({ voters, learners: [...rest, ...blank] });
  }

  transfer(): boolean {
    const life = this.leader();
    if (life === null) return false;
    const { chaos: random } = this.#sim.random;
    const to = random.chance(0.3) ? null : (random.pick(life.node.configuration.voters) ?? null);
    this.#sim.tally.add("count.transfers");
    life.host.whenAble(life, () => life.transfer(to, () => {}));
    return true;
  }

  #outsiders(target: Target | null): NodeId[] {
    return this.#sim.hosts
      .map(({ id }) => id)
      .filter((id) => target?.voters.includes(id) !== true && !target?.learners.includes(id));
  }
}

function keepsMajority(ids: readonly NodeId[], isGone: (id: NodeId) => boolean): boolean {
  return 2 * ids.filter((id) => !isGone(id)).length > ids.length || ids.length === 0;
}
