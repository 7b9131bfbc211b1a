// Rare things that a campaign must have met, counted ("sometimes").
//
// Guarantees: only counts; a campaign whose rare events never happened has tested little, and says
// so. Does not own: any property.

import { type Configuration, isJoint, isVoter } from "../../../raft/configuration.ts";
import type { Message, NodeId } from "../../../raft/message.ts";
import type { Life } from "../life.ts";
import type { Sim } from "../sim.ts";
import type { Persist } from "../store.ts";
import type { Checker } from "./checker.ts";
import { type ConfigurationRecord, isQuorum } from "./configuration-record.ts";

export class RareEvents {
  readonly #sim: Sim;
  readonly #checker: Checker;

  constructor(sim: Sim, checker: Checker) {
    this.#sim = sim;
    this.#checker = checker;
  }

  #met(what: string): void {
    this.#sim.tally.add(`sometimes.${what}`);
  }

  crashed({ node }: Life, record: ConfigurationRecord): void {
    if (isJoint(record.current)) this.#met("crash-in-joint-configuration");
    if (node.leading?.transfer) this.#met("crash-during-transfer");
    if (node.fetch !== null) this.#met("crash-during-fetch");
    if (node.role === "leader") this.#met("leader-crashes");
  }

  received({ node }: Life, from: NodeId, message: Message): void {
    if (message.kind === "read-index-result" && node.leader !== from) {
      this.#met("forwarded-read-meets-leader-change");
    }
    if (message.kind === "timeout-now") this.#met("timeout-now");
    if (message.kind === "append-entries-result" && !message.success) this.#met("append-refused");
    if (message.kind === "request-vote-result" && !message.voteGranted) this.#met("vote-refused");
    if (message.kind === "install-snapshot" && node.fetch !== null && node.fetch.from !== from) {
      this.#met("fetch-goes-on-with-another-leader");
    }
    if (message.kind === "snapshot-request" && node.leading?.transfer) {
      this.#met("snapshot-during-transfer");
    }
  }

  elected({ node, id }: Life, record: ConfigurationRecord): void {
    const committed = this.#checker.history.length;
    if (record.currentIndex > committed) this.#met("election-with-uncommitted-configuration");
    if (isJoint(record.current)) this.#met("election-in-joint-configuration");
    if (!isVoter(record.current, id)) this.#met("elected-without-a-vote");
    const last = node.log.lastIndex - 1;
    const term = node.log.termAt(last);
    if (last <= committed || term === null || term === node.currentTerm) return;
    // Figure 8: on a majority, of an old term, and not committed by that.
    const holds = (voter: NodeId): boolean =>
      this.#checker.stores.get(voter)?.holds(last, term) ?? false;
    if (isQuorum(record.current, holds)) this.#met("old-term-entry-on-a-majority");
    else this.#met("uncommitted-tail-at-election");
  }

  persistAsked({ node }: Life, { truncateFrom, snapshot, compactTo }: Persist): void {
    const isInstall = snapshot !== undefined && truncateFrom !== undefined;
    if (!isInstall && truncateFrom !== undefined) this.#met("truncation");
    if (isInstall) this.#met("install");
    if (isInstall && node.role !== "follower") this.#met("install-while-campaigning");
    if (compactTo !== undefined && compactTo.index === snapshot?.index && !isInstall) {
      this.#sim.tally.add("fault.compact-to-tip");
    }
    if (snapshot !== undefined && node.leading?.transfer) this.#met("snapshot-taken-in-transfer");
  }

  reconfigured(life: Life, before: Configuration, after: Configuration): void {
    const isLeader = life.node.role === "leader";
    if (after.voters.some((id) => before.learners.includes(id))) this.#met("learner-promoted");
    if (after.learners.some((id) => before.voters.includes(id))) this.#met("voter-demoted");
    if (isJoint(after)) this.#met("joint-configuration");
    if (isLeader && isVoter(before, life.id) && !isVoter(after, life.id)) {
      this.#met("leader-removes-itself");
    }
    const isReturn = (id: NodeId): boolean =>
      !id.endsWith("0000001") && !before.voters.includes(id);
    if (isLeader && after.voters.some(isReturn)) this.#met("wiped-node-readmitted");
    if (!isLeader && after === before) this.#met("configuration-cut-off");
  }
}
